#!/usr/bin/env bats
# The journal as an operator may find it: segments removed, cut, copied; folder, segment or key taken away under a
# collector that writes. POSTERN_BIN is the folder of the programs, POSTERN_SOURCE_DIR the source tree.
# shellcheck disable=SC2154 # bats sets status, output, lines

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PATH=$POSTERN_BIN:$PATH
    scenario=$POSTERN_SOURCE_DIR/tests/generator/scenarios/bench_smtp_small.yaml
    mkdir run
    cat >live.yaml <<YAML
site:
  subscribers: [10.0.0.0/8]
  run_directory: $PWD/run
collector:
  journal: journal
  intake: intake
  segment_size: 65536
  journal_days: 3650
  listen: ["unix:$PWD/in.sock"]
sensor:
  domain: 1
  legal_profile: full-envelope
  collector: unix:$PWD/in.sock
YAML
}

teardown() {
    [ ! -f pid ] || kill "$(cat pid)" 2>/dev/null || true
}

# capture START FILE: three minutes of a small site
capture() { postern-generate -s "$scenario" --minutes 3 --start "$1" -o "$2" 2>/dev/null; }

collector() {
    rm -f in.sock
    postern-collector -c live.yaml 2>>log 3>&- &
    echo $! >pid
    for _ in $(seq 100); do
        [ -S in.sock ] && [ -S run/postern-collector.sock ] && return 0
        sleep 0.05
    done
    cat log
    return 1
}

stop() {
    kill "$(cat pid)"
    wait "$(cat pid)" || true
    rm pid
}

# send CAPTURE: through a sensor, acknowledged
send() {
    sed "s/^sensor:/&\n  spool: spool-$(basename "$1")/" live.yaml >sensor.yaml
    postern-sensor -c sensor.yaml -r "$1" --status sensor.json 2>>sensor.log
    [ "$(jq .counters.acknowledged sensor.json)" -eq "$(jq .counters.records sensor.json)" ]
    [ "$(jq .counters.records sensor.json)" -gt 100 ]
}

verify() { postern journal verify -c live.yaml "$1"; }
dump() { postern-collector -j "$1" --dump 2>/dev/null; }
rows() { dump "$1" | jq -c 'select(.kind == "row")' | sort; }

# problem CODE: within a few seconds the status names it
problem() {
    for _ in $(seq 150); do
        postern status --run "$PWD/run" --json >status.txt 2>&1 || true
        ! grep -q "$1" status.txt || return 0
        sleep 0.1
    done
    cat status.txt
    return 1
}

# three_days: a journal of three minutes of each of three days
three_days() {
    local day records=()
    for day in 22 23 24; do
        capture "2026-11-${day}T10:00:00Z" $day.pcap
        postern-sensor -c live.yaml -r $day.pcap -o $day.rec 2>/dev/null
        records+=(-r "$day.rec")
    done
    sed '/^  listen/d' live.yaml >file.yaml
    postern-collector -c file.yaml -j journal "${records[@]}" 2>/dev/null
}

@test "dump by time and subscriber, stat by day, retention by size" {
    three_days
    rows journal >all.jsonl
    day=2026-11-23
    postern journal dump journal --from ${day}T00:00:00Z --to 2026-11-24T00:00:00Z | jq -c 'select(.kind == "row")' | sort >day.jsonl
    jq -c "select(.minute | startswith(\"$day\"))" all.jsonl | diff - day.jsonl
    [ "$(wc -l <day.jsonl)" -gt 20 ]
    who=$(jq -r .subscriber day.jsonl | sort | uniq -c | sort -n | tail -1 | awk '{ print $2 }')
    postern journal dump journal --key "$who" | jq -c 'select(.kind == "row")' | sort >who.jsonl
    jq -c "select(.subscriber == \"$who\")" all.jsonl | diff - who.jsonl
    run -0 postern journal stat journal
    [ "$(awk '$1 == "20261123" { print $2 }' <<<"$output")" -eq "$(wc -l <day.jsonl)" ]
    [ "$(awk '$1 == "all" { print $2 }' <<<"$output")" -eq "$(wc -l <all.jsonl)" ]
    # Larger than it may be: the oldest days go, and are not called missing.
    sed 's/^  journal_days.*/&\n  journal_size: 1k/' live.yaml >small.yaml
    mv small.yaml live.yaml
    collector
    stop
    [ "$(find journal -name '*.pj' | wc -l)" -eq 1 ]
    run -0 verify journal
    rows journal | diff - <(jq -c 'select(.minute | startswith("2026-11-24"))' all.jsonl)
}

