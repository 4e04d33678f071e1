#!/usr/bin/env bats
# The generator from its command line. ctest sets GENERATE, CHECK, SENSOR, SCENARIOS, HERE and SHARED.

setup() {
    D="$BATS_TEST_TMPDIR"
}

# Packets of one capture that tshark would complain about.
faults() {
    tshark -n -o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE -o ip.check_checksum:TRUE \
        -r "$1" -Y "$2" 2>/dev/null
}

# flows CAPTURE SUBSCRIBER SILENCE: a line a flow: peer, source port, which flow of that port it is,
# packets and octets each way, start and duration in milliseconds. After SILENCE seconds a port is used
# for another flow.
flows() {
    tshark -n -r "$1" -T fields -e frame.time_relative -e ip.src -e ip.dst -e tcp.srcport \
        -e tcp.dstport -e frame.len 2>/dev/null |
        awk -v me="$2" -v silence="$3" '
            { out = $2 == me; key = out ? $3 "," $4 : $2 "," $5
              if (!(key in last) || $1 - last[key] > silence) n[key]++
              last[key] = $1; k = key "," n[key]
              if (!(k in first)) first[k] = $1
              end[k] = $1
              if (out) { po[k]++; oo[k] += $6 } else { pi[k]++; oi[k] += $6 } }
            END { for (k in first)
                printf "%s,%d,%d,%d,%d,%d,%d\n", k, po[k], oo[k], pi[k], oi[k],
                       first[k] * 1000 + 0.5, (end[k] - first[k]) * 1000 + 0.5 }' | sort
}

# The same from the facts.
facts() {
    awk -F, 'NR > 1 {
        key = $2 "," $4; n[key]++
        printf "%s,%d,%d,%d,%d,%d,%d,%d\n", key, n[key], $5, $6, $7, $8, $1 * 1000 + 0.5, $9 * 1000 + 0.5 }' "$1" |
        sort
}

@test "the same seed gives the same octets, another seed others" {
    "$GENERATE" -s "$SCENARIOS/hour.yaml" --minutes 20 -o "$D/a.pcap" -t "$D/a"
    "$GENERATE" -s "$SCENARIOS/hour.yaml" --minutes 20 -o "$D/b.pcap" -t "$D/b"
    "$GENERATE" -s "$SCENARIOS/hour.yaml" --minutes 20 -o "$D/c.pcap" -t "$D/c" --seed 2
    cmp "$D/a.pcap" "$D/b.pcap"
    cmp "$D/a" "$D/b"
    run cmp "$D/a.pcap" "$D/c.pcap"
    [ "$status" -eq 1 ]
}

@test "what is put to disk on the way comes out in the same order" {
    "$GENERATE" -s "$SCENARIOS/hour.yaml" --minutes 30 -o "$D/a.pcap"
    "$GENERATE" -s "$SCENARIOS/hour.yaml" --minutes 30 -o "$D/b.pcap" --memory 1
    cmp "$D/a.pcap" "$D/b.pcap"
    "$GENERATE" -s "$SCENARIOS/hour.yaml" --minutes 30 -o "$D/c.pcap.gz"
    gzip -dc "$D/c.pcap.gz" | cmp - "$D/a.pcap"
}

@test "a party more changes nobody else" {
    "$GENERATE" -s "$SCENARIOS/hour.yaml" -o "$D/a.pcap" -t "$D/a"
    sed 's/^    household:/&\n      - name: newcomer/' "$SCENARIOS/hour.yaml" >"$D/more.yaml"
    "$GENERATE" -s "$D/more.yaml" -o "$D/b.pcap" -t "$D/b"
    grep -v '"type":"capture"' "$D/a" | sort >"$D/a.parties"
    grep -v -e '"type":"capture"' -e '"name":"newcomer"' "$D/b" | sort >"$D/b.parties"
    grep -q '"name":"newcomer"' "$D/b"
    cmp "$D/a.parties" "$D/b.parties"
}

@test "checksums are right and the truth file counts what is there, in every wrapping" {
    for wrap in none vlan qinq qinq+pppoe mpls; do
        "$GENERATE" -s "$HERE/check.yaml" --wrap "$wrap" -o "$D/a.pcap" -t "$D/a" --minutes 15
        "$CHECK" "$D/a.pcap" "$D/a"
    done
}

@test "the checker sees a wrong octet and a wrong count" {
    "$GENERATE" -s "$HERE/check.yaml" -o "$D/a.pcap" -t "$D/a" --minutes 2
    sed 's/"rcpt":/&1/' "$D/a" >"$D/b"
    run "$CHECK" "$D/a.pcap" "$D/b"
    [ "$status" -eq 1 ]
    printf '\125\252' | dd of="$D/a.pcap" bs=1 seek=20000 conv=notrunc status=none
    run "$CHECK" "$D/a.pcap" "$D/a"
    [ "$status" -eq 1 ]
}

