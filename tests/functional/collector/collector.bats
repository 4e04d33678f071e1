#!/usr/bin/env bats
# The collector as a person meets it: a real bot seen in time, files that are cut, several sensors, journals
# that are damaged. POSTERN_BIN is the folder of the programs.
# shellcheck disable=SC2154 # bats sets status, output, stderr, lines

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    cat >postern.yaml <<'YAML'
site:
  subscribers: [10.0.0.0/8]
YAML
    bot=$POSTERN_SHARED_DIR/captures/bots/neris-port25.csv
}

# records START FILE [MINUTES]: what a sensor sees of the bot, whose capture begins at START
records() {
    [ -r "$bot" ] || skip "no captures in $POSTERN_SHARED_DIR"
    "$POSTERN_BIN/postern-generate" --inject "$bot@10.0.0.5" --start "$1" -o bot.pcap --minutes "${3:-7}" 2>/dev/null
    "$POSTERN_BIN/postern-sensor" -c postern.yaml -r bot.pcap -o "$2" 2>/dev/null
}

collect() { "$POSTERN_BIN/postern-collector" -c postern.yaml --status status.json "$@"; }
dump() { "$POSTERN_BIN/postern-collector" -j "$1" --dump 2>/dev/null; }

# cut_of_ninth JOURNAL: when the row was cut with which the ninth provider was known to fail
cut_of_ninth() {
    dump "$1" | jq -rs '[.[] | select(.kind == "row" and .subscriber == "10.0.0.5")
        | .cut as $cut | .digests[]
        | select((.flags // [] | index("outcome")) and .outcome == "unanswered")
        | {provider, cut: $cut}]
        | reduce .[] as $d ({seen: [], at: null};
            if .at or (.seen | index($d.provider)) then .
            else .seen += [$d.provider] | if (.seen | length) == 9 then .at = $d.cut else . end end)
        | .at'
}

@test "nine failing providers of a real bot are known within 340 s, whatever the phase of the minute" {
    for phase in 00.000 21.400 22.290 22.900 26.300 47.700; do
        records "2026-11-22T00:00:${phase}Z" bot.rec
        collect -r bot.rec -j "journal-$phase"
        at=$(cut_of_ninth "journal-$phase")
        [ "$at" != null ]
        late=$(($(date -d "$at" +%s%3N) - $(date -d "2026-11-22T00:00:${phase}Z" +%s%3N)))
        echo "phase $phase: $late ms"
        [ "$late" -lt 340000 ]
    done
}

@test "the same records give the same journal, and its counts are those of the records" {
    records 2026-11-22T00:00:00Z bot.rec
    collect -r bot.rec -j one
    collect -r bot.rec -j two
    cmp one/*.pj two/*.pj
    flows=$(dump one | jq -s '[.[] | select(.kind == "row") | .counters["mx/out"].connections // 0] | add')
    [ "$flows" -eq "$(awk -F, 'NR > 1 && $1 < 420' "$bot" | wc -l)" ]
    [ "$(jq .counters.rows status.json)" -eq "$(dump one | grep -c '"kind":"row"')" ]
    [ "$(jq -r .state status.json)" = ok ]
    # A journal that is there is appended to, by one writer at a time.
    collect -r bot.rec -j one
    [ "$("$POSTERN_BIN/postern-collector" -j one --verify 2>/dev/null | grep -c ' 0 damaged')" -eq 1 ]
}

@test "a cut file: what is readable is used, and it is said" {
    records 2026-11-22T00:00:00Z bot.rec
    head -c 30000 bot.rec >cut.rec
    run -65 collect -r cut.rec -j journal
    [[ $output == *"not all of the input could be read"* ]]
    [ "$(jq -r '.inputs[0].state' status.json)" = truncated ]
    [ "$(jq -r .state status.json)" = degraded ]
    jq -e '.problems[] | select(.code == "sensor-unfinished")' status.json
    [ "$(dump journal | grep -c '"kind":"row"')" -gt 0 ]
}

@test "an output that is full is no fault of the journal" {
    records 2026-11-22T00:00:00Z bot.rec
    collect -r bot.rec -j journal
    run -74 bash -c "'$POSTERN_BIN/postern-collector' -j journal --dump 2>&1 >/dev/full"
    [[ $output == *"standard output: "* && $output != *"journal: "* ]]
}

@test "two sensors are one stream, in whatever order they are named" {
    records 2026-11-22T00:00:00Z a.rec
    cat >second.yaml <<'YAML'
site:
  subscribers: [10.0.0.0/8]
sensor:
  name: second
  domain: 2
YAML
    "$POSTERN_BIN/postern-generate" --inject "$bot@10.0.0.6" --start 2026-11-22T00:00:00Z -o b.pcap --minutes 5 2>/dev/null
    "$POSTERN_BIN/postern-sensor" -c second.yaml -r b.pcap -o b.rec 2>/dev/null
    collect -r a.rec -r b.rec -j ab
    collect -r b.rec -r a.rec -j ba
    [ "$(jq .counters.sensors status.json)" -eq 2 ]
    rows() { dump "$1" | jq -cS 'select(.kind == "row") | {subscriber, minute, counters, digests}' | sort; }
    cmp <(rows ab) <(rows ba)
    [ "$(jq .counters.subscribers status.json)" -eq 2 ]
    dump ab | jq -es 'any(.kind == "coverage" and .sensor == "second")'
    # The second ends after five minutes and holds nothing up behind that.
    [ "$(dump ab | jq -rs 'last.mark')" = "$(dump ba | jq -rs 'last.mark')" ]
}

@test "leases say whose it was, and a change cuts" {
    records 2026-11-22T00:00:00Z bot.rec
    cat >leases.csv <<'CSV'
realm,prefix,port_first,port_last,party,start,end,last_seen,interim_s,mac,nas,session,user,pop,class
,10.0.0.5,,,line:before,2026-11-21T00:00:00Z,2026-11-22T00:01:00Z,,,,,,,north,residential
,10.0.0.5,,,line:after,2026-11-22T00:01:00Z,2026-11-23T00:00:00Z,,,,,,,north,residential
CSV
    collect -r bot.rec -j journal -l leases.csv
    parties=$(dump journal | jq -r 'select(.kind == "row") | "\(.minute) \(.party) \(.confidence) \(.pop)"' | sort -u)
    echo "$parties"
    # Within two minutes of the change nobody can be sure; behind that it is the new one.
    grep -q '00:00:00Z provisional:10.0.0.5 ambiguous north' <<<"$parties"
    grep -q '00:05:00Z line:after certain north' <<<"$parties"
    run -1 grep 'line:before' <<<"$parties"
    dump journal | jq -es 'any(.kind == "site" and .pop == "north" and .leases == 1)'
    echo ',10.0.0.5,,,line:x,yesterday,,,,,,,,,' >>leases.csv
    run -78 collect -r bot.rec -j other -l leases.csv
    [[ $output == *leases.csv:4:* ]]
}

@test "a damaged journal: the rest is read, and it is said" {
    records 2026-11-22T00:00:00Z bot.rec
    collect -r bot.rec -j journal
    whole=$(dump journal | wc -l)
    cp journal/*.pj sound
    # The last block alone; then one of the first five minutes, whose chain ends there: the minutes behind them are read.
    printf x | dd of="$(echo journal/*.pj)" bs=1 seek=$(($(wc -c <sound) - 20)) conv=notrunc status=none
    run -65 "$POSTERN_BIN/postern-collector" -j journal --verify
    [[ $output == *" 1 damaged"* ]]
    [ "$(dump journal | wc -l)" -lt "$whole" ]
    cp sound "$(echo journal/*.pj)"
    printf x | dd of="$(echo journal/*.pj)" bs=1 seek=200 conv=notrunc status=none
    run -65 "$POSTERN_BIN/postern-collector" -j journal --verify
    [[ $output =~ ([0-9]+)\ damaged ]]
    [ "${BASH_REMATCH[1]}" -gt 1 ]
    [ "$(dump journal | wc -l)" -lt "$whole" ]
    dump journal | jq -es 'any(.minute == "2026-11-22T00:06:00Z")'
    truncate -s -5 journal/*.pj
    run -65 "$POSTERN_BIN/postern-collector" -j journal --verify
    [[ $output == *"the last block is not whole"* ]]
}

@test "an encrypted journal opens with its day's key, and not without" {
    records 2026-11-22T00:00:00Z bot.rec
    mkdir -m 700 keys
    printf 'collector:\n  journal_keys: keys\n' >>postern.yaml
    collect -r bot.rec -j journal
    [ "$(stat -c %a keys/20261122.key)" = 600 ]
    run "$POSTERN_BIN/postern-collector" -c postern.yaml -j journal --verify
    [[ $output == *" 0 damaged"* ]]
    rm keys/20261122.key
    run -65 "$POSTERN_BIN/postern-collector" -c postern.yaml -j journal --verify
    [[ $output == *" 0 rows"* ]]
}

@test "words and codes" {
    run -64 "$POSTERN_BIN/postern-collector"
    run -64 "$POSTERN_BIN/postern-collector" -j journal
    [[ $output == *"give records with -r"* ]]
    run -66 "$POSTERN_BIN/postern-collector" -j journal -r nothing.rec
    run -66 "$POSTERN_BIN/postern-collector" -j nowhere --dump
    mkdir nobody
    run -66 --separate-stderr "$POSTERN_BIN/postern-collector" -j nobody --stat
    [ -z "$output" ] # no empty table
    printf 'site:\n  provider_file: asn.txt\n' >wrong.yaml
    printf '192.0.2.0/24\n' >asn.txt
    run -78 "$POSTERN_BIN/postern-collector" -c wrong.yaml -j journal -r /dev/null
    [[ $output == *asn.txt:1:13:* ]]
    run -0 "$POSTERN_BIN/postern-collector" -j journal -r /dev/null --status status.json
    [ "$(jq -r '.inputs[0].state' status.json)" = empty ]
}

# sums JOURNAL: what all rows together count
sums() {
    dump "$1" | jq -c 'select(.kind == "row") | .counters | to_entries[] | .key as $r | .value | to_entries[]
        | {k: ($r + " " + .key), v: .value}' | jq -sc 'group_by(.k) | map({(.[0].k): (map(.v) | add)}) | add' | jq -S .
}

# sensor NAME DOMAIN CAPTURE: its records in NAME.rec
sensor() {
    { cat site.yaml; echo "sensor: {name: $1, domain: $2, legal_profile: full-envelope}"; } >"$1.yaml"
    "$POSTERN_BIN/postern-sensor" -c "$1.yaml" -r "$3" -o "$1.rec" 2>/dev/null
}

@test "the same capture at two sensors counts once, its directions at two sensors count as one" {
    "$POSTERN_BIN/postern-generate" -s "$POSTERN_SOURCE_DIR/tests/generator/scenarios/bench_smtp_small.yaml" \
        -o all.pcap --minutes 3 --config-out site.yaml 2>/dev/null
    up="ip.src == 10.20.0.0/16 or ip.src == 10.30.0.0/22 or ip.src == 100.64.8.0/22 or ipv6.src == 2001:db8::/40"
    tshark -r all.pcap -Y "$up" -F nsecpcap -w up.pcap 2>/dev/null
    tshark -r all.pcap -Y "not ($up)" -F nsecpcap -w down.pcap 2>/dev/null
    sensor one 1 all.pcap
    sensor two 2 all.pcap
    sensor up 3 up.pcap
    sensor down 4 down.pcap
    collect() { "$POSTERN_BIN/postern-collector" -c site.yaml --status status.json "$@"; }
    collect -r one.rec -j whole
    collect -r one.rec -r two.rec -j twice
    [ "$(jq .counters.records_twice status.json)" -gt 500 ]
    collect -r up.rec -r down.rec -j halves
    [ "$(jq .counters.records_joined status.json)" -gt 500 ]
    sums whole >whole.json
    sums twice >twice.json
    diff whole.json twice.json
    # Of halves all that needs no dialogue: who was reached, by how many packets and octets. A flow on a port
    # of its own needs both directions to be told by its content: it counts under another role. A SYN sent again
    # behind a refusal is counted by the half that cannot see the refusal: not compared.
    for counter in connections established refused unanswered packets_up packets_down octets_up octets_down; do
        for file in whole halves; do
            sums "$file" | jq -S "[to_entries[] | select(.key | endswith(\" $counter\"))
                | .key |= sub(\"^(mx|other)/\"; \"any/\")
                | select(.key | test(\"any/out (packets|octets)_up\") | not)] | group_by(.key)
                | map({key: .[0].key, value: (map(.value) | add)}) | from_entries" >"$file.$counter"
        done
        diff "whole.$counter" "halves.$counter"
    done
}

# stamped CAPTURE N SECONDS OUT: the packet number N (from 0) of a capture has this time
stamped() {
    local at=24 i
    for ((i = 0; i < $2; i++)); do
        at=$((at + 16 + $(od -An -tu4 -j $((at + 8)) -N 4 "$1")))
    done
    cp "$1" "$4"
    printf '%08x' "$3" | sed 's/\(..\)\(..\)\(..\)\(..\)/\\x\4\\x\3\\x\2\\x\1/' | xargs -0 printf |
        dd of="$4" bs=1 seek=$at conv=notrunc status=none
}

@test "a packet of 1970 or 2106 stops nobody; a capture of long ago is replayed whole" {
    records 2026-11-22T00:00:00Z bot.rec
    export PATH=$POSTERN_BIN:$PATH
    postern replay bot.pcap --json >right.json 2>/dev/null
    tickets=$(jq -S '[.. | objects | select(has("class") and has("party")) | {class, party}] | unique' right.json)
    [ "$(jq length <<<"$tickets")" -gt 0 ]
    for case in "0 5" "0 4294967000" "60 5" "60 4294967000"; do
        # shellcheck disable=SC2086 # two words
        stamped bot.pcap $case odd.pcap
        run -0 --separate-stderr postern replay odd.pcap --json
        [ "$(jq -S '[.. | objects | select(has("class") and has("party")) | {class, party}] | unique' <<<"$output")" = "$tickets" ]
    done
    # Its minutes of 1970 are refused, by a counter of their own and with the sensor's name.
    stamped bot.pcap 0 5 odd.pcap
    "$POSTERN_BIN/postern-sensor" -c postern.yaml -r odd.pcap -o odd.rec 2>/dev/null
    collect -r odd.rec -j odd
    [ "$(jq .counters.refused_time status.json)" -gt 0 ]
    jq -e '.problems[] | select(.code == "refused-records") | .text | contains("a time before 1990")' status.json
    dump odd | jq -es '[.[] | select(.kind == "row") | .minute] | min > "2026"' >/dev/null
    records 2009-04-30T12:00:00Z old.rec
    run -0 --separate-stderr postern replay bot.pcap --json
    [ "$(jq -S '[.. | objects | select(has("class") and has("party")) | {class, party}] | unique' <<<"$output")" = "$tickets" ]
}
