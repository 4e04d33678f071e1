# shellcheck shell=bash
# A mirror of mail alone, a filter in the sensor, the declared place, more than can be taken; and what of all that the
# operator reads in `postern status`.

# ---- More than can be taken.

dropped_and_seen() { ask | jq '.counters | .packets + .ring_drops + .card_drops'; }
all_is_accounted() { [ "$(dropped_and_seen)" -ge "$1" ]; }

# Frames come as fast as the kernel hands them up: what is not seen is counted, exactly, and coverage has it.
cases_flood() {
    local sent drops rc=0
    case_begin "flood"
    span_up
    configure "ring: 1M"
    sensor_start -i span -o "$LIVE/records" || return 0
    "$TESTS/bench_flood" -n 300000 -s 20 span "$LIVE/plain.pcap" >"$LIVE/flood.json" 2>"$LIVE/flood.log" || rc=$?
    if [ "$rc" -eq 77 ]; then
        printf 'not tried: a flood (%s)\n' "$(cat "$LIVE/flood.log")"
        sensor_stop
        span_down
        return 0
    fi
    must_be "the flood's exit status" "$rc" 0
    sent=$(jq .sent "$LIVE/flood.json")
    must_be "what the flood sent" "$sent" 300000
    until_true all_is_accounted "$sent" || wrong "$(dropped_and_seen) of $sent are seen or counted as dropped"
    must_be "packets seen and dropped" "$(dropped_and_seen)" "$sent"
    drops=$(counter ring_drops)
    must_be_some "packets dropped by the ring" "$drops"
    until_true has_problem drops || wrong "drops are no problem"
    must_be "the state" "$(ask | jq -r .state)" degraded
    sensor_stop
    rm -rf "$LIVE/journal"
    "$BIN/postern-collector" -c "$LIVE/postern.yaml" -r "$LIVE/records" -j "$LIVE/journal" 2>"$LIVE/collector.log" ||
        wrong "the records cannot be read"
    "$BIN/postern-collector" -j "$LIVE/journal" --dump 2>/dev/null | jq -sc 'map(select(.kind == "coverage"))' >"$LIVE/coverage.json"
    must_be "drops in the coverage records" "$(jq 'map(.counters.dropped_ring // 0) | add' "$LIVE/coverage.json")" "$drops"
    must_be "packets in the coverage records" "$(jq 'map(.counters.packets // 0) | add' "$LIVE/coverage.json")" $((sent - drops))
    must_be_some "loss in the coverage records" "$(jq 'map(.loss_ppm // 0) | max' "$LIVE/coverage.json")"
    span_down
    case_end
}

# ---- The mirror of practice: mail, logins, DNS, and of the rest how connections begin and end.

TIER_A='port 25 or port 465 or port 587 or port 2525 or port 110 or port 143 or port 993 or port 995 or port 53
 or tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0 or (ip6 and ip6[6] == 6 and ip6[53] & 7 != 0)'

# mirror_gives NAME CAPTURE FRAMES CONFIGURATION: mail is counted as in the whole traffic, and nothing is wrong.
mirror_gives() {
    local name=$1 capture=$2 frames=$3
    case_begin "$name"
    span_up
    configure "${STEADY[@]}" "${@:4}"
    sensor_start -i span --print flows --status "$LIVE/status.json" || return 0
    inject -r 8000 wire "$capture"
    until_true counter_is packets "$frames" || wrong "$(counter packets) packets instead of $frames"
    must_be "the state" "$(ask | jq -c '[.state, [.problems[].code]]')" '["ok",[]]'
    sensor_stop
    flows_of "$LIVE/flows.live" | jq -c 'del(.encap)' >"$LIVE/live.sorted"
    same_flows "$LIVE/live.sorted" "$LIVE/whole.sorted" "those of the whole traffic"
    must_be_some "octets missing in flows that are not shown whole" $((1 + $(jq .counters.missing_octets "$LIVE/status.json")))
    span_down
    case_end
}

