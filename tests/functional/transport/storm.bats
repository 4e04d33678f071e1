#!/usr/bin/env bats
# Hundreds of SIGKILLs: nothing exported is lost, nothing counts twice. POSTERN_STORM_KILLS=2000 is the long run.
# shellcheck disable=SC2154 # bats sets status, output, stderr, lines

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    kills=${POSTERN_STORM_KILLS:-200}
    seed=${POSTERN_STORM_SEED:-$((RANDOM * 32768 + RANDOM))}
    echo "POSTERN_STORM_SEED=$seed"
    mkdir work
}

# records NAME DOMAIN SEED MINUTES: an ISP's traffic as a sensor tells it
records() {
    cat >"$1.yaml" <<YAML
site:
  subscribers: [10.0.0.0/8]
sensor:
  name: $1
  domain: $2
YAML
    "$POSTERN_BIN/postern-generate" --scenario "$POSTERN_SCENARIOS/hour.yaml" --seed "$3" -o "$1.pcap" --minutes "$4" 2>/dev/null
    "$POSTERN_BIN/postern-sensor" -c "$1.yaml" -r "$1.pcap" -o "$1.rec" --status "$1.json" 2>/dev/null
    rm "$1.pcap"
}

# pace NAME KILLS: records a second at which they last for this many kills, of which there are some five a second
pace() { echo $(($(jq .counters.records "$1.json") * 5 / $2)); }

# storm KILLS ARGUMENT...
storm() {
    local n=$1
    shift
    "$POSTERN_TOOLS/transport_storm" --bin "$POSTERN_BIN" --pump "$POSTERN_TOOLS/transport_pump" --work "$PWD/work" \
        --kills "$n" --seed "$seed" "$@"
}

@test "SIGKILLs of either side, and freezes: the journal is that of a file job, octet by octet" {
    records one 1 11 "$((kills > 500 ? 60 : 12))"
    storm "$kills" --records one.rec --rate "$(pace one "$kills")" --freeze
    [ "$(wc -l <work/reference.jsonl)" -gt 500 ]
    cmp work/reference.jsonl work/journal.jsonl
}

# What is counted, whatever the order in which two sensors were heard. A record of two minutes counts in the later one when the earlier
# is closed, which the other sensor has a part in: so counters are held together over the minutes.
sums() {
    jq -cS -s '[.[] | select(.kind == "row")] | group_by(.subscriber)[]
        | {k: .[0].subscriber,
           c: (reduce .[].counters as $c ({}; reduce ($c | to_entries[]) as $d (.;
               .[$d.key] |= (reduce ($d.value | to_entries[]) as $e (. // {}; .[$e.key] += $e.value)))))}' "$1"
    jq -cS -s '[.[] | select(.kind == "coverage")] | group_by([.sensor, .minute])[]
        | [.[0].sensor, .[0].minute, (map(.seconds) | add), (map(.counters.records // 0) | add)]' "$1"
}

@test "SIGKILLs with two enrolled sensors over TLS: each counter of each subscriber is right" {
    records one 1 21 8
    records two 2 22 8
    port=$((20000 + RANDOM % 20000))
    mkdir tls
    cat >enroll.yaml <<YAML
site:
  run_directory: $PWD
collector:
  journal: enrolling
  intake: enrolling-intake
  listen: ["127.0.0.1:$port"]
  ca: tls/ca
  enroll: 127.0.0.1:$((port + 1))
sensor:
  tls: tls/sensor
YAML
    "$POSTERN_BIN/postern-collector" -c enroll.yaml 2>collector.log 3>&- &
    collector=$!
    for _ in $(seq 100); do [ -S postern-collector.sock ] || sleep 0.05; done
    for i in 0 1; do
        token=$("$POSTERN_BIN/postern" sensor enroll "edge$i" --domains $((i + 1)) --socket postern-collector.sock |
            sed -n 's/.*--enroll \([^@]*\)@.*/\1/p')
        "$POSTERN_BIN/postern-sensor" -c enroll.yaml --enroll "$token@127.0.0.1:$((port + 1))"
        mv tls/sensor "tls/sensor$i"
    done
    kill "$collector"
    wait "$collector"
    storm "$((kills / 2))" --records one.rec --records two.rec --rate "$(pace one "$((kills / 2))")" --tls "$PWD/tls" --listen "127.0.0.1:$port"
    sums work/reference.jsonl >reference.sums
    sums work/journal.jsonl >journal.sums
    [ "$(wc -l <reference.sums)" -gt 200 ]
    cmp reference.sums journal.sums
}
