# shellcheck shell=bash
# A pair of interfaces: what is put on "wire" arrives at "span", where the sensor listens. Cases say what
# they found wrong and go on; the last line of inside.sh counts.

WRONG=0
CASE=
SENSOR_ENV=() # what stands in the sensor's environment

# A case: its name stands before all it says.
case_begin() {
    CASE=$1
    SECONDS_BEFORE=$SECONDS
}
case_end() { printf '%-28s %d s\n' "$CASE" $((SECONDS - SECONDS_BEFORE)); }

wrong() {
    WRONG=$((WRONG + 1))
    printf '%s: %s\n' "$CASE" "$*"
    if [ -s "$LIVE/sensor.log" ]; then sed 's/^/    | /' "$LIVE/sensor.log" | tail -5; fi
}

# must_be WHAT GOT WANTED
must_be() { [ "$2" = "$3" ] || wrong "$1 is $2, not $3"; }
must_be_some() { [ "${2:-0}" -gt 0 ] || wrong "$1 is ${2:-nothing}, not above 0"; }
must_say() { grep -q -- "$2" "$1" || wrong "$1 does not say \"$2\""; }

span_up() {
    span_down
    ip link add wire type veth peer name span
    # Nothing but what the test sends.
    sysctl -qw net.ipv6.conf.wire.disable_ipv6=1 net.ipv6.conf.span.disable_ipv6=1
    ip link set wire mtu 9000 up
    ip link set span mtu 9000 up
}
span_down() { ip link del span 2>/dev/null || true; }

# configure LINE...: site of the generated captures, and the section of the sensor with these lines.
configure() {
    {
        grep -v '^  run_directory:' "$LIVE/site.yaml"
        printf '  run_directory: %s/run\nsensor:\n  legal_profile: full-envelope\n  key_file: key\n' "$LIVE"
        printf '  %s\n' "$@"
    } >"$LIVE/postern.yaml"
}

# Deadlines so long that a capture counts the same however slowly this machine puts it on the wire.
STEADY=("syn_timeout: 1m" "half_open_timeout: 10m" "early_close: 10m" "idle_timeout: 60m"
    "closing_timeout: 60m" "reset_linger: 10s" "closed_timeout: 1m" "udp_timeout: 10m" "dns_timeout: 1m"
    "duplicate_window: 0ms" "gap_timeout: 1m")
export STEADY

# sensor_start OPTION...: on span, until its socket answers.
sensor_start() {
    local n
    rm -f "$LIVE"/run/*.sock
    : >"$LIVE/flows.live"
    env "${SENSOR_ENV[@]}" "$BIN/postern-sensor" -c "$LIVE/postern.yaml" "$@" >>"$LIVE/flows.live" 2>"$LIVE/sensor.log" &
    SENSOR=$!
    for n in $(seq 150); do
        if [ -S "$LIVE/run/postern-sensor.sock" ] && ask status >/dev/null 2>&1; then return; fi
        kill -0 "$SENSOR" 2>/dev/null || break
        sleep 0.1
    done
    wrong "the sensor did not start ($n)"
    return 1
}

sensor_stop() {
    local status=0
    kill -TERM "$SENSOR" 2>/dev/null || true
    wait "$SENSOR" || status=$?
    must_be "the sensor's exit status" "$status" "${1:-0}"
}

# ask [COMMAND]: by the control socket; status without.
ask() { node "$HERE/ask.mjs" "$LIVE/run/postern-sensor.sock" "${1:-status}"; }
counter() { ask status | jq ".counters.$1"; }
has_problem() { ask status | jq -e --arg code "$1" 'any(.problems[]; .code == $code)' >/dev/null; }

# Waits for at most ten seconds: until COMMAND...
until_true() {
    local n
    for n in $(seq 50); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.2
    done
    return 1
}
counter_is() { [ "$(counter "$1")" = "$2" ]; }

inject() { "$TESTS/postern-inject" "$@" >"$LIVE/inject.out" || wrong "nothing could be sent"; }

# What a flow is, without the times, one a line.
flows_of() { jq -S -c 'del(.start, .end, .tls.time_to_close_ms)' "$1" | sort; }

# same_flows LIVE OTHER WHOSE: else how many differ, and in what the first of them do.
same_flows() {
    cmp -s "$1" "$2" && return
    wrong "$(diff "$1" "$2" | grep -c '^[<>]') flows differ from $3"
    diff <(diff "$1" "$2" | sed -n 's/^< //p' | head -2 | jq -S .) <(diff "$1" "$2" | sed -n 's/^> //p' | head -2 | jq -S .) |
        sed 's/^/    | /' | head -20
}

# same_as_file CAPTURE RATE: the flows that the live sensor printed are those of the file job.
same_as_file() {
    "$TESTS/postern-inject" -r "$2" -w "$LIVE/retimed.pcap" "$1"
    "$BIN/postern-sensor" -c "$LIVE/postern.yaml" -r "$LIVE/retimed.pcap" --print flows \
        >"$LIVE/flows.file" 2>"$LIVE/file.log" || wrong "the file job failed"
    flows_of "$LIVE/flows.live" >"$LIVE/live.sorted"
    flows_of "$LIVE/flows.file" >"$LIVE/file.sorted"
    [ "$(wc -l <"$LIVE/file.sorted")" -gt 100 ] || wrong "too few flows to compare"
    same_flows "$LIVE/live.sorted" "$LIVE/file.sorted" "the file job's"
}
