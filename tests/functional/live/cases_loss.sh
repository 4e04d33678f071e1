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
    must_be_some "packets dropped by the ring" "$(counter ring_drops)"
    all=$(ask | jq '.counters | .packets + .ring_drops + .card_drops')
    must_be "packets seen and dropped" "$all" "$sent"
    must_be "the state" "$(ask | jq -r .state)" degraded
    sensor_stop
    span_down
    case_end
}

# mirror_shows NAME CAPTURE PROBLEM [CONFIGURATION [INJECT-OPTION...]]: the alarm that it gives.
mirror_shows() {
    local capture=$2 problem=$3
    case_begin "$1"
    span_up
    configure "${4:-leg: access}"
    sensor_start -i span -o "$LIVE/records" || return 0
    inject -r 4000 "${@:5}" wire "$capture"
    until_true has_problem "$problem" || wrong "no problem \"$problem\": $(ask | jq -c '[.problems[].code]')"
    [ "$(ask | jq -r --arg code "$problem" '.problems[] | select(.code == $code) | .text' | wc -c)" -gt 40 ] ||
        wrong "the problem has no sentence"
    sensor_stop
    span_down
    case_end
}

cases_mirrors() {
    mirror_shows "doubled" "$LIVE/double.pcap" doubled
    one_leg_up
    mirror_shows "one direction" "$LIVE/plain.pcap" one-direction $'closing_timeout: 1s\n  idle_timeout: 10s' \
        -2 leg
    mirror_shows "port 25 not blocked" "$LIVE/plain.pcap" leg-wrong "port25: blocked-before"
    # Lost before the mirror's port: acknowledged, and never seen.
    case_begin "lost by the mirror"
    "$TESTS/postern-mangle" -s 1 -x drop=300 -o "$LIVE/drop.pcap" "$LIVE/plain.pcap"
    span_up
    configure "${STEADY[@]}"
    sensor_start -i span --print flows || return 0
    inject -r 4000 wire "$LIVE/drop.pcap"
    until_true counter_is packets "$("$TESTS/postern-inject" -c "$LIVE/drop.pcap")" || wrong "packets are missing"
    sleep 1
    sensor_stop
    same_as_file "$LIVE/drop.pcap" 4000
    must_be_some "octets missing" "$(jq -s '[.[].missing_octets[]] | add' "$LIVE/flows.live")"
    span_down
    case_end
}

# The other leg of a tap, which nobody watches.
one_leg_up() {
    ip link del leg 2>/dev/null || true
    ip link add leg type veth peer name unplugged
    sysctl -qw net.ipv6.conf.leg.disable_ipv6=1 net.ipv6.conf.unplugged.disable_ipv6=1
    ip link set leg mtu 9000 up
    ip link set unplugged mtu 9000 up
}

# `postern-sensor check`: on a good mirror, and on bad ones.
# check_finds CAPTURE CHECK RESULT STATUS [CONFIGURATION [INJECT-OPTION...]]
check_finds() {
    local status=0 capture=$1 check=$2 result=$3 wanted=$4
    span_up
    configure "${5:-leg: access}"
    "$BIN/postern-sensor" -c "$LIVE/postern.yaml" check span --seconds 2 --json \
        >"$LIVE/check.json" 2>"$LIVE/sensor.log" &
    local pid=$!
    sleep 0.8
    [ "$capture" = none ] || inject -r 4000 "${@:6}" wire "$capture"
    wait "$pid" || status=$?
    must_be "exit status of check" "$status" "$wanted"
    must_be "check of $check" "$(jq -r --arg c "$check" '.checks[] | select(.check == $c) | .result' "$LIVE/check.json")" "$result"
    [ "$(jq '[.checks[] | select(.result != "ok") | select(.fix == "")] | length' "$LIVE/check.json")" -eq 0 ] ||
        wrong "a finding names no fix"
    span_down
}

cases_check() {
    local of
    case_begin "check"
    check_finds "$LIVE/plain.pcap" directions ok 0
    check_finds "$LIVE/qinq.pcap" vlans ok 0
    [ "$(jq -c '[.vlans, .inner_vlans] | map(length > 0)' "$LIVE/check.json")" = "[true,true]" ] ||
        wrong "no VLAN is named"
    must_be "layers of PPPoE" "$(jq '.layers.pppoes > 100' "$LIVE/check.json")" true
    check_finds "$LIVE/plain.pcap" vlans failed 65 "realm_layers: [qinq]"
    check_finds "$LIVE/qinq.pcap" packets failed 65 "filter: tcp port 25"
    must_be "drops where a filter leaves all out" \
        "$(jq -r '.checks[] | select(.check == "drops") | .result' "$LIVE/check.json")" ok
    jq -r '.checks[] | select(.check == "packets") | .fix' "$LIVE/check.json" >"$LIVE/fix"
    must_say "$LIVE/fix" "sensor.filter lets hardly anything pass"
    check_finds "$LIVE/double.pcap" doubled failed 65
    one_leg_up
    check_finds "$LIVE/plain.pcap" directions failed 65 "leg: access" -2 leg
    check_finds none packets failed 65
    must_be "what an idle interface says of the mirror" \
        "$(jq -r '[.checks[] | select(.check | IN("link", "packets", "drops", "clock") | not) | .result] | unique | join(",")' "$LIVE/check.json")" not-judged
    must_be "a missing interface" \
        "$("$BIN/postern-sensor" -c "$LIVE/postern.yaml" check nothing 2>/dev/null; echo $?)" 66
    span_up
    must_be "no interface" "$("$BIN/postern-sensor" -c "$LIVE/postern.yaml" check 2>"$LIVE/sensor.log"; echo $?)" 64
    must_say "$LIVE/sensor.log" "check IFACE.* span"
    # What was opened before rights cannot be dropped is given back: a build with sanitizers would say.
    sed 's/^  run_directory:/  user: root\n&/' "$LIVE/postern.yaml" >"$LIVE/root.yaml"
    for of in "check span" "-i span -o $LIVE/records"; do
        # shellcheck disable=SC2086
        must_be "root as the user, $of" "$("$BIN/postern-sensor" -c "$LIVE/root.yaml" $of 2>"$LIVE/sensor.log"; echo $?)" 78
        must_be "lines said" "$(wc -l <"$LIVE/sensor.log")" 1
    done
    span_down
    case_end
}
