#!/usr/bin/env bats
# The command as a person meets it: words, exit codes, captures that are whole and that are not, the
# folder it works in. POSTERN_BIN is the folder of the programs.
# shellcheck disable=SC2154 # bats sets status, output, stderr, lines

bats_require_minimum_version 1.5.0

setup() {
    postern=$POSTERN_BIN/postern
    cd "$BATS_TEST_TMPDIR" || return
    mkdir tmp
    export TMPDIR=$BATS_TEST_TMPDIR/tmp
}

# octets HEX: to standard output
octets() { printf '%b' "$(fold -w 2 <<<"$1" | sed 's/^/\\x/' | tr -d '\n')"; }

le32() { printf '%08x' "$1" | sed -E 's/(..)(..)(..)(..)/\4\3\2\1/'; }

# pcap_header, pcap_packet SECONDS HEX: little-endian, Ethernet
pcap_header() { octets d4c3b2a1020004000000000000000000ffff000001000000; }
pcap_packet() { octets "$(le32 "$1")$(le32 0)$(le32 $((${#2} / 2)))$(le32 $((${#2} / 2)))$2"; }

# A connection to port 25 that is refused: its SYN and the answer, by 10.0.0.7 and by 10.0.0.8.
syn7=0200000000020200000000010800450000280001400040066eaf0a000007c00002199c400019000003e8000000005002faf048900000
rst7=0200000000010200000000020800450000280001400040066eafc00002190a00000700199c4000001388000003e95014faf034f50000
syn8=0200000000020200000000010800450000280001400040066eae0a000008c00002199c410019000007d0000000005002faf044a60000
rst8=0200000000010200000000020800450000280001400040066eaec00002190a00000800199c4100001770000007d15014faf02d230000

first_capture() {
    pcap_header
    pcap_packet 1700000000 $syn7
    pcap_packet 1700000000 $rst7
}
second_capture() {
    pcap_header
    pcap_packet 1700000100 $syn8
    pcap_packet 1700000100 $rst8
}

nothing_left() { [ -z "$(ls -A "$TMPDIR")" ]; }

@test "words: wrong ones are usage errors that say what to write" {
    run -64 --separate-stderr "$postern"
    run -64 --separate-stderr "$postern" replya
    [[ $stderr == *"no command 'replya'"* ]]
    run -64 --separate-stderr "$postern" replay
    [[ $stderr == *"postern replay FILE..."* ]]
    run -64 --separate-stderr "$postern" replay --jsn x.pcap
    [[ $stderr == *"--jsn is no option"* ]]
    run -64 --separate-stderr "$postern" replay --subscribers 10.0.0.1/8 x.pcap
    [[ $stderr == *"10.0.0.1/8"* ]]
}