@test "what is missing, empty or copied is said by verify and stat, and no row counts twice" {
    three_days
    run -0 verify journal
    [[ $output == *" 0 damaged"* && $output != *unchained* ]]
    mapfile -t segments < <(cd journal && find . -name '*.pj' -printf '%P\n' | LC_ALL=C sort)
    [ ${#segments[@]} -ge 3 ]
    middle=${segments[1]}
    cp -r journal sound
    rm "journal/$middle"
    run -65 verify journal
    [[ $output == *"journal/$middle, octet 0: missing"* && $output == *" 1 damaged"* ]]
    run -65 postern journal stat -c live.yaml journal
    [[ $output == *"missing"* ]]
    : >"journal/$middle"
    run -65 verify journal
    [[ $output == *"journal/$middle, octet 0: the file is empty"* && $output == *" 1 damaged"* ]]
    cp "sound/$middle" "journal/$middle"
    cp "sound/$middle" journal/20261125.000001.pj
    run -65 verify journal
    [[ $output == *"20261125.000001.pj, octet 0: a copy of another segment"* && $output == *" 1 damaged"* ]]
    [ "$(dump journal | grep -c '"kind":"row"')" -eq "$(dump sound | grep -c '"kind":"row"')" ]
    rm journal/20261125.000001.pj
    run -0 verify journal
}

@test "a segment or the folder taken away under the collector: said, and minutes go where the journal is" {
    capture 2026-11-22T00:00:00Z one.pcap
    capture 2026-11-22T00:10:00Z two.pcap
    capture 2026-11-22T00:20:00Z three.pcap
    # What is written when nobody takes anything away.
    collector
    send one.pcap && send two.pcap && send three.pcap
    stop
    rows journal >right
    [ "$(wc -l <right)" -gt 100 ]
    rm -r journal intake spool-*
    # The folder is moved: a new one is made, and the two together are the whole.
    collector
    send one.pcap
    mv journal moved
    problem journal-taken-away
    send two.pcap
    [ -d journal ]
    grep -q "the journal's folder was moved or removed" log
    # A segment is removed: what is written from then on is not lost with it.
    newest=$(find journal -name '*.pj' | LC_ALL=C sort | tail -1)
    ln "$newest" kept.pj
    rm "$newest"
    send three.pcap
    stop
    run -65 verify journal
    [[ $output == *"$(basename "$newest"), octet 0: missing"* ]]
    mv kept.pj "$newest"
    mv moved/*.pj journal/
    run -0 verify journal
    rows journal >brought
    diff right brought
}

@test "a day's key that is gone is said, and the day named; data that is there is not touched" {
    mkdir -m 700 keys
    sed -i 's/^  journal: journal/&\n  journal_keys: keys/' live.yaml
    capture 2026-11-22T00:00:00Z one.pcap
    capture 2026-11-22T00:10:00Z two.pcap
    collector
    send one.pcap
    stop
    mapfile -t old < <(find journal -name '*.pj')
    sum=$(cat "${old[@]}" | sha256sum)
    rm keys/20261122.key
    collector
    grep -q "its day's key is gone from collector.journal_keys" log
    problem '"journal-key"'
    send two.pcap
    stop
    run -65 verify journal
    [[ $output == *"journal: day 20261122: "*"segments unreadable, their key is not in"* ]]
    [ "$(cat "${old[@]}" | sha256sum)" = "$sum" ] # as it was
    [ "$(find journal -name '*.pj' | wc -l)" -gt ${#old[@]} ]
}
