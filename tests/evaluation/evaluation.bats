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
    mkdir run/curve-0
    "$EVALUATE" --rates "$tests/rates.tsv" --out run/curve-0 --warm 1 --each 1 --days 1 --sites 1 --sets guilty --open 0.5 \
        >run/curve-0/facts.csv
    node "$tests/report.mjs" run "$tests/rates.tsv" page 0123456789ab tuning
    grep -q "a model's figure" page/tuning.md
    # At the highest rate drawn nothing is found that is not found there at all, and fast bots are.
    awk -F, '$1 == "postern" && $2 == "fast_plain" && $NF == 1' page/trade-off-tuning.csv | grep -q .
    awk -F, 'NR > 1 {for (i = 4; i <= NF; i++) if ($i < $(i - 1)) exit 1}' page/trade-off-tuning.csv
    [ "$(grep -c '^fast_plain,' page/classes-tuning.csv)" -eq 1 ]
    grep -q '^household,' page/innocents-tuning.csv
    grep -q '^ntopng,fast_plain,' page/baselines-tuning.csv
    xmllint --noout page/times-bots-tuning.svg page/trade-off-tuning.svg
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

# facts SEED: conversations to mail ports and others, unanswered, refused, short and long.
facts() {
    awk -v seed="$1" 'BEGIN {
        srand(seed); t = 1
        print "start_s,peer,port,src_port,packets_out,octets_out,packets_in,octets_in,duration_s"
        split("25 587 465 993 1080 443 25 110", port, " ")
        for (i = 0; i < 240; i++) {
            t += 1 + rand() * 20
            printf "%.3f,100.%d.%d.25,%d,%d,", t, 64 + i % 7, i % 40, port[i % 8 + 1], 2000 + i
            if (i % 3 == 0) print "3,222,0,0,8.940"     # nobody answers
            else if (i % 3 == 1) print "1,74,1,60,0.080" # reset
            else if (i % 9 == 2) print "60,24000,50,39000,400.000"
            else print "12,2400,12,1900,3.000"
        }
    }'
}

