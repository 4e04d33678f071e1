# shellcheck shell=bash
# What is counted live is what the file job counts: plain, under QinQ and PPPoE, by one process and by two.

# counts_as_file NAME CAPTURE PROCESSES INTERFACE...
counts_as_file() {
    local name=$1 capture=$2 processes=$3 frames
    shift 3
    case_begin "$name"
    span_up
    configure "processes: $processes" "ring: 8M" "${STEADY[@]}"
    sensor_start -i span --print flows --status "$LIVE/status.json" || return 0
    frames=$(capture_frames "$capture")
    inject -r 4000 wire "$capture"
    until_true counter_is packets "$frames" || wrong "$(counter packets) of $frames packets arrived"
    must_be "what was dropped" "$(ask | jq '.counters | .card_drops + .ring_drops')" 0
    must_be "the state" "$(ask | jq -r .state)" ok
    sensor_stop
    same_as_file "$capture" 4000
    must_be "packets in the last status" "$(jq .counters.packets "$LIVE/status.json")" "$frames"
    span_down
    case_end
}

capture_frames() { "$TESTS/postern-inject" -c "$1"; }

cases_count() {
    counts_as_file "plain" "$LIVE/plain.pcap" 1
    counts_as_file "qinq and pppoe" "$LIVE/qinq.pcap" 1
    counts_as_file "two processes" "$LIVE/plain.pcap" 2
    counts_as_file "two, qinq and pppoe" "$LIVE/qinq.pcap" 2
    must_be "processes that saw something" \
        "$(jq '[.inputs[] | select(.name | startswith("process")) | select(.text | startswith("0 ") | not)] | length' \
            "$LIVE/status.json")" 2
    two_interfaces
}

# Each direction on an interface of its own, as a tap gives them.
two_interfaces() {
    case_begin "two interfaces"
    span_up
    ip link add wire2 type veth peer name span2
    sysctl -qw net.ipv6.conf.wire2.disable_ipv6=1 net.ipv6.conf.span2.disable_ipv6=1
    ip link set wire2 mtu 9000 up
    ip link set span2 mtu 9000 up
    configure "ring: 8M" "${STEADY[@]}"
    sensor_start -i span -i span2 --print flows || return 0
    inject -r 4000 -2 wire2 wire "$LIVE/plain.pcap"
    until_true counter_is packets "$(capture_frames "$LIVE/plain.pcap")" || wrong "packets are missing"
    must_be "times that went back" "$(counter clock_back)" 0
    sensor_stop
    same_as_file "$LIVE/plain.pcap" 4000
    ip link del span2
    span_down
    case_end
}
