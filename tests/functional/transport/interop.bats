#!/usr/bin/env bats
# Others read our export and find the same packets and octets in it: nfdump, pmacct, Wireshark. What is not installed is skipped.
# shellcheck disable=SC2154 # bats sets status, output, stderr, lines

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    : >pids
    port=$((20000 + RANDOM % 20000))
    cat >site.yaml <<'YAML'
site:
  subscribers: [10.0.0.0/8]
YAML
    "$POSTERN_BIN/postern-generate" --scenario "$POSTERN_SCENARIOS/hour.yaml" --seed 3 -o isp.pcap --minutes 3 2>/dev/null
    "$POSTERN_BIN/postern-sensor" -c site.yaml -r isp.pcap -o isp.rec 2>/dev/null
    # What we say ourselves: packets and octets of the initiators, as the biflow's forward direction. DNS and all.
    "$POSTERN_BIN/postern-sensor" -c site.yaml -r isp.pcap --status sensor.json -o /dev/null 2>/dev/null
}

teardown() {
    # nfacctd ends on SIGINT, and its printing process with it.
    while read -r pid; do
        kill -INT "$pid" 2>/dev/null || continue
        for _ in $(seq 30); do kill -0 "$pid" 2>/dev/null && sleep 0.1; done
        kill -KILL "$pid" 2>/dev/null
    done <pids
    return 0
}

# Templates of more than 60 fields are passed over unless it is told otherwise.
wireshark() { tshark -o cflow.max_template_fields:0 -r isp.rec "$@"; }

# Forward packets and octets of all flow records, by Wireshark's reading of the file.
by_tshark() {
    wireshark -Y cflow -T fields -E aggregator=' ' -e "$1" 2>/dev/null | tr ' ' '\n' | awk '{ s += $1 } END { print s + 0 }'
}

@test "Wireshark reads the file of records" {
    command -v tshark >/dev/null || skip "tshark is not installed"
    [ "$(wireshark -Y '_ws.malformed' 2>/dev/null | wc -l)" -eq 0 ]
    [ "$(wireshark -Y 'cflow.version == 10' 2>/dev/null | wc -l)" -gt 3 ]
    wireshark -T fields -E aggregator=' ' -e cflow.srcaddr 2>/dev/null | grep -q '10\.'
}

@test "nfcapd takes our export: every flow, packets and octets" {
    command -v nfcapd >/dev/null || skip "nfdump is not installed"
    command -v tshark >/dev/null || skip "tshark is not installed"
    mkdir flows
    nfcapd -w flows -p "$port" -b 127.0.0.1 >nfcapd.log 2>&1 3>&- &
    echo $! >>pids
    for _ in $(seq 50); do grep -q Startup nfcapd.log || sleep 0.1; done
    "$POSTERN_TOOLS/transport_datagrams" isp.rec "$port"
    sleep 1
    kill "$(cat pids)"
    for _ in $(seq 50); do grep -q Terminating nfcapd.log || sleep 0.1; done
    grep -q 'Sequence Errors: 0, Bad Packets: 0' nfcapd.log
    nfdump -R flows -o csv 2>/dev/null | tail -1 >sum
    [ "$(cut -d, -f3 sum)" -eq "$(by_tshark cflow.packets)" ]
    [ "$(cut -d, -f2 sum)" -eq "$(by_tshark cflow.octets)" ]
    [ "$(cut -d, -f2 sum)" -gt 10000 ]
}

@test "nfacctd takes our export: packets and octets of port 25" {
    command -v nfacctd >/dev/null || skip "pmacct is not installed"
    cat >nfacctd.conf <<CONF
daemonize: false
nfacctd_ip: 127.0.0.1
nfacctd_port: $port
plugins: print
aggregate: src_host, dst_host, src_port, dst_port, proto
print_output: json
print_output_file: $PWD/flows.json
print_output_file_append: true
print_refresh_time: 1
CONF
    nfacctd -f nfacctd.conf >nfacctd.log 2>&1 3>&- &
    echo $! >>pids
    for _ in $(seq 80); do grep -q 'waiting for' nfacctd.log || sleep 0.1; done
    "$POSTERN_TOOLS/transport_datagrams" isp.rec "$port"
    sleep 4
    run -1 grep -i 'unable to read\|malformed' nfacctd.log
    # The same flows through our own collector.
    "$POSTERN_BIN/postern-collector" -c site.yaml -r isp.rec -j journal 2>/dev/null
    "$POSTERN_BIN/postern-collector" -c site.yaml -j journal --dump 2>/dev/null >dump.jsonl
    ours=$(jq -s '[.[] | select(.kind == "row") | .counters["mx/out"].packets_up // 0] | add' dump.jsonl)
    theirs=$(jq -s '[.[] | select(.port_dst == 25 and (.ip_src | startswith("10."))) | .packets] | add' flows.json)
    [ "$ours" -gt 100 ]
    [ "$ours" -eq "$theirs" ]
}

@test "nfacctd knows our own elements by the file of primitives" {
    command -v nfacctd >/dev/null || skip "pmacct is not installed"
    # The file says what the registry says.
    tr -d '\n' <"$POSTERN_DOCS/formats/ipfix-elements.xml" | sed 's/<record>/\n<record>/g' |
        sed -n 's/.*<name>\([^<]*\)<.*<dataType>\([^<]*\)<.*enterpriseId>\([0-9]*\)<.*<elementId>\([0-9]*\)<.*/\1 \2 \3 \4/p' |
        awk '{ n = split($1, c, ""); name = ""
               for (i = 1; i <= n; i++) name = name (c[i] ~ /[A-Z]/ ? "_" tolower(c[i]) : c[i])
               len = substr($2, 9) / 8
               printf "name=%s field_type=%s:%s len=%s semantics=u_int\n", name, $3, $4, len }' | sort >registry
    grep -v '^!' "$POSTERN_DOCS/formats/ipfix-pmacct.primitives" | sort >primitives
    [ "$(wc -l <primitives)" -gt 40 ]
    [ "$(wc -l <primitives)" -le 64 ]
    [ -z "$(comm -23 primitives registry)" ]
    cat >nfacctd.conf <<CONF
daemonize: false
nfacctd_ip: 127.0.0.1
nfacctd_port: $port
plugins: print
aggregate_primitives: $POSTERN_DOCS/formats/ipfix-pmacct.primitives
aggregate: src_host, dst_port, postern_handshake, postern_record_flags, postern_record_sequence
print_output: json
print_output_file: $PWD/flows.json
print_output_file_append: true
print_refresh_time: 1
CONF
    nfacctd -f nfacctd.conf >nfacctd.log 2>&1 3>&- &
    echo $! >>pids
    for _ in $(seq 80); do grep -q 'waiting for' nfacctd.log || sleep 0.1; done
    "$POSTERN_TOOLS/transport_datagrams" isp.rec "$port"
    sleep 4
    # Connections that were answered: handshake 1, decided in this record (bit 8).
    theirs=$(jq -s '[.[] | select(.port_dst == 25 and (.ip_src | startswith("10.")) and .postern_handshake == "1"
        and (.postern_record_flags | tonumber / 8 | floor) % 2 == 1)] | length' flows.json)
    "$POSTERN_BIN/postern-collector" -c site.yaml -r isp.rec -j journal 2>/dev/null
    ours=$("$POSTERN_BIN/postern-collector" -c site.yaml -j journal --dump 2>/dev/null |
        jq -s '[.[] | select(.kind == "row") | .counters["mx/out"].established // 0] | add')
    [ "$ours" -gt 3 ]
    [ "$ours" -eq "$theirs" ]
}
