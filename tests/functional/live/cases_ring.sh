# shellcheck shell=bash
# What kind of interface the ring is opened on, and what stands in it from the first frame on.

cases_ring() {
    case_begin "loopback"
    configure "${STEADY[@]}"
    sensor_start -i lo --print flows || return 0
    # Each frame is on its way out, and in again: it is one.
    inject -r 4000 lo "$LIVE/plain.pcap"
    # shellcheck disable=SC2153 # of inside.sh
    until_true counter_is packets "$FRAMES" || wrong "$(counter packets) of $FRAMES packets arrived"
    sleep 0.5
    must_be "packets of the loopback" "$(counter packets)" "$FRAMES"
    sensor_stop
    same_as_file "$LIVE/plain.pcap" 4000
    case_end

    case_begin "no Ethernet, and down"
    span_up
    configure
    if ip tuntap add mode tun name raw 2>/dev/null; then
        ip link set raw up
        refused "raw: its frames are not Ethernet; name an Ethernet interface" -i raw -o "$LIVE/records"
        "$BIN/postern-sensor" -c "$LIVE/postern.yaml" check raw >/dev/null 2>"$LIVE/sensor.log"
        must_say "$LIVE/sensor.log" "are not Ethernet"
        ip link del raw
    else
        printf 'not tried: an interface without Ethernet (this kernel makes none)\n'
    fi
    ip link set span down
    refused "span: .*bring it up with .ip link set" -i span -o "$LIVE/records"
    span_down
    case_end

    # No frame comes before the filter, however busy the port is.
    case_begin "filter from the first frame"
    span_up
    configure "filter: tcp port 1"
    "$TESTS/postern-inject" -n 30 -r 20000 wire "$LIVE/plain.pcap" >/dev/null &
    local injector=$!
    sensor_start -i span -o "$LIVE/records" || return 0
    sleep 0.5
    kill -0 "$injector" 2>/dev/null || wrong "the port was not busy any more"
    must_be "packets that are not of the filter" "$(counter packets)" 0
    sensor_stop
    kill "$injector"
    wait "$injector" 2>/dev/null
    span_down
    case_end

    case_begin "snap length"
    span_up
    configure "snaplen: 128" "${STEADY[@]}"
    sensor_start -i span -o "$LIVE/records" || return 0
    inject -r 4000 wire "$LIVE/plain.pcap"
    until_true counter_is packets "$FRAMES" || wrong "$(counter packets) of $FRAMES packets arrived"
    must_be_some "frames that are sliced" "$(counter sliced)"
    "$BIN/postern-sensor" -c "$LIVE/postern.yaml" -r "$LIVE/plain.pcap" --status "$LIVE/file.json" 2>/dev/null
    must_be "octets as on the wire" "$(counter octets)" "$(jq .counters.octets "$LIVE/file.json")"
    sensor_stop
    span_down
    case_end
}
