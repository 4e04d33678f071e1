# shellcheck shell=bash
# What happens to a sensor in the course of time, and what it says of it.

refused() {
    local status=0 text=$1
    shift
    "$BIN/postern-sensor" -c "$LIVE/postern.yaml" "$@" >/dev/null 2>"$LIVE/sensor.log" || status=$?
    [ "$status" -ne 0 ] || wrong "it started"
    must_say "$LIVE/sensor.log" "$text"
}

cases_start() {
    case_begin "start"
    span_up
    configure
    sed -i '/legal_profile/d' "$LIVE/postern.yaml"
    refused "sensor.legal_profile: is not chosen; set it to flow-only" -i span -o "$LIVE/records"
    configure
    sed -i '/key_file/d' "$LIVE/postern.yaml"
    refused "sensor.key_file: is missing" -i span -o "$LIVE/records"
    configure
    refused "nowhere to write records to" -i span
    refused "name an interface that" -i nothing -o "$LIVE/records"
    configure "filter: port port"
    refused "sensor.filter: .*pcap-filter" -i span -o "$LIVE/records"
    configure "filter: tcp port 25" "interfaces: [span]"
    sensor_start -o "$LIVE/records" || return 0
    must_say "$LIVE/sensor.log" "sees nothing under VLAN tags"
    sensor_stop
    span_down
    case_end
}

# Coverage goes out on an idle link; bad configuration keeps the old; the good one is taken.
cases_idle() {
    case_begin "idle and reload"
    span_up
    configure "leg: access" "name: first"
    sensor_start -i span -o "$LIVE/records" || return 0
    sleep 3
    [ "$(counter records)" -ge 2 ] || wrong "no coverage on an idle link"
    # Its own, since none is configured; a reload makes the same of it.
    must_say "$LIVE/sensor.log" "captures from span, as observation domain [234][0-9]\{9\}$"
    configure "leg: nowhere"
    if ask reload >/dev/null; then wrong "a bad configuration was taken"; fi
    must_say "$LIVE/sensor.log" "the old one stays"
    configure "leg: access" "flows: 4096"
    if ask reload >/dev/null; then wrong "a table was to grow at run time"; fi
    must_say "$LIVE/sensor.log" "sensor.flows: a change needs a restart"
    configure "leg: access" "flows: 4096" "ring: 8M" "spool: $LIVE/other" "interfaces: [wire]"
    sed -i 's,timezone: UTC,timezone: Europe/Vienna,' "$LIVE/postern.yaml"
    if ask reload >/dev/null; then wrong "keys of the start were taken"; fi
    for key in sensor.flows sensor.ring sensor.spool site.timezone; do
        must_say "$LIVE/sensor.log" "$key: a change needs a restart"
    done
    ! grep -q "sensor.interfaces" "$LIVE/sensor.log" || wrong "interfaces that -i names anyway need a restart"
    printf '2 %s\n' "$(openssl rand -hex 32)" >"$LIVE/key.other"
    cp -p "$LIVE/key" "$LIVE/key.kept"
    cat "$LIVE/key.other" >"$LIVE/key"
    configure "leg: transit"
    if ask reload >/dev/null; then wrong "another site key passes unnoticed"; fi
    must_say "$LIVE/sensor.log" "sensor.key_file (another key is in it): a change needs a restart"
    cat "$LIVE/key.kept" >"$LIVE/key"
    configure "leg: transit" "name: second"
    ask reload >/dev/null || wrong "a good configuration was not taken"
    kill -HUP "$SENSOR"
    kill -USR1 "$SENSOR"
    sleep 1.5
    must_say "$LIVE/sensor.log" "configuration reloaded"
    must_say "$LIVE/sensor.log" "state ok, packets 0"
    sensor_stop
    span_down
    case_end
}

link_is() { [ "$(ask | jq -r '.inputs[0].state')" = "$1" ]; }

# Down, up, taken away and made again: seen, said, and counted on by itself.
cases_link() {
    local records
    case_begin "link"
    span_up
    configure
    sensor_start -i span -o "$LIVE/records" || return 0
    ip link set span down
    until_true link_is down || wrong "down is not seen"
    has_problem link-down || wrong "down is no problem"
    must_say "$LIVE/sensor.log" "span is down"
    sleep 0.5
    records=$(counter records)
    sleep 1.5
    must_be "coverage while nothing was watched" "$(($(counter records) - records))" 0
    ip link set span up
    until_true link_is up || wrong "up is not seen"
    inject -r 4000 wire "$LIVE/plain.pcap"
    until_true counter_is packets "$FRAMES" || wrong "nothing is counted behind a link that was down"
    ip link del span
    until_true link_is gone || wrong "gone is not seen"
    span_up
    until_true link_is up || wrong "an interface made anew is not seen"
    inject -r 4000 wire "$LIVE/plain.pcap"
    until_true counter_is packets $((FRAMES * 2)) || wrong "nothing is counted on an interface made anew"
    if has_problem link-down; then wrong "a link that is up is a problem"; fi
    must_be "times that went back" "$(counter clock_back)" 0
    sensor_stop
    span_down
    case_end
}

