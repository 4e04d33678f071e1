#!/usr/bin/env bash
# Holds the sensor against the truth tables of the shared captures. Every difference must be explained in
# differences.txt beside this file, and every explanation must still be needed.
# Usage: compare.sh SHARED-FOLDER SENSOR. Exit status 77: no captures there.
set -euo pipefail
shared=${1:?usage: compare.sh SHARED-FOLDER SENSOR}
sensor=${2:?usage: compare.sh SHARED-FOLDER SENSOR}
explained=$(dirname "${BASH_SOURCE[0]}")/differences.txt
if [ ! -f "$shared/captures/compare.py" ]; then
    echo "skipped: no captures in $shared"
    exit 77
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Small tables: a sanitizer builds up its shadow for every one of the processes.
cat >"$scratch/postern.yaml" <<CONFIG
sensor:
  flows: 8192
  dialogues: 2048
  realms: 1024
  stream_memory: 8M
CONFIG
python3 "$shared/captures/compare.py" -- "$sensor" -c "$scratch/postern.yaml" >"$scratch/out" || true
tail -n 1 "$scratch/out"
grep -q "captures that failed 0, not found 0" <(tail -n 1 "$scratch/out") || {
    cat "$scratch/out"
    exit 1
}
sed '$d' "$scratch/out" | sort >"$scratch/got"
grep -v -e '^#' -e '^ ' -e '^$' "$explained" | sort >"$scratch/known" || true
if ! diff "$scratch/known" "$scratch/got" >"$scratch/diff"; then
    echo "not explained (>), or no longer needed (<):"
    cat "$scratch/diff"
    exit 1
fi
