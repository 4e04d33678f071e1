#!/usr/bin/env bats
# The evaluation's machinery on a sample small enough for every build: it finds what is there, notices a detector that
# has gone blind, and both levels of generation tell the same. Quality has no thresholds here. POSTERN_BIN is the folder
# of the programs, EVALUATE the evaluator, POSTERN_SOURCE_DIR the tree.
# shellcheck disable=SC2154 # bats sets status, output, stderr, lines

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    tests=$POSTERN_SOURCE_DIR/tests/evaluation
    mkdir -p run/0
}

play() {
    "$EVALUATE" --rates "$tests/rates.tsv" --out run/0 --seeds tuning --warm 1 --attack-days 2 "$@" >run/0/facts.csv
}

# found KIND COLUMN: how many parties of that class have it
found() { awk -F, -v k="$1" -v c="$2" '$2 == k && $5 == "postern" && $6 != "" && (c == 6 || $c == 1)' run/0/scores.csv | wc -l; }

@test "every class is found in a small sample, and the page says whose figures those are" {
    play --each 2 --days 2 --sites 1
    for kind in fast_plain fast_tls fast_blocked slow_plain smarthost socks backconnect guesser guesser_tls \
        backscatter harvester open_relay; do
        [ "$(found $kind 6)" -gt 0 ] || { echo "$kind: none found"; false; }
    done
    # The real bots were not given: nothing can be found, and nothing is.
    [ "$(found neris 6)" -eq 0 ]
    node "$tests/report.mjs" run "$tests/rates.tsv" page 0123456789ab tuning
    grep -q "a model's figure" page/tuning.md
    [ "$(grep -c '^fast_plain,' page/classes-tuning.csv)" -eq 1 ]
    grep -q '^household,' page/innocents-tuning.csv
    grep -q '^ntopng,fast_plain,' page/baselines-tuning.csv
    xmllint --noout page/times-bots.svg page/trade-off.svg
}

@test "a detector that has gone blind is noticed" {
    play --each 1 --days 1 --sites 0 --off socks-relay
    [ "$(found socks 10)" -eq 0 ]
    [ "$(found open_relay 10)" -gt 0 ]
    play --each 1 --days 1 --sites 0 --blind
    [ "$(found fast_plain 6)" -eq 0 ]
    awk -F, '$2 == "fast_plain" && $5 == "ntopng" && $6 != ""' run/0/scores.csv | grep -q . # the baselines go on
}

@test "the same seeds give the same octets, other seeds others" {
    play --each 1 --days 1 --sites 0
    cp run/0/scores.csv first
    play --each 1 --days 1 --sites 0
    cmp first run/0/scores.csv
    play --each 1 --days 1 --sites 0 --seeds test
    run ! cmp -s first run/0/scores.csv
}

@test "packets through sensor and collector, and rows made directly, count the same" {
    awk 'BEGIN {
        srand(7); t = 1
        print "start_s,peer,port,src_port,packets_out,octets_out,packets_in,octets_in,duration_s"
        for (i = 0; i < 150; i++) {
            t += 1 + rand() * 20
            kind = i % 3
            printf "%.3f,100.%d.%d.25,25,%d,", t, 64 + i % 7, i % 40, 2000 + i
            if (kind == 0) print "3,222,0,0,8.940"     # nobody answers
            else if (kind == 1) print "1,74,1,60,0.080" # reset
            else print "12,2400,12,1900,3.000"          # a dialogue
        }
    }' >facts.csv
    printf 'site:\n  subscribers: [10.0.0.0/8]\n' >postern.yaml
    "$POSTERN_BIN/postern-generate" --inject facts.csv@10.0.0.1 --start 2026-10-18T22:00:00Z -o bot.pcap
    "$POSTERN_BIN/postern-sensor" -c postern.yaml -r bot.pcap -o bot.ipfix
    "$POSTERN_BIN/postern-collector" -c postern.yaml -r bot.ipfix -j journal
    "$POSTERN_BIN/postern-collector" -j journal --dump |
        jq -r 'select(.kind == "row") | (.minute | fromdate / 60) as $m | .counters["mx/out"] // {}
            | [$m, .connections // 0, .unanswered // 0, .refused // 0, .established // 0] | @csv' >packets
    "$EVALUATE" --rates "$tests/rates.tsv" --level facts.csv >rows
    # Begun: minute by minute. Outcomes: in sum, since one may be decided on the other side of a minute's end.
    for level in packets rows; do
        awk -F, '{n[$1] += $2; u += $3; r += $4; e += $5}
            END {for (m in n) if (n[m]) print m, n[m]; print "sum", u, r, e}' "$level" | sort >"$level.counts"
    done
    diff packets.counts rows.counts
    grep -qx 'sum 50 50 50' rows.counts
}
