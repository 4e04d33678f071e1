#!/usr/bin/env bats
# The program as a person meets it: options, exit codes, what it prints and writes, captures that are
# whole and that are not. POSTERN_BIN is the folder of the programs.
# shellcheck disable=SC2154 # bats sets status, output, stderr, lines

bats_require_minimum_version 1.5.0

setup() {
    sensor=$POSTERN_BIN/postern-sensor
    cd "$BATS_TEST_TMPDIR" || return
}

# octets HEX: to standard output
octets() { printf '%b' "$(fold -w 2 <<<"$1" | sed 's/^/\\x/' | tr -d '\n')"; }

le32() { printf '%08x' "$1" | sed -E 's/(..)(..)(..)(..)/\4\3\2\1/'; }

# pcap_header [LINKTYPE]; pcap_packet SECONDS HEX: little-endian
pcap_header() { octets "d4c3b2a1020004000000000000000000ffff0000$(le32 "${1:-1}")"; }
pcap_packet() { octets "$(le32 "$1")$(le32 0)$(le32 $((${#2} / 2)))$(le32 $((${#2} / 2)))$2"; }

# tcp FROM-PORT TO-PORT FLAGS SEQ ACK [PAYLOAD-HEX]: 10.0.0.7 and 192.0.2.25 by port 25
tcp() {
    local from=0a000007 to=c0000219 payload=${6:-}
    if [ "$1" = 25 ]; then from=c0000219 to=0a000007; fi
    printf '%s%04x0001000040060000%s%s%04x%04x%08x%08x50%s20000000000%s' \
        02000000000202000000000108004500 $((40 + ${#payload} / 2)) $from $to \
        "$1" "$2" "$4" "$5" "$3" "0$payload"
}

hex() { printf '%s' "$1" | od -An -tx1 -v | tr -d ' \n'; }

# refused TIME [PORT]
refused() {
    pcap_packet "$1" "$(tcp "${2:-40000}" 25 02 1000 0)"
    pcap_packet "$1" "$(tcp 25 "${2:-40000}" 14 5000 1001)"
}

@test "an attempt that is refused is printed with its outcome" {
    { pcap_header; refused 1700000000; } >a.pcap
    run --separate-stderr "$sensor" -r a.pcap --print flows
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    [ "$(jq -r .handshake <<<"$output")" = refused ]
    [ "$(jq -r .initiator.addr <<<"$output")" = 10.0.0.7 ]
    [ "$(jq -r .responder.port <<<"$output")" = 25 ]
    [ "$(jq -r .start <<<"$output")" = 2023-11-14T22:13:20Z ]
    [[ "$stderr" == *"legal_profile is not chosen"* ]]
}

@test "a whole dialogue is counted" {
    {
        pcap_header
        pcap_packet 100 "$(tcp 40000 25 02 1000 0)"
        pcap_packet 100 "$(tcp 25 40000 12 5000 1001)"
        pcap_packet 100 "$(tcp 40000 25 10 1001 5001)"
        pcap_packet 101 "$(tcp 25 40000 18 5001 1001 "$(hex "220 mx")0d0a")"
        pcap_packet 102 "$(tcp 40000 25 18 1001 5009 "$(hex "HELO a")0d0a")"
        pcap_packet 103 "$(tcp 25 40000 18 5009 1009 "$(hex "250 mx")0d0a")"
        pcap_packet 104 "$(tcp 40000 25 18 1009 5017 "$(hex "QUIT")0d0a")"
    } >a.pcap
    run --separate-stderr "$sensor" -r a.pcap --print flows -o records --status status.json
    [ "$status" -eq 0 ]
    [ "$(jq -c '[.app, .handshake, .complete, .smtp.helo, .smtp.quit, .smtp.starttls]' <<<"$output")" = \
        '["smtp","established",true,1,1,"none"]' ]
    [ -s records ]
    [ "$(jq -r .counters.packets status.json)" = 7 ]
    [ "$(jq -r '.inputs[0].state' status.json)" = whole ]
    [ "$(jq -r .state status.json)" = ok ]
}

@test "the same captures give the same records, in any order of the options" {
    { pcap_header; refused 1700000000; } >a.pcap
    { pcap_header; refused 1700000100; } >b.pcap
    "$sensor" -r a.pcap -r b.pcap -o one 2>/dev/null
    "$sensor" -r b.pcap -r a.pcap -o two 2>/dev/null
    cmp one two
}

@test "compressed captures are read" {
    { pcap_header; refused 1700000000; } | gzip >a.pcap.gz
    run --separate-stderr "$sensor" -r a.pcap.gz --print flows
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
}

@test "a truncated capture is used as far as it goes, and 65 says so" {
    { pcap_header; refused 1700000000; octets 0011; } >a.pcap
    run --separate-stderr "$sensor" -r a.pcap --print flows --status status.json
    [ "$status" -eq 65 ]
    [ "${#lines[@]}" -eq 1 ]
    [[ "$stderr" == *"a.pcap: ends in the middle after 2 packets"* ]]
    [ "$(jq -r '.inputs[0].state' status.json)" = truncated ]
    { pcap_header; refused 1700000000; } | gzip | head -c 60 >b.pcap.gz
    run --separate-stderr "$sensor" -r b.pcap.gz --print flows
    [ "$status" -eq 65 ]
}

# talk TIME...: an open dialogue, a time for each of its packets
talk() {
    pcap_packet "$1" "$(tcp 40000 25 02 1000 0)"
    pcap_packet "$2" "$(tcp 25 40000 12 5000 1001)"
    pcap_packet "$3" "$(tcp 40000 25 10 1001 5001)"
    pcap_packet "$4" "$(tcp 25 40000 18 5001 1001 "$(hex "220 mx")0d0a")"
    pcap_packet "$5" "$(tcp 40000 25 18 1001 5009 "$(hex "HELO a")0d0a")"
}

@test "a dialogue cut by the end of a truncated capture is not complete" {
    { pcap_header; talk 100 100 100 101 102; } >a.pcap
    run -0 --separate-stderr "$sensor" -r a.pcap --print flows
    [ "$(jq .complete <<<"$output")" = true ]
    { pcap_header; talk 100 100 100 101 102; octets 0011; } >a.pcap
    run -65 --separate-stderr "$sensor" -r a.pcap --print flows
    [ "$(jq -c '[.complete, .incomplete]' <<<"$output")" = '[false,1024]' ]
    # What had ended before is whole.
    { pcap_header; refused 50; talk 100 100 100 101 102; octets 0011; } >a.pcap
    run -65 --separate-stderr "$sensor" -r a.pcap --print flows
    [ "$(jq -sc 'map(.complete)' <<<"$output")" = '[true,false]' ]
}

# leave TIME: the same dialogue closed by both
leave() {
    pcap_packet "$1" "$(tcp 40000 25 17 1009 5009)"
    pcap_packet "$1" "$(tcp 25 40000 17 5009 1010)"
    pcap_packet "$1" "$(tcp 40000 25 16 1010 5010)"
}

@test "a capture cut before the last marks what was open there, and nothing that began later" {
    { pcap_header; talk 100 100 100 101 102; octets 0011; } >a.pcap
    { pcap_header; leave 110; refused 150 40001; } >b.pcap
    run -65 --separate-stderr "$sensor" -r a.pcap -r b.pcap --print flows
    [ "$(jq -sc 'map([.handshake, .complete, .incomplete])' <<<"$output")" = \
        '[["established",false,1024],["refused",true,0]]' ]
    # Beside a capture that goes on, as of a tap's two sides; a whole one cuts nothing.
    { pcap_header; refused 50 40001; octets 0011; } >c.pcap
    { pcap_header; talk 49 49 49 52 53; leave 60; } >d.pcap
    run -65 --separate-stderr "$sensor" -r d.pcap -r c.pcap --print flows
    [ "$(jq -sc 'map([.handshake, .complete])' <<<"$output")" = '[["refused",true],["established",false]]' ]
    { pcap_header; refused 50 40001; } >c.pcap
    run -0 --separate-stderr "$sensor" -r d.pcap -r c.pcap --print flows
    [ "$(jq -sc 'map([.handshake, .complete])' <<<"$output")" = '[["refused",true],["established",true]]' ]
}

@test "one packet with a wrong time does not end a connection" {
    local times flow
    for times in "100 100 90000 101 102" "90000 100 100 101 102" "100 100 3 101 102"; do
        # shellcheck disable=SC2086 # five words
        { pcap_header; talk $times; } >a.pcap
        run -0 --separate-stderr "$sensor" -r a.pcap --print flows --status status.json
        [ "${#lines[@]}" -eq 1 ]
        flow=$(jq -c '[.start, .end, .handshake, .complete, .smtp.helo]' <<<"$output")
        [ "$flow" = '["1970-01-01T00:01:40Z","1970-01-01T00:01:42Z","established",true,1]' ]
        [ "$(jq '.counters | .clock_ahead + .clock_back' status.json)" = 1 ]
        [ "$(jq -c '[.problems[].code]' status.json)" = '["clock"]' ]
    done
    # A pause is one.
    { pcap_header; talk 100 100 100 101 400; } >a.pcap
    run -0 --separate-stderr "$sensor" -r a.pcap --print flows --status status.json
    [ "$(jq -r .end <<<"$output")" = 1970-01-01T00:06:40Z ]
    [ "$(jq '.counters.clock_ahead' status.json)" = 0 ]
}

@test "an empty capture and a file that is none are said, the others used" {
    pcap_header >empty.pcap
    : >nothing.pcap
    echo "no capture at all, but a text" >text.pcap
    { pcap_header; refused 1700000000; } >a.pcap
    run --separate-stderr "$sensor" -r empty.pcap -r nothing.pcap -r text.pcap -r a.pcap \
        --print flows --status status.json
    [ "$status" -eq 65 ]
    [ "${#lines[@]}" -eq 1 ]
    [ "$(jq -c '[.inputs[].state]' status.json)" = '["empty","empty","broken","whole"]' ]
}

@test "a missing capture is 66, a misuse 64, a bad output 73, a bad configuration 78" {
    { pcap_header; refused 1700000000; } >a.pcap
    run "$sensor" -r missing.pcap -o records
    [ "$status" -eq 66 ]
    run "$sensor"
    [ "$status" -eq 64 ]
    run "$sensor" -r a.pcap
    [ "$status" -eq 64 ]
    run "$sensor" -r a.pcap --print everything
    [ "$status" -eq 64 ]
    run "$sensor" -r a.pcap -o records more
    [ "$status" -eq 64 ]
    run "$sensor" -r - -r - -o records <a.pcap
    [ "$status" -eq 64 ]
    run "$sensor" -r a.pcap -o missing/records
    [ "$status" -eq 73 ]
    printf 'sensor:\n  realm_layers: [vlan, tokenring]\n' >bad.yaml
    run "$sensor" -c bad.yaml -r a.pcap -o records
    [ "$status" -eq 78 ]
    [[ "$output" == *tokenring* ]]
    printf 'sensor:\n  flows: 3\n' >bad.yaml
    run "$sensor" -c bad.yaml --check
    [ "$status" -eq 78 ]
    [[ "$output" == *"bad.yaml:2:"* ]]
}

@test "a capture is not overwritten by its own records, however it is read" {
    { pcap_header; refused 1700000000; } >a.pcap
    cp a.pcap kept
    run "$sensor" -r a.pcap -o a.pcap
    [ "$status" -eq 64 ]
    # shellcheck disable=SC2094 # that is what must not be done
    run "$sensor" -r - -o a.pcap <a.pcap
    [ "$status" -eq 64 ]
    [[ "$output" == *"is the capture itself"* ]]
    cmp a.pcap kept
}

@test "what cannot be opened is named" {
    {
        pcap_header
        pcap_packet 1700000000 02000000000202000000000188e50000
        pcap_packet 1700000000 02000000000202000000000188e50000
    } >a.pcap
    run --separate-stderr "$sensor" -r a.pcap --status status.json
    [ "$status" -eq 0 ]
    [ "$(jq -r '.skipped["ethertype 0x88e5"]' status.json)" = 2 ]
    { pcap_header 147; pcap_packet 1700000000 00; } >b.pcap
    run --separate-stderr "$sensor" -r b.pcap --status status.json
    [ "$(jq -r '.skipped["linktype 147"]' status.json)" = 1 ]
    # A list of flows says it beside.
    run -0 --separate-stderr "$sensor" -r a.pcap --print flows
    [[ "$stderr" == *"2 of 2 packets could not be opened, mostly ethertype 0x88e5; --status"* ]]
    [ -z "$output" ]
}

@test "the layers that name the realm are configuration" {
    {
        pcap_header
        frame=$(tcp 40000 25 02 1000 0)
        pcap_packet 1700000000 "${frame/0800/810000650800}"
    } >a.pcap
    run --separate-stderr "$sensor" -r a.pcap --print flows
    [ "$(jq -r '.realm + "," + .encap' <<<"$output")" = ,vlan ]
    printf 'sensor:\n  realm_layers: [vlan]\n' >postern.yaml
    run --separate-stderr "$sensor" -c postern.yaml -r a.pcap --print flows
    [ "$(jq -r '.realm + "," + .encap' <<<"$output")" = vlan:101,vlan ]
}

@test "flow-only looks at no octet of a dialogue" {
    printf 'sensor:\n  legal_profile: flow-only\n' >postern.yaml
    {
        pcap_header
        pcap_packet 100 "$(tcp 40000 25 02 1000 0)"
        pcap_packet 100 "$(tcp 25 40000 12 5000 1001)"
        pcap_packet 101 "$(tcp 40000 25 18 1001 5001 "$(hex "HELO secret.example")0d0a")"
    } >a.pcap
    run --separate-stderr "$sensor" -c postern.yaml -r a.pcap --print flows -o records
    [ "$status" -eq 0 ]
    [ "$(jq -c '[.app, .handshake, .smtp]' <<<"$output")" = '["smtp","established",null]' ]
    run grep -c secret records
    [ "$output" = 0 ]
    [[ "$stderr" != *"not chosen"* ]]
}

@test "a full disk is an error, not silence" {
    { pcap_header; refused 1700000000; } >a.pcap
    run --separate-stderr "$sensor" -r a.pcap -o /dev/full --status s.json
    [ "$status" -eq 74 ]
    [[ "$stderr" == *"/dev/full"* ]]
    [ "$(jq -r '.state + " " + .problems[0].code' s.json)" = "failed records-lost" ]
    run bash -c "'$sensor' -r a.pcap --print flows >/dev/full"
    [ "$status" -eq 74 ]
}

@test "what the sensor tells of a minute comes before the coverage that closes it" {
    "$POSTERN_BIN/postern-generate" --scenario "$POSTERN_SCENARIOS/hour.yaml" --seed 3 -o hour.pcap \
        --config-out postern.yaml 2>/dev/null
    "$sensor" -c postern.yaml -r hour.pcap -o records 2>/dev/null
    "$POSTERN_BIN/postern-collector" -c postern.yaml -r records -j journal --status status.json 2>/dev/null
    [ "$(jq .counters.amendments status.json)" = 0 ]
    [ "$(jq .counters.refused_late status.json)" = 0 ]
    # Attempts of which nobody heard again are told without changing a minute that is closed.
    "$POSTERN_BIN/postern-collector" -j journal --dump 2>/dev/null |
        jq -se '[.[] | select(.kind == "row") | .counters["mx/out"].unanswered // 0] | add > 20'
}

@test "no address, name or password is in logs, status, flows or records, however talkative" {
    {
        pcap_header
        pcap_packet 100 "$(tcp 40000 25 02 1000 0)"
        pcap_packet 100 "$(tcp 25 40000 12 5000 1001)"
        pcap_packet 101 "$(tcp 25 40000 18 5001 1001 "$(hex "220 mx.far.example")0d0a")"
        at=1001
        for line in "EHLO host.near.example" "AUTH PLAIN AGN1c3RvbWVyMQBwYXNzd29yZDE=" \
            "MAIL FROM:<sender@near.example>" "RCPT TO:<recipient@far.example>" "EXPN secret-list" "nonsense-line"; do
            pcap_packet 102 "$(tcp 40000 25 18 "$at" 5021 "$(hex "$line")0d0a")"
            at=$((at + ${#line} + 2))
        done
    } >a.pcap
    for profile in flow-only own-smarthost-content full-envelope; do
        printf 'sensor:\n  legal_profile: %s\n' "$profile" >postern.yaml
        run --separate-stderr "$sensor" -v -v -c postern.yaml -r a.pcap --print flows -o records --status status.json
        [ "$status" -eq 0 ]
        printf '%s\n' "$output" >flows
        printf '%s\n' "$stderr" >log
        [ -s flows ]
        run grep -aE 'near|far|customer1|password1|AGN1c3|secret|nonsense' flows log records status.json
        [ "$status" -eq 1 ]
    done
    [ "$(jq .smtp.rcpt flows)" = 1 ]
    [ "$(jq .smtp.auth flows)" = 1 ]
}
