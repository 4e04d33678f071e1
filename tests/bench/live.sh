#!/usr/bin/env bash
# What the sensor takes live, without a drop and above: bench_flood hands the frames of a capture to an
# interface at one rate after the other, and each run's sum is held against what was sent: seen and dropped
# together must be all. Measures; fails only where the sum is wrong. docs/bench.md.
#
# usage: live.sh BIN TESTS CAPTURE CONFIG [RATE...]
#   BIN     postern-sensor (Release), TESTS: bench_flood
#   CONFIG  postern.yaml with the subscribers of the capture (postern-generate --config-out)
#   RATE    frames a second; 0: as fast as it goes
# In the environment: SECONDS_EACH (3), PROCESSES ("1 2"), RING (256M), FLOODS (1: how many
# processors receive), SHARES ("80 20": what each of them gets of the rate, in percent), SENSOR_ON (a processor list), FRAMES (of the
# capture: 65536), RUN (a command that both run under: chrt -f 1), RUN_SENSOR (another one for the sensor).
# Everything runs in name spaces that end with this script. Exit status 77: not possible here.
set -euo pipefail
usage='usage: live.sh BIN TESTS CAPTURE CONFIG [RATE...]'
BIN=$(cd "${1:?$usage}" && pwd)
TESTS=$(cd "${2:?$usage}" && pwd)
CAPTURE=$(realpath "${3:?$usage}")
CONFIG=$(realpath "${4:?$usage}")
shift 4
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

inside() {
    local wrong=0 rate processes
    cd "$SCRATCH"
    ip link add wire type veth peer name span
    sysctl -qw net.ipv6.conf.wire.disable_ipv6=1 net.ipv6.conf.span.disable_ipv6=1
    ip link set wire mtu 9000 up
    ip link set span mtu 9000 up
    mkdir run
    (umask 077 && printf '1 %s\n' "$(openssl rand -hex 32)" >key)
    printf '| processes | asked | sent a second | sent | seen | ring | interface | lost | sensor ns a frame | kernel ns a frame |\n'
    printf '|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n'
    for processes in ${PROCESSES:-1 2}; do
        for rate in "$@"; do one "$processes" "$rate" || wrong=1; done
    done
    return "$wrong"
}

ask() { node "$HERE/../functional/live/ask.mjs" run/postern-sensor.sock; }
sum() { ask | jq '.counters | .packets + .ring_drops + .card_drops'; }
# Processor time of the sensor's processes, in ticks.
ticks() {
    local pid
    for pid in "$SENSOR" $(pgrep -P "$SENSOR"); do cat "/proc/$pid/stat"; done |
        sed 's/.*) //' | awk '{ n += $12 + $13 } END { print n }'
}

one() {
    local processes=$1 rate=$2 floods=${FLOODS:-1} pids=() shares share sent n before after count last on run ours
    {
        grep -v '^  run_directory:' "$CONFIG" | sed '/^sensor:/,$d'
        grep -q '^site:' "$CONFIG" || printf 'site:\n'
        printf '  run_directory: %s/run\nsensor:\n  legal_profile: full-envelope\n  key_file: key\n' "$SCRATCH"
        printf '  processes: %s\n  ring: %s\n' "$processes" "${RING:-256M}"
    } >postern.yaml
    rm -f records* flood.* run/*.sock
    read -ra shares <<<"${SHARES:-}"
    read -ra run <<<"${RUN:-env}"
    read -ra ours <<<"${RUN_SENSOR:-${RUN:-env}}"
    # What receiving costs has the last processor, as a card's interrupts would; one process the others.
    last=$(($(nproc) - 1)) on=0-$(($(nproc) - 1))
    if [ "$floods" -eq 1 ] && [ "$processes" -eq 1 ] && [ "$last" -gt 0 ]; then on=0-$((last - 1)); fi
    if [ -n "${SENSOR_ON:-}" ]; then on=$SENSOR_ON; fi
    "${ours[@]}" taskset -c "$on" "$BIN/postern-sensor" -c postern.yaml -i span -o records --status status.json 2>sensor.log &
    SENSOR=$!
    for n in $(seq 100); do
        if ask >/dev/null 2>&1; then break; fi
        kill -0 "$SENSOR" 2>/dev/null || break
        sleep 0.1
    done
    before=$(ticks)
    count=$((${SECONDS_EACH:-3} * (rate > 0 ? rate : 1000000)))
    for n in $(seq "$floods"); do
        share=${shares[n - 1]:-$((100 / floods))}
        "${run[@]}" taskset -c $((last - n + 1)) "$TESTS/bench_flood" -n $((count * share / 100)) -r $((rate * share / 100)) \
            -o $((n * 8192)) -f "${FRAMES:-65536}" -s $((${SECONDS_EACH:-3} * 3)) span "$CAPTURE" >"flood.$n" &
        pids+=($!)
    done
    for n in "${pids[@]}"; do
        wait "$n" || {
            n=$?
            kill "$SENSOR"
            wait "$SENSOR" || true
            exit "$n"
        }
    done
    jq -s '{sent: map(.sent) | add, rate: (((map(.sent) | add) / (map(.seconds) | max)) | round), cpu: map(.cpu) | add}' flood.[0-9] >flood.json
    sent=$(jq .sent flood.json)
    for n in $(seq 50); do
        if [ "$(sum)" -ge "$sent" ]; then break; fi
        sleep 0.2
    done
    after=$(ticks)
    kill -TERM "$SENSOR"
    wait "$SENSOR" || true
    jq -r --slurpfile flood flood.json --argjson ticks $((after - before)) --argjson hz "$(getconf CLK_TCK)" \
        --arg processes "$processes" --arg asked "$rate" '.counters as $c | $flood[0] as $f |
        [$processes, $asked, $f.rate, $f.sent, $c.packets, $c.ring_drops, $c.card_drops,
         "\((10000 * ($c.ring_drops + $c.card_drops) / $f.sent | round) / 100) %",
         ($ticks / $hz * 1e9 / $c.packets | round), ($f.cpu * 1e9 / $f.sent | round)] |
        "| " + (map(tostring) | join(" | ")) + " |"' status.json
    jq -e --slurpfile flood flood.json '.counters | .packets + .ring_drops + .card_drops == $flood[0].sent' \
        status.json >/dev/null || {
        printf 'seen and dropped are not what was sent\n'
        return 1
    }
}

if [ "${POSTERN_INSIDE:-}" = yes ]; then
    inside "$@"
    exit
fi
skip() {
    printf 'skipped: %s\n' "$*"
    exit 77
}
[ "$(id -u)" -eq 0 ] || skip "needs root, for network name spaces"
export PATH=$PATH:/usr/sbin:/sbin
for command in ip jq node openssl pgrep taskset; do
    command -v "$command" >/dev/null 2>&1 || skip "$command is not installed (scripts/setup installs it)"
done
SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT
[ $# -gt 0 ] || set -- 300000 600000 900000 1150000 1500000 0
export SCRATCH
POSTERN_INSIDE=yes unshare --fork --pid --kill-child --mount --mount-proc --net \
    timeout -k 5 600 "${BASH_SOURCE[0]}" "$BIN" "$TESTS" "$CAPTURE" "$CONFIG" "$@"