# packets CSV, rows CSV: begun minute by minute, outcomes and octets in sum, by role.
packets() {
    printf 'site:\n  subscribers: [10.0.0.0/8, "2001:db8::/32"]\n' >postern.yaml
    "$POSTERN_BIN/postern-generate" --inject "$1@10.0.0.1,2001:db8::1" --start 2026-10-18T22:00:00Z -o bot.pcap
    "$POSTERN_BIN/postern-sensor" -c postern.yaml -r bot.pcap -o bot.ipfix
    rm -rf journal
    "$POSTERN_BIN/postern-collector" -c postern.yaml -r bot.ipfix -j journal
    "$POSTERN_BIN/postern-collector" -j journal --dump |
        jq -r 'select(.kind == "row") | (.minute | fromdate / 60) as $m | .counters | to_entries[]
            | [$m, (.key | split("/")[]), (.value | .connections // 0, .unanswered // 0, .refused // 0,
                .established // 0, .octets_up // 0, .octets_down // 0)] | join(",")' | sum
}
rows() { "$EVALUATE" --level "$1" | sum; }
# Outcomes in sum, since one may be decided on the other side of a minute's end.
sum() {
    awk -F, '{k = $2 "," $3; n[k "," $1] += $4; c[k] += $4; u[k] += $5; r[k] += $6; e[k] += $7; up[k] += $8; down[k] += $9}
        END {for (m in n) if (n[m]) print m, n[m]; for (k in c) {print "sum", k, c[k], u[k], r[k], e[k]
            print "octets", k, up[k], down[k]}}' | sort
}

# agree A B: the same counts, and octets within two in a hundred (padding on the wire is nobody's octets).
agree() {
    diff <(grep -v ^octets "$1") <(grep -v ^octets "$2") || return 1
    join -j 2 <(grep ^octets "$1") <(grep ^octets "$2") |
        awk '{for (i = 3; i < 5; i++) {d = $i - $(i + 3); if (d < 0) d = -d; if (d > $i / 50) {print "octets:", $0; bad = 1}}}
            END {exit bad}'
}

@test "packets through sensor and collector, and rows made directly, count the same" {
    facts 7 >facts.csv
    packets facts.csv >by-packets
    rows facts.csv >by-rows
    agree by-packets by-rows
    for role in mx submission access other; do grep -qx "sum $role,out 60 20 20 20" by-rows; done
    [ "$(grep -c . by-rows)" -gt 150 ]
}

@test "that comparison fails when one level is off by a flow, an outcome or some octets" {
    facts 7 >facts.csv
    rows facts.csv >whole
    sed 40d facts.csv >less.csv
    rows less.csv >without-one
    run ! agree whole without-one
    awk -F, -v OFS=, 'NR == 4 {$7 = $8 = 0} 1' facts.csv >silent.csv # the first that is answered
    rows silent.csv >silent
    run ! agree whole silent
    awk -F, -v OFS=, '$5 == 12 {$6 += 400} 1' facts.csv >more.csv
    rows more.csv >heavier
    run ! agree whole heavier
}

# dialogues SEED: what is said in 120 conversations.
dialogues() {
    awk -v seed="$1" 'BEGIN {
        srand(seed); t = 2
        print "start_s,what,rcpt_ok,rcpt_4xx,rcpt_5xx,login"
        split("mx refused starttls submission access socks socks-failed mx submission access mx socks", what, " ")
        split("right wrong", login, " ")
        for (i = 0; i < 120; i++) {
            t += 5 + rand() * 10; w = what[i % 12 + 1]
            mail = w == "mx" || w == "starttls" || w == "submission" || w == "socks"
            printf "%.3f,%s,%d,%d,%d,%s\n", t, w, mail ? rand() * 3 : 0, mail ? rand() * 2 : 0, mail ? rand() * 4 : 0,
                w == "submission" || w == "access" ? login[int(rand() * 2) + 1] : "none"
        }
    }'
}

# said-by-packets CSV, said-by-rows CSV: reply classes, logins, SOCKS grants and digests, in sum.
said_by_packets() {
    printf 'scenario:\n  start: 2026-10-18T22:00:00Z\n  lasts: 40m\n  path: {loss: 0, reorder: 0}\n  parties:\n    dialogue: [{name: who, address: 10.20.0.9, file: %s}]\n' "$1" >who.yaml
    printf 'site:\n  subscribers: [10.20.0.0/16]\nsensor: {legal_profile: full-envelope}\n' >who.site.yaml
    "$POSTERN_BIN/postern-generate" -s who.yaml -o who.pcap
    "$POSTERN_BIN/postern-sensor" -c who.site.yaml -r who.pcap -o who.ipfix
    rm -rf who.journal
    "$POSTERN_BIN/postern-collector" -c who.site.yaml -r who.ipfix -j who.journal
    "$POSTERN_BIN/postern-collector" -j who.journal --dump | jq -r --argjson what '["connections", "established", "unanswered",
        "closed_early", "banner_ok", "banner_5xx", "helo", "tls_sessions", "starttls_unasked", "mail", "rcpt", "rcpt_ok", "rcpt_4xx",
        "rcpt_5xx", "messages_ok", "sessions_550_no_data", "auth", "auth_failed", "quit_missing"]' '
        def flag($f): if (.flags // [] | index($f)) then 1 else 0 end;
        select(.kind == "row")
        | (.counters | to_entries[] | select(.key | test("^(mx|submission|access)/out$")) | .key as $k | .value | to_entries[]
            | select(.key | IN($what[])) | "\($k) \(.key) \(.value)"),
          (.gauges.socks_in_granted // empty | "gauge socks_in_granted \(.)"),
          (.digests[]? | select(.role != "other") | (if flag("outcome") == 1 then "digest \(.role)/\(.outcome) 1" else empty end),
                "digest \(.role)/auth \(flag("auth"))",
                "digest \(.role)/auth_failed \(flag("auth-failed"))", "digest \(.role)/rcpt \(.rcpt // 0)",
                "digest \(.role)/rcpt_5xx \(.rcpt_5xx // 0)", "digest \(.role)/messages_ok \(.messages_ok // 0)")' | add
}
said_by_rows() { "$EVALUATE" --dialogues "$1" | add; }
add() { awk '{n[$1 " " $2] += $3} END {for (k in n) if (n[k]) print k, n[k]}' | sort; }

@test "both levels tell the same of what is said: reply classes, logins, SOCKS grants" {
    dialogues 5 >said.csv
    said_by_packets said.csv >by-packets
    said_by_rows said.csv >by-rows
    diff by-packets by-rows
    for what in 'mx/out rcpt_4xx' 'mx/out rcpt_5xx' 'mx/out banner_5xx' 'submission/out auth_failed' 'access/out auth_failed' \
        'digest mx/closed-early' 'mx/out sessions_550_no_data'; do
        grep -q "^$what [1-9]" by-rows
    done
    grep -qx 'gauge socks_in_granted 20' by-rows
}

@test "that comparison fails when one level is off by a reply, a login or a grant" {
    dialogues 5 >said.csv
    said_by_rows said.csv >whole
    for change in 's/,mx,\([0-9]\),\([0-9]\),0,/,mx,\1,\2,1,/' 's/,access,0,0,0,right/,access,0,0,0,wrong/' 's/,socks,/,socks-failed,/' \
        's/,refused,/,mx,/'; do
        sed "$change" said.csv >changed.csv
        run ! cmp -s said.csv changed.csv
        said_by_rows changed.csv >changed
        run ! cmp -s whole changed
    done
    printf 'start_s,what,rcpt_ok,rcpt_4xx,rcpt_5xx,login\n1,mx,1,0,0,maybe\n' >wrong.csv
    run -65 "$EVALUATE" --dialogues wrong.csv
    [[ $output == "wrong.csv:2: "* ]]
}

@test "any facts can be played: ports, both families, repeated and unsorted rows count as they should" {
    {
        facts 9 | head -40
        facts 9 | tail -100 | sort -t, -k4,4nr # later ones first in no order
        facts 9 | sed -n 5,24p                 # twenty again
        printf '7000.5,2a00:77::%d,25,3%03d,12,2900,12,2300,3.000\n' 1 1 2 2 3 3
        printf '7100,2a00:78::1,587,3200,3,282,0,0,8.940\n'
    } >facts.csv
    packets facts.csv >by-packets 2>noise
    rows facts.csv >by-rows 2>said
    agree by-packets by-rows
    grep -q '20 rows say the same as another' said
    grep -q '20 rows say the same as another' noise
    [ "$(awk '$1 == "sum" {n += $3} END {print n}' by-rows)" -eq 143 ]
}

@test "a folder of facts is a class a file, on an open and on a blocked site, and none is invented" {
    mkdir bots
    facts 3 >bots/mixed.csv
    awk -F, -v OFS=, 'NR == 1 || $3 == 587 {print}' bots/mixed.csv >bots/submits.csv
    awk 'BEGIN {
        print "start_s,peer,port,src_port,packets_out,octets_out,packets_in,octets_in,duration_s"
        for (i = 0; i < 900; i++) printf "%.1f,100.%d.%d.9,25,%d,14,3000,13,2100,4.1\n", i * 4, 70 + i % 9, i % 250, 2000 + i
    }' >bots/answered.csv
    play --each 2 --days 2 --sites 0 --only real,real_blocked --bots bots
    [ "$(awk -F, '$5 == "postern"' run/0/scores.csv | wc -l)" -eq 12 ]
    for name in mixed submits answered; do
        for site in open declared; do grep -q "^[a-z]*,${name}_$site,1," run/0/scores.csv; done
    done
    grep -qx 'class,answered,900 flows; 900 answered' run/0/facts.csv
    grep -qx 'real bots,3' run/0/facts.csv
    node "$tests/report.mjs" run "$tests/rates.tsv" page 0123456789ab tuning
    grep -q '^| answered_open: ' page/tuning.md
}

@test "what is wrong in a CSV is said with file, line and column" {
    mkdir bots
    wrong() { # wrong LINE:COLUMN TEXT ROW
        { facts 3 | head -3; printf '%s\n' "$3"; } >bots/x.csv
        run -65 "$EVALUATE" --rates "$tests/rates.tsv" --out run/0 --bots bots --each 1
        [[ $output == *"bots/x.csv:$1: "*"$2"* ]] || { echo "$output"; false; }
    }
    wrong 4:1 "is no time" 'yesterday,100.64.0.1,25,1025,3,222,0,0,8.9'
    wrong 4:5 "is no IP address" '1.0,100.64.0.256,25,1025,3,222,0,0,8.9'
    wrong 4:16 "is no port" '1.0,100.64.0.1,65536,1025,3,222,0,0,8.9'
    wrong 4:24 "is no number of packets" '1.0,100.64.0.1,25,1025,-3,222,0,0,8.9'
    wrong 4:39 "is one field too many" '1.0,100.64.0.1,25,1025,3,222,0,0,8.90,'
    wrong 4:28 "fields are there" '1.0,100.64.0.1,25,1025,3,22'
    wrong 4:1 "without packets" '1.0,100.64.0.1,25,1025,0,0,0,0,8.9'
    printf 'when,peer\n' >bots/x.csv
    run -65 "$EVALUATE" --rates "$tests/rates.tsv" --out run/0 --bots bots --each 1
    [[ $output == *"bots/x.csv:1:1: "*"is no column"* ]]
    facts 3 | head -1 >bots/x.csv
    run -65 "$EVALUATE" --rates "$tests/rates.tsv" --out run/0 --bots bots --each 1
    [[ $output == *"bots/x.csv:2:1: there is no flow"* ]]
    rm bots/x.csv
    run -66 "$EVALUATE" --rates "$tests/rates.tsv" --out run/0 --bots bots --each 1
    [[ $output == *"no file ends in .csv"* ]]
    run -66 "$EVALUATE" --rates "$tests/rates.tsv" --out run/0 --bots none --each 1
}