# Killed and started again; one of two processes killed.
cases_killed() {
    local status=0 worker
    case_begin "killed"
    span_up
    configure "spool: $LIVE/spool" "spool_max: 64M"
    rm -rf "$LIVE/spool"
    sensor_start -i span || return 0
    inject -r 4000 wire "$LIVE/plain.pcap"
    until_true counter_is packets "$FRAMES" || wrong "packets are missing"
    sleep 1.2
    kill -KILL "$SENSOR"
    wait "$SENSOR" 2>/dev/null || true
    sensor_start -i span || return 0
    inject -r 4000 wire "$LIVE/plain.pcap"
    until_true counter_is packets "$FRAMES" || wrong "a sensor behind a kill counts $(counter packets)"
    sensor_stop
    held_spool
    configure "processes: 2" "ring: 8M"
    sensor_start -i span --print flows || return 0
    until_true workers_there || wrong "two processes are not there"
    worker=$(pgrep -P "$SENSOR" | head -1)
    kill -KILL "$worker"
    wait "$SENSOR" || status=$?
    must_be "the exit status behind a killed process" "$status" 70
    must_say "$LIVE/sensor.log" "was ended by signal 9"
    span_down
    case_end
}
# Who was killed may have the spool for a moment longer; who lives, for good.
held_spool() {
    local holder status=0
    flock -x "$LIVE/spool" sleep 1.5 &
    until_true spool_is_held || wrong "the spool is not held"
    sensor_start -i span || return 0
    must_say "$LIVE/sensor.log" "another process still has it; waiting"
    sensor_stop
    flock -x "$LIVE/spool" sleep 60 &
    holder=$!
    until_true spool_is_held || wrong "the spool is not held"
    "$BIN/postern-sensor" -c "$LIVE/postern.yaml" -i span >/dev/null 2>"$LIVE/sensor.log" || status=$?
    must_be "the exit status where another has the spool" "$status" 73
    must_say "$LIVE/sensor.log" "another sensor process has it; give each its own sensor.spool"
    pkill -P "$holder"
    wait "$holder" 2>/dev/null
}
spool_is_held() { ! flock -n -x "$LIVE/spool" true; }
workers_there() { [ "$(pgrep -c -P "$SENSOR")" -eq 2 ]; }

lost_records() { [ "$(counter spool_drops)" -gt 0 ]; }

# No room for records: counted, said, and over when there is room again.
cases_full_disk() {
    case_begin "full disk"
    span_up
    mkdir -p "$LIVE/disk"
    mount -t tmpfs -o size=6m none "$LIVE/disk"
    # More records than the block holds that gathers them.
    "$BIN/postern-generate" -s "$HERE/../../generator/scenarios/hour.yaml" --minutes 50 --seed 2 \
        -o "$LIVE/long.pcap" >>"$LIVE/generate.log" 2>&1
    configure "spool: $LIVE/disk/spool" "spool_max: 64M" "closing_timeout: 1s" "idle_timeout: 10s" "udp_timeout: 1s"
    sensor_start -i span || return 0
    dd if=/dev/zero of="$LIVE/disk/other" bs=1k count=7000 2>/dev/null || true
    inject -r 10000 wire "$LIVE/long.pcap"
    until_true has_problem spool-full || wrong "a full disk is no problem"
    until_true lost_records || wrong "no record is counted as not written"
    must_be "the state" "$(ask | jq -r .state)" failed
    must_be "a full spool, told" "$(ask | jq '[.problems[] | select(.code == "spool-full")] | length')" 1
    must_be "lines of the log on it" "$(grep -c "the disk of the spool is full: records are lost; make room" "$LIVE/sensor.log")" 1
    # What is lost is held against what was written, and no ring can help.
    sleep 1.2
    "$BIN/postern" status --run "$LIVE/run" >"$LIVE/operator" 2>&1
    ! grep -q "100.000 % lost" "$LIVE/operator" || wrong "a few records that are lost pass for all"
    ! grep -q "larger ring" "$LIVE/operator" || wrong "a full spool passes for a ring that is too small"
    rm "$LIVE/disk/other"
    sleep 2
    inject -r 4000 wire "$LIVE/plain.pcap"
    sleep 2
    must_be_some "records behind it" "$(counter spooled)"
    sensor_stop
    must_be "lines of the log on it" "$(grep -c "records are lost" "$LIVE/sensor.log")" 1
    must_say "$LIVE/sensor.log" "[1-9][0-9]* records were lost"
    # A file that broke off is no good end, though the sensor was asked to end.
    rm -rf "$LIVE/disk/spool"
    configure "closing_timeout: 1s" "idle_timeout: 10s" "udp_timeout: 1s"
    sensor_start -i span -o "$LIVE/disk/records" || return 0
    dd if=/dev/zero of="$LIVE/disk/other" bs=1k count=7000 2>/dev/null || true
    inject -r 10000 wire "$LIVE/long.pcap"
    until_true grep -q "records are lost" "$LIVE/sensor.log" || wrong "no line on a file that broke off"
    sensor_stop 74
    umount "$LIVE/disk"
    span_down
    case_end
}