@test "help and version" {
    run -0 "$postern" help
    [[ $output == *"replay FILE..."* ]]
    run -0 "$postern" replay --help
    [[ $output == *"--subscribers CIDR,..."* ]]
    run -0 "$postern" --version
    [[ $output =~ ^postern\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "replay: a file that is missing, a folder, a missing configuration" {
    run -66 --separate-stderr "$postern" replay none.pcap
    [[ $stderr == *"none.pcap: No such file"* ]]
    run -66 --separate-stderr "$postern" replay tmp
    [[ $stderr == *"is a folder"* ]]
    first_capture >a.pcap
    run -66 --separate-stderr "$postern" replay a.pcap --config none.yaml
    [[ $stderr == *"none.yaml"* ]]
    nothing_left
}

@test "replay: a whole capture" {
    first_capture >a.pcap
    run -0 --separate-stderr "$postern" replay a.pcap
    [[ ${lines[0]} == "No tickets; 1 subscriber, 1 TCP flow looked at." ]]
    nothing_left
}

@test "replay --json: one object with every key" {
    first_capture >a.pcap
    run -0 --separate-stderr "$postern" replay --json a.pcap
    [ "${#lines[@]}" -eq 1 ]
    jq -e '.subscribers == 1 and .flows == 1 and (.loss | type == "object") and
           (.not_visible | type == "array") and .tickets == []' <<<"$output"
}

@test "replay --subscribers: whose traffic it is" {
    first_capture >a.pcap
    run -0 --separate-stderr "$postern" replay --json --subscribers 192.0.2.0/24 a.pcap
    jq -e '.subscribers == 1' <<<"$output"
    run -0 --separate-stderr "$postern" replay --json \
        --subscribers 198.51.100.0/24,2001:db8::/32 a.pcap
    jq -e '.subscribers == 0' <<<"$output"
}

@test "replay: an empty capture is said to be empty" {
    pcap_header >empty.pcap
    run -65 --separate-stderr "$postern" replay empty.pcap
    [[ $stderr == *"empty.pcap is empty"* ]]
    : >nothing.pcap
    run -65 --separate-stderr "$postern" replay --json nothing.pcap
    [[ $stderr == *"nothing.pcap is "* ]]
    jq -e '.flows == 0 and .tickets == []' <<<"$output"
    nothing_left
}

@test "replay: of a truncated capture what is whole is used" {
    { first_capture && second_capture | tail -c +25; } | head -c -90 >cut.pcap
    run -65 --separate-stderr "$postern" replay --json cut.pcap
    [[ $stderr == *"cut.pcap is truncated"* ]]
    jq -e '.flows == 1 and .inputs[0].state == "truncated"' <<<"$output"
}

@test "replay: what is no capture is said to be broken" {
    echo 'this is a text' >text.pcap
    run -65 --separate-stderr "$postern" replay text.pcap
    [[ $stderr == *"text.pcap is broken"* ]]
}

@test "replay: several files are read in time order, compressed or not" {
    first_capture >b.pcap
    second_capture | gzip >a.pcap.gz
    "$postern" replay --json a.pcap.gz b.pcap --state one >one.json
    "$postern" replay --json b.pcap a.pcap.gz --state two >two.json
    jq -e '.flows == 2 and .subscribers == 2' one.json
    cmp one.json two.json
    cmp one/verdicts.jsonl two/verdicts.jsonl
    cmp one/tickets.jsonl two/tickets.jsonl
    jq -e '.inputs[0].name | endswith("b.pcap")' one.json
}

@test "replay --state: is kept, is used again, and nothing else is overwritten" {
    first_capture >a.pcap
    "$postern" replay --json a.pcap --state kept >one.json
    [ -s kept/records.ipfix ]
    [ -f kept/tickets.jsonl ]
    [ -f kept/status/analysis.json ]
    # A day later, elsewhere, in another zone: the same.
    TZ=Pacific/Auckland LC_ALL=C "$postern" replay --json a.pcap --state kept >two.json
    cmp one.json two.json
    mkdir mine
    touch mine/thesis.tex
    run -73 --separate-stderr "$postern" replay a.pcap --state mine
    [[ $stderr == *"of no replay"* ]]
    [ -f mine/thesis.tex ]
}

@test "replay: stopped, it ends its stage and removes its folder" {
    mkfifo slow.pcap
    sleep 60 >slow.pcap & # holds the pipe open, never writes
    holder=$!
    "$postern" replay slow.pcap >out 2>err &
    replay=$!
    for _ in $(seq 100); do
        ls "$TMPDIR"/postern-replay-*/status/sensor.log 2>/dev/null && break
        sleep 0.1
    done
    kill -TERM $replay
    status=0
    wait $replay || status=$?
    kill $holder
    [ "$status" -eq 143 ]
    nothing_left
}

@test "tickets: of a state folder, and of none" {
    first_capture >a.pcap
    "$postern" replay a.pcap --state kept
    run -0 "$postern" tickets --state kept
    [ "$output" = "No open ticket." ]
    run -66 --separate-stderr "$postern" tickets --state tmp
    [[ $stderr == *"--state"* ]]
}

@test "check: every program looks at its part" {
    printf 'site:\n  subscribers: [192.0.2.0/24]\n' >good.yaml
    run -0 "$postern" check good.yaml
    [[ $output == *"postern-sensor"*good* ]]
    printf 'site:\n  subscribers: [192.0.2.1/24]\n' >bad.yaml
    run -78 "$postern" check bad.yaml
    [[ $output == *"bad.yaml:2:"* ]]
    run -66 "$postern" check none.yaml
}
