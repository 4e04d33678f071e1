# shellcheck shell=bash
# What was lost, by where it was lost; and mirrors that show the wrong thing.

# A sensor that is stopped while frames come reads too late: what does not fit the ring is counted, all of it.
cases_overload() {
    local sent all
    case_begin "overload"
    span_up
    configure "ring: 1M"
    sensor_start -i span -o "$LIVE/records" || return 0
    kill -STOP "$SENSOR"
    inject -n 5 wire "$LIVE/plain.pcap"
    sent=$((FRAMES * 5))
    kill -CONT "$SENSOR"
    until_true has_problem drops || wrong "drops are no problem"
    sleep 2
    expect_some "packets dropped by the ring" "$(counter ring_drops)"
    all=$(ask | jq '.counters | .packets + .ring_drops + .card_drops')
    expect "packets seen and dropped" "$all" "$sent"
    expect "the state" "$(ask | jq -r .state)" degraded
    sensor_stop
    span_down
    case_end
}

# mirror NAME CAPTURE PROBLEM: a capture that gives this alarm.
mirror_shows() {
    case_begin "$1"
    span_up
    configure "${4:-leg: access}"
    sensor_start -i span -o "$LIVE/records" || return 0
    inject -r "${5:-4000}" wire "$2"
    until_true has_problem "$3" || wrong "no problem \"$3\": $(ask | jq -c '[.problems[].code]')"
    [ "$(ask | jq -r --arg code "$3" '.problems[] | select(.code == $code) | .text' | wc -c)" -gt 40 ] ||
        wrong "the problem has no sentence"
    sensor_stop
    span_down
    case_end
}

cases_mirrors() {
    "$TESTS/postern-mangle" -s 1 -x double=50 -o "$LIVE/double.pcap" "$LIVE/plain.pcap"
    mirror_shows "doubled" "$LIVE/double.pcap" doubled
    half_of "$LIVE/plain.pcap" "$LIVE/half.pcap"
    mirror_shows "one direction" "$LIVE/half.pcap" one-direction
    mirror_shows "port 25 not blocked" "$LIVE/plain.pcap" leg-wrong "port25: blocked-before"
    # Lost before the mirror's port: acknowledged, and never seen.
    case_begin "lost by the mirror"
    "$TESTS/postern-mangle" -s 1 -x drop=300 -o "$LIVE/drop.pcap" "$LIVE/plain.pcap"
    span_up
    configure
    sensor_start -i span --print flows || return 0
    inject -r 4000 wire "$LIVE/drop.pcap"
    until_true counter_is packets "$("$TESTS/postern-inject" -c "$LIVE/drop.pcap")" || wrong "packets are missing"
    sleep 1
    sensor_stop
    same_as_file "$LIVE/drop.pcap" 4000
    expect_some "octets missing" "$(jq -s '[.[].missing_octets[]] | add' "$LIVE/flows.live")"
    span_down
    case_end
}

# What comes from the responders alone.
half_of() {
    tcpdump -nr "$1" -w "$2" 'src port 25 or src port 587 or src port 465 or src port 443' 2>/dev/null
}

# `postern-sensor check`: on a good mirror, and on bad ones.
check_finds() {
    local status=0 capture=$1 check=$2 result=$3 wanted=$4
    shift 4
    span_up
    configure "${1:-leg: access}"
    "$BIN/postern-sensor" -c "$LIVE/postern.yaml" check span --seconds 3 --json \
        >"$LIVE/check.json" 2>"$LIVE/sensor.log" &
    local pid=$!
    sleep 1
    [ "$capture" = none ] || inject -r 4000 wire "$capture"
    wait "$pid" || status=$?
    expect "exit status of check" "$status" "$wanted"
    expect "check of $check" "$(jq -r --arg c "$check" '.checks[] | select(.check == $c) | .result' "$LIVE/check.json")" "$result"
    [ "$(jq '[.checks[] | select(.result != "ok") | select(.fix == "")] | length' "$LIVE/check.json")" -eq 0 ] ||
        wrong "a finding names no fix"
    span_down
}

cases_check() {
    case_begin "check"
    check_finds "$LIVE/plain.pcap" directions ok 0
    check_finds "$LIVE/qinq.pcap" vlans ok 0
    [ "$(jq -c '[.vlans, .inner_vlans] | map(length > 0)' "$LIVE/check.json")" = "[true,true]" ] ||
        wrong "no VLAN is named"
    expect "layers of PPPoE" "$(jq '.layers.pppoes > 100' "$LIVE/check.json")" true
    check_finds "$LIVE/plain.pcap" vlans failed 65 "realm_layers: [qinq]"
    check_finds "$LIVE/double.pcap" doubled failed 65
    check_finds "$LIVE/half.pcap" directions failed 65
    check_finds none packets failed 65
    expect "a missing interface" \
        "$("$BIN/postern-sensor" -c "$LIVE/postern.yaml" check nothing 2>/dev/null; echo $?)" 66
    case_end
}
