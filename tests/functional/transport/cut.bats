#!/usr/bin/env bats
# A link that is cut, stalled, swallowed from and half closed, anywhere in a frame, again and again: nothing is lost, nothing counts
# twice. POSTERN_BIN and POSTERN_TOOLS are the folders of programs.
# shellcheck disable=SC2154 # bats sets status, output, stderr, lines

bats_require_minimum_version 1.5.0

load lib

# link PORT ARGUMENT...: a bad link to the collector
link() {
    local from=$1
    shift
    "$POSTERN_TOOLS/transport_link" --listen "$from" --to "$port" "$@" >"link-$from.log" 3>&- &
    echo $! >>pids
    echo $! >"link-$from.pid"
}

# What is counted of each subscriber, whatever the order in which sensors were heard.
sums() {
    jq -cS -s '[.[] | select(.kind == "row")] | group_by(.subscriber)[]
        | {k: .[0].subscriber,
           c: (reduce .[].counters as $c ({}; reduce ($c | to_entries[]) as $d (.;
               .[$d.key] |= (reduce ($d.value | to_entries[]) as $e (. // {}; .[$e.key] += $e.value)))))}' "$1"
    jq -cS -s '[.[] | select(.kind == "coverage")] | group_by([.sensor, .minute])[]
        | [.[0].sensor, .[0].minute, (map(.seconds) | add), (map(.counters.records // 0) | add)]' "$1"
}

@test "cut, stalled, swallowed and half closed in mid-frame; and a link that falls silent" {
    seed=${POSTERN_LINK_SEED:-$((1 + RANDOM * 32768 + RANDOM))}
    echo "POSTERN_LINK_SEED=$seed"
    records one 1
    records two 2 10.0.0.9
    collector
    enroll edge1 tls
    enroll edge2 tls2
    link "$((port + 3))" --seed "$seed" --faults 24
    link "$((port + 4))" --seed "$seed" --swallow
    # The second link falls silent and stays open: after 30 s without acknowledgement the sensor gives it up.
    pump two.rec spool-2 "127.0.0.1:$((port + 4))" tls2 2 500 2>pump-2.log &
    silent=$!
    pump one.rec spool-1 "127.0.0.1:$((port + 3))" tls 1 40 2>pump-1.log &
    cut=$!
    printf '%s\n' "$silent" "$cut" >>pids
    wait "$cut"
    wait "$silent"
    grep -q 'nothing acknowledged for 30 s' pump-2.log
    for p in $((port + 3)) $((port + 4)); do
        kill "$(cat "link-$p.pid")"
        wait "$(cat "link-$p.pid")"
    done
    cat "link-$((port + 3)).log"
    [ "$(tail -1 "link-$((port + 3)).log" | cut -d' ' -f1)" -ge 10 ] # faults, before all was acknowledged
    stop "$collector"
    [ "$(jq .counters.records_missing status.json)" -eq 0 ]
    [ "$(jq '.counters.repeats + .counters.intake_repeats' status.json)" -gt 0 ] # some were sent again, and counted once
    sed '/^  listen:/d; /^  ca:/d; /^  enroll:/d' live.yaml >file.yaml
    "$POSTERN_BIN/postern-collector" -c file.yaml -r one.rec -r two.rec -j reference 2>/dev/null
    dump reference >reference.jsonl
    dump journal >journal.jsonl
    sums reference.jsonl >reference.sums
    sums journal.jsonl >journal.sums
    [ "$(wc -l <reference.sums)" -ge 9 ] # two subscribers, seven minutes
    cmp reference.sums journal.sums
}
