#!/usr/bin/env bash
# The figures of docs/adr/0010: many series a minute, in process and through rrdcached that coalesces
# 10, 20 and 30 minutes (a minute is shortened to three seconds for these). Needs some 20 GB for a while
# and a Release build; takes a quarter of an hour on an idle machine. Judges nothing.
# usage: run.sh BUILD-FOLDER EMPTY-FOLDER
set -euo pipefail
build=${1:?usage: run.sh BUILD-FOLDER EMPTY-FOLDER} dir=${2:?usage: run.sh BUILD-FOLDER EMPTY-FOLDER}
ninja -C "$build" bench_series >/dev/null
bench=$build/tests/bench_series
daemon=
trap '[ -z "$daemon" ] || kill "$daemon"; rm -rf "$dir/full" "$dir/reduced" "$dir/journal"' EXIT

"$bench" --dir "$dir/full" --active 20000 --known 1000000 --minutes 5
"$bench" --dir "$dir/full" --active 20000 --known 1000000 --minutes 3 --cold
rm -rf "$dir/full"
"$bench" --dir "$dir/reduced" --active 100000 --known 1000000 --layout reduced --minutes 3
command -v rrdcached >/dev/null || {
    echo "rrdcached is not installed; scripts/setup installs it"
    exit 0
}
for minutes in 10 20 30; do
    mkdir -p "$dir/journal"
    rrdcached -g -l "unix:$dir/socket" -p "$dir/pid" -b "$dir/reduced" -j "$dir/journal" -t 4 \
        -w $((3 * minutes)) -z $((3 * minutes)) -f 3600 &
    daemon=$!
    sleep 1
    echo "rrdcached, $minutes minutes together:"
    "$bench" --dir "$dir/reduced" --active 100000 --layout reduced --rrdcached "unix:$dir/socket" \
        --pid "$daemon" --pace 3 --quiet "$minutes" --minutes "$minutes"
    grep VmRSS "/proc/$daemon/status"
    kill "$daemon"
    wait "$daemon" || true
    daemon=
    rm -rf "$dir/journal"
done