cases_filtered() {
    local some all
    "$BIN/postern-generate" -s "$HERE/../../generator/scenarios/bench_edge_small.yaml" -o "$LIVE/edge.pcap" \
        --config-out "$LIVE/edge.yaml" >>"$LIVE/generate.log" 2>&1
    cp "$LIVE/site.yaml" "$LIVE/site.before"
    cp "$LIVE/edge.yaml" "$LIVE/site.yaml"
    tcpdump -r "$LIVE/edge.pcap" -w "$LIVE/tier-a.pcap" "$TIER_A" 2>/dev/null
    "$TESTS/postern-mangle" -s 1 -x qinq-pppoe -o "$LIVE/tier-a-qinq.pcap" "$LIVE/tier-a.pcap"
    some=$(capture_frames "$LIVE/tier-a.pcap")
    all=$(capture_frames "$LIVE/edge.pcap")
    [ $((some * 5)) -lt "$all" ] || wrong "the filtered mirror is no small part of the traffic"
    configure "${STEADY[@]}"
    "$TESTS/postern-inject" -r 8000 -w "$LIVE/retimed.pcap" "$LIVE/edge.pcap"
    "$BIN/postern-sensor" -c "$LIVE/postern.yaml" -r "$LIVE/retimed.pcap" --print flows 2>/dev/null >"$LIVE/flows.file"
    flows_of "$LIVE/flows.file" | jq -c 'del(.encap)' >"$LIVE/whole.sorted"
    [ "$(wc -l <"$LIVE/whole.sorted")" -gt 50 ] || wrong "too few flows to compare"
    mirror_gives "filtered mirror" "$LIVE/tier-a.pcap" "$some" "tier: a"
    mirror_gives "filter in the sensor" "$LIVE/edge.pcap" "$some" "tier: a" "filter: '${TIER_A//$'\n'/}'"
    if grep -q "sees nothing" "$LIVE/sensor.log"; then :; else wrong "the filter is not warned of"; fi
    mirror_gives "filter for layers" "$LIVE/tier-a-qinq.pcap" "$some" "filter: vlan and vlan and pppoes"
    if grep -q "sees nothing" "$LIVE/sensor.log"; then wrong "a filter for the layers is warned of"; fi
    # What the warning means.
    case_begin "filter, under layers"
    span_up
    configure "filter: tcp port 25"
    sensor_start -i span -o "$LIVE/records" || return 0
    must_say "$LIVE/sensor.log" "sees nothing under VLAN tags (QinQ), PPPoE or MPLS"
    inject -r 8000 wire "$LIVE/tier-a-qinq.pcap"
    sleep 1
    must_be "packets under QinQ and PPPoE" "$(counter packets)" 0
    # The kernel counts frames with tags that nobody takes; the filter left these out, and none was lost.
    must_be "dropped by the interface" "$(counter card_drops)" 0
    sensor_stop
    span_down
    cp "$LIVE/site.before" "$LIVE/site.yaml"
    case_end
}

# ---- The declared place.

place_says() { [[ $(ask | jq -r '.problems[] | select(.code == "leg-wrong") | .fix') == *"$1"* ]]; }

# place_shows NAME CAPTURE WORDS LINE...: what is declared is contradicted, in these words; "": it is not.
place_shows() {
    local name=$1 capture=$2 words=$3
    case_begin "place: $name"
    span_up
    configure "closing_timeout: 1s" "idle_timeout: 10s" "syn_timeout: 1s" "half_open_timeout: 2s" "closed_timeout: 1s" \
        "${@:4}"
    if [ -n "${SMARTHOST:-}" ]; then sed -i "s,198.51.100.25,$SMARTHOST," "$LIVE/postern.yaml"; fi
    sensor_start -i span -o "$LIVE/records" ${SUBSCRIBERS:+--subscribers "$SUBSCRIBERS"} || return 0
    inject -r 4000 wire "$capture"
    if [ -n "$words" ]; then
        until_true place_says "$words" || wrong "is not said: $(ask | jq -c '[.problems[]]')"
    else
        sleep 3
        if has_problem leg-wrong; then wrong "a right declaration is contradicted: $(ask | jq -c '[.problems[]]')"; fi
    fi
    sensor_stop
    span_down
    case_end
}

