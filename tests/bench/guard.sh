#!/usr/bin/env bash
# Guards against getting slower: instructions a packet of the sensor, as a ratio to those of the floor, on
# small generated captures. Counted by callgrind, so they do not depend on the machine's load; start-up is
# taken off by a run on the capture's first packet. Needs a Release build of its own: sanitizers are no measure.
# Usage: guard.sh SOURCE BUILD. Exit status 77: there is no valgrind.
set -euo pipefail
source=${1:?usage: guard.sh SOURCE BUILD}
build=${2:?usage: guard.sh SOURCE BUILD}
if ! command -v valgrind >/dev/null 2>&1; then
    echo "skipped: valgrind is not installed (scripts/setup installs it)"
    exit 77
fi

# capture, scenario, instructions a packet at most, as a multiple of the floor's
limits='smtp bench_smtp_small 7.5
edge bench_edge_small 3.2'

release=$build/bench-release
launcher=()
if command -v ccache >/dev/null 2>&1; then launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache); fi
mkdir -p "$release"
{
    cmake -S "$source" -B "$release" -G Ninja -DCMAKE_BUILD_TYPE=Release "${launcher[@]}" &&
        ninja -C "$release" -j 2 postern-sensor postern-generate bench_floor
} >"$release/guard.log" 2>&1 || {
    tail -n 40 "$release/guard.log"
    exit 1
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cat >"$scratch/postern.yaml" <<CONFIG
sensor:
  legal_profile: full-envelope
CONFIG
sensor() { instructions "$release/bin/postern-sensor" -c "$scratch/postern.yaml" -r "$1" -o /dev/null; }
floor() { instructions "$release/tests/bench_floor" "$1"; }

# instructions COMMAND...: how many it took
instructions() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" >/dev/null 2>"$scratch/log" || {
        cat "$scratch/log" >&2
        return 1
    }
    sed -n 's/.*Collected : //p' "$scratch/log"
}

status=0
while read -r name scenario most; do
    capture=$scratch/$name.pcap
    "$release/bin/postern-generate" -s "$source/tests/generator/scenarios/$scenario.yaml" \
        --microseconds -o "$capture" 2>/dev/null
    first=$(od -An -tu4 -j 32 -N 4 "$capture")
    head -c $((40 + first)) "$capture" >"$scratch/first"
    packets=$("$release/tests/bench_floor" "$capture" | sed 's/.*"packets":\([0-9]*\).*/\1/')
    ours=$(($(sensor "$capture") - $(sensor "$scratch/first")))
    least=$(($(floor "$capture") - $(floor "$scratch/first")))
    awk -v name="$name" -v p="$packets" -v o="$ours" -v l="$least" -v most="$most" 'BEGIN {
        printf "%s: %d packets, %.0f instructions a packet, the floor %.0f: %.2f times, at most %s\n",
            name, p, o / p, l / p, o / l, most
        exit o / l > most
    }' || {
        echo "$name: slower than the limit; profile it (docs/bench.md), or raise the limit and say why"
        status=1
    }
done <<<"$limits"
exit "$status"