@test "tshark finds nothing wrong in an hour, and no holes on a clean path" {
    command -v tshark >/dev/null || skip "tshark is not installed"
    "$GENERATE" -s "$SCENARIOS/hour.yaml" -o "$D/hour.pcap"
    [ "$(stat -c %s "$D/hour.pcap")" -le 10000000 ]
    run faults "$D/hour.pcap" "ip.checksum.status==0 || tcp.checksum.status==0 ||
        udp.checksum.status==0 || icmp.checksum.status==0 || icmpv6.checksum.status==0 || _ws.malformed"
    [ -z "$output" ]
    "$GENERATE" -s "$HERE/check.yaml" -o "$D/clean.pcap" --minutes 10
    run faults "$D/clean.pcap" "tcp.analysis.ack_lost_segment || tcp.analysis.lost_segment ||
        tcp.analysis.out_of_order || (tcp.analysis.retransmission && tcp.flags.syn==0)"
    [ -z "$output" ]
}

@test "a bad mirror: doubled, lost, one direction, cut" {
    command -v tshark >/dev/null || skip "tshark is not installed"
    cat >"$D/s.yaml" <<'Y'
scenario:
  lasts: 10m
  mirror: {direction: out, snaplen: 96, doubled: 0.3}
  parties:
    bot_direct: [{name: bot, per_minute: 20, address: 10.20.0.9}]
Y
    "$GENERATE" -s "$D/s.yaml" -o "$D/a.pcap"
    run faults "$D/a.pcap" "ip.src != 10.20.0.9"
    [ -z "$output" ]
    run faults "$D/a.pcap" "frame.cap_len > 96"
    [ -z "$output" ]
    [ -n "$(faults "$D/a.pcap" "frame.cap_len < frame.len")" ]
    doubled=$(tshark -n -r "$D/a.pcap" -T fields -e ip.id -e tcp.srcport -e tcp.seq_raw -e tcp.flags 2>/dev/null |
        sort | uniq -d | wc -l)
    all=$(tshark -n -r "$D/a.pcap" -T fields -e ip.id 2>/dev/null | wc -l)
    [ "$doubled" -gt $((all / 5)) ] && [ "$doubled" -lt $((all / 3)) ]
}

@test "Neris and Virut: exactly the packets of the facts" {
    [ -d "$SHARED/captures/bots" ] || skip "the shared captures are not here"
    command -v tshark >/dev/null || skip "tshark is not installed"
    for bot in neris virut; do
        csv="$SHARED/captures/bots/$bot-port25.csv"
        "$GENERATE" --inject "$csv@10.0.0.7" --start 2026-03-02T00:00:00Z -o "$D/$bot.pcap" -t "$D/truth"
        flows "$D/$bot.pcap" 10.0.0.7 10 >"$D/seen"
        facts "$csv" >"$D/said"
        cmp "$D/seen" "$D/said"
        grep -q "\"flows\":$(wc -l <"$D/said")," "$D/truth"
        "$CHECK" "$D/$bot.pcap" "$D/truth"
    done
    [ "$(facts "$SHARED/captures/bots/neris-port25.csv" | wc -l)" -eq 13966 ]
}

@test "answered flow facts: packets, octets and times add up" {
    command -v tshark >/dev/null || skip "tshark is not installed"
    "$GENERATE" --inject "$HERE/answered.csv@10.0.0.7" -o "$D/a.pcap" -t "$D/truth"
    flows "$D/a.pcap" 10.0.0.7 1000 >"$D/seen"
    facts "$HERE/answered.csv" >"$D/said"
    diff "$D/seen" "$D/said"
    run faults "$D/a.pcap" "tcp.analysis.ack_lost_segment || tcp.analysis.lost_segment ||
        tcp.analysis.out_of_order || tcp.checksum.status==0"
    [ -z "$output" ]
    # Port 25 speaks SMTP where the octets suffice, 443 TLS with a name.
    [ -n "$(faults "$D/a.pcap" 'smtp.req.command == "RCPT"')" ]
    [ -n "$(faults "$D/a.pcap" tls.handshake.extensions_server_name)" ]
}