cases_place() {
    "$BIN/postern-generate" -s "$HERE/../../generator/scenarios/hour.yaml" --minutes 60 -o "$LIVE/hour.pcap" \
        >>"$LIVE/generate.log" 2>&1
    # Attempts, of which no answer comes.
    tcpdump -r "$LIVE/hour.pcap" -c 600 -w "$LIVE/silent.pcap" 'src net 10.20.0.0/16 and tcp dst port 25 and tcp[13] == 2' 2>/dev/null
    place_shows "right" "$LIVE/plain.pcap" "" "leg: access" "nat: inside" "port25: open"
    place_shows "nat" "$LIVE/plain.pcap" "set sensor.nat to inside" "nat: outside"
    place_shows "block leaks" "$LIVE/plain.pcap" "repair the block" "port25: blocked-after"
    place_shows "blocked" "$LIVE/silent.pcap" "blocked-after" "port25: open"
    place_shows "blocked, as declared" "$LIVE/silent.pcap" "" "port25: blocked-after"
    SMARTHOST=192.0.2.99 place_shows "no smarthost" "$LIVE/plain.pcap" "correct sensor.leg" "leg: smarthost"
    SMARTHOST=0.0.0.0/0 place_shows "smarthost at transit" "$LIVE/plain.pcap" "smarthost or access" "leg: transit"
    SUBSCRIBERS=192.0.2.0/24 place_shows "no subscribers" "$LIVE/plain.pcap" "site.subscribers" "leg: access"
}

# ---- What the operator reads.

# operator_reads STATUS WORDS: within ten seconds `postern status` ends with that, and says it.
operator_reads() {
    local n status
    for n in $(seq 50); do
        status=0
        "$BIN/postern" status --run "$LIVE/run" >"$LIVE/operator" 2>&1 || status=$?
        if [ "$status" -eq "$1" ] && grep -q -- "$2" "$LIVE/operator"; then return 0; fi
        sleep 0.2
    done
    wrong "postern status ($status, $n times) does not say \"$2\": $(head -c 600 "$LIVE/operator")"
}

no_sensor() { ! pgrep -x -r S,R,D postern-sensor; }

cases_operator() {
    case_begin "postern status"
    span_up
    mkdir -p "$LIVE/disk"
    mount -t tmpfs -o size=6m none "$LIVE/disk"
    configure "processes: 2" "ring: 8M" "spool: $LIVE/disk/spool" "closing_timeout: 1s" "idle_timeout: 10s" "udp_timeout: 1s"
    sensor_start -i span || return 0
    operator_reads 0 "span: up"
    inject -r 4000 wire "$LIVE/plain.pcap"
    # shellcheck disable=SC2153 # of inside.sh
    operator_reads 0 "$FRAMES packets, 0 dropped, 0 frames above the MTU; [1-9][0-9]* records, 0 not written"
    operator_reads 0 "process 0: ok, [1-9][0-9]* packets, 0 dropped by the ring, .*; span up"
    operator_reads 0 "process 1: ok, [1-9][0-9]* packets"
    ip link set span mtu 576
    sleep 1.2 # it is looked at once a second
    # A veth refuses what is above its MTU; a card that joins segments does not.
    if "$TESTS/bench_flood" -n "$FRAMES" -r 20000 span "$LIVE/plain.pcap" >/dev/null 2>"$LIVE/flood.log"; then
        operator_reads 0 "[1-9][0-9]* frames above the MTU"
    else
        printf 'not tried: frames above the MTU (%s)\n' "$(cat "$LIVE/flood.log")"
    fi
    ip link set span down
    operator_reads 1 "process 1: degraded, .*; span down"
    operator_reads 1 "interface"
    ip link set span mtu 9000 up
    operator_reads 0 "span: up"
    dd if=/dev/zero of="$LIVE/disk/other" bs=1k count=7000 2>/dev/null || true
    inject -r 10000 -n 6 wire "$LIVE/plain.pcap"
    operator_reads 2 "the disk of the spool is full: records are lost"
    rm "$LIVE/disk/other"
    kill -KILL "$SENSOR"
    wait "$SENSOR" 2>/dev/null || true
    operator_reads 2 "no answer"
    until_true no_sensor || wrong "a process outlives the first one"
    sensor_start -i span || return 0
    operator_reads 0 "since "
    sensor_stop
    operator_reads 2 "no program of Postern runs here"
    umount "$LIVE/disk"
    span_down
    case_end
}