@test "the sensor reads in a capture what the truth file says was said" {
    command -v jq >/dev/null || skip "jq is not installed"
    "$GENERATE" -s "$HERE/check.yaml" -o "$D/a.pcap" -t "$D/truth" --minutes 10
    "$SENSOR" -r "$D/a.pcap" --print flows >"$D/flows" 2>"$D/errors"
    run jq -n -r --slurpfile truth "$D/truth" --slurpfile flows "$D/flows" '
        ["mail", "null_sender", "rcpt", "rcpt_ok", "rcpt_4xx", "rcpt_5xx", "data", "bdat", "messages_ok",
         "messages_4xx", "messages_5xx", "auth", "auth_failed", "blocklist_replies"] as $keys
        | ($truth | map(select(.subscriber))) as $parties
        | ([$parties[] | . as $p | (.subscriber, .subscriber_v6) | select(.)
            | {key: ., value: $p.name}] | from_entries) as $who
        | (reduce ($flows[] | select(.smtp)) as $f ({}; $who[$f.initiator.addr] as $n
            | if $n then reduce $keys[] as $k (.; .[$n][$k] += ($f.smtp[$k] // 0)) else . end)) as $seen
        | $parties[] | .name as $n | (.counts.smtp_out.clear // {}) as $said
        | $keys[] | . as $k | select(($seen[$n][$k] // 0) != ($said[$k] // 0))
        | "\($n), \($k): sensor \($seen[$n][$k] // 0), truth \($said[$k] // 0)"'
    echo "$output"
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    [ "$(grep -c '"rcpt":[1-9]' "$D/flows")" -gt 100 ]
}

@test "an injected machine stands beside a scenario, wrapped like the rest" {
    "$GENERATE" -s "$HERE/check.yaml" --inject "$HERE/answered.csv@10.20.0.77+5m" --wrap qinq+pppoe \
        --minutes 20 -o "$D/a.pcap" -t "$D/truth" --config-out "$D/site.yaml"
    grep '"name":"injected-1"' "$D/truth" | grep -q '"first_packet":"2026-03-02T09:05:00'
    "$CHECK" "$D/a.pcap" "$D/truth"
}

@test "errors of a scenario say file, line and column" {
    printf 'scenario:\n  lasts: 5 minutes\n  parties:\n    bot_direct:\n      - nam: x\n' >"$D/bad.yaml"
    run "$GENERATE" -s "$D/bad.yaml" -o "$D/a.pcap"
    [ "$status" -eq 78 ]
    [[ "$output" == *"bad.yaml:2:10: "* ]]
    [[ "$output" == *"bad.yaml:5:9: "* ]]
    [ ! -e "$D/a.pcap" ]
    printf 'scenario:\n  start: yesterday\n' >"$D/bad.yaml"
    run "$GENERATE" -s "$D/bad.yaml" -o "$D/a.pcap"
    [ "$status" -eq 78 ]
    [[ "$output" == *"scenario.start"* ]]
    printf 'scenario:\n  parties:\n    school: [{name: a}]\n    household: [{name: a}]\n' >"$D/bad.yaml"
    run "$GENERATE" -s "$D/bad.yaml" -o "$D/a.pcap"
    [ "$status" -eq 78 ]
    [[ "$output" == *'two parties with the name "a"'* ]]
}

@test "errors of a CSV say file, line and column; of the command line, the fix" {
    head -3 "$HERE/answered.csv" | sed '3s/,25,/,smtp,/' >"$D/bad.csv"
    run "$GENERATE" --inject "$D/bad.csv@10.0.0.7" -o "$D/a.pcap"
    [ "$status" -eq 65 ]
    [[ "$output" == *"bad.csv:3:18: \"smtp\" is no port"* ]]
    run "$GENERATE" --inject "$D/none.csv@10.0.0.7" -o "$D/a.pcap"
    [ "$status" -eq 66 ]
    run "$GENERATE" --inject "$HERE/answered.csv" -o "$D/a.pcap"
    [ "$status" -eq 64 ]
    run "$GENERATE" -o "$D/a.pcap"
    [ "$status" -eq 64 ]
    run "$GENERATE" -s "$SCENARIOS/hour.yaml" -o "$D/no/such/folder.pcap"
    [ "$status" -eq 73 ]
}

@test "--list names every family, and every family has a party in some scenario" {
    run "$GENERATE" --list
    [ "$status" -eq 0 ]
    for family in $(printf '%s\n' "${lines[@]}" | awk '/^[a-z]/ { print $1 }'); do
        grep -q "^    $family:" "$HERE/check.yaml" "$SCENARIOS/day.yaml"
        grep -q "^| \`$family\`" "$HERE/../../../docs/generator.md"
    done
}

@test "the day: its size, and each of the guilty has done something" {
    "$GENERATE" -s "$SCENARIOS/day.yaml" -o "$D/day.pcap" -t "$D/truth"
    [ "$(stat -c %s "$D/day.pcap")" -le 150000000 ]
    packets=$(sed -n '1s/.*"packets":\([0-9]*\).*/\1/p' "$D/truth")
    [ "$packets" -gt 400000 ] && [ "$packets" -le 700000 ]
    [ "$(grep -c '"guilty":true' "$D/truth")" -eq 15 ]
    # Nobody of a guilty kind stayed idle.
    [ "$(grep '"guilty":false' "$D/truth" | grep -c -v '"class":null')" -eq 0 ]
}

@test "nobody of the innocents is guilty" {
    "$GENERATE" -s "$SCENARIOS/innocents.yaml" -o "$D/a.pcap.gz" -t "$D/truth" --hours 6
    [ "$(grep -c '"guilty":true' "$D/truth")" -eq 0 ]
    [ "$(grep -c '"kind"' "$D/truth")" -gt 100 ]
}
