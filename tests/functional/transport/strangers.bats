#!/usr/bin/env bats
# Hundreds of strangers at the ports of sensors and of enrolment: silent, noisy, from one address and from many. An enrolled
# sensor finds its place, and what it says is acknowledged. POSTERN_BIN and POSTERN_TOOLS are the folders of programs.
# shellcheck disable=SC2154 # bats sets status, output, stderr, lines

bats_require_minimum_version 1.5.0

load lib

# crowd PORT COUNT SECONDS idle|garbage one|many
crowd() {
    "$POSTERN_TOOLS/transport_crowd" "$@" >>crowd.log &
    echo $! >>pids
}

@test "six hundred strangers keep no enrolled sensor out, and fill no log" {
    records bot
    sed -i 's/^  subscribers: 20000/  subscribers: 20000\n  sessions: 100/' live.yaml
    collector
    enroll edge1 tls
    crowd "$port" 600 50 idle one
    crowd "$port" 300 50 garbage many
    sleep 1
    # Its address is the strangers' as well.
    begun=$(date +%s%3N)
    pump bot.rec spool-a "127.0.0.1:$port" tls
    echo "acknowledged after $(($(date +%s%3N) - begun)) ms"
    status_of
    [ "$(jq .counters.sessions status.json)" -le 2 ]
    [ "$(jq .counters.strangers status.json)" -ge 16 ]
    [ "$(jq .counters.strangers_gave_way status.json)" -gt 400 ]
    [ "$(jq .counters.strangers_no_tls status.json)" -gt 200 ]
    jq -e '[.problems[] | select(.code == "refused-connections") | .text | startswith("127.0.0.1: ")] | any' status.json
    [ "$(wc -c <status.json)" -lt 60000 ]
    ask status --help >/dev/null
    [ "$(wc -l <collector.log)" -lt 60 ]
    stop "$collector"
    same_as bot.rec
}

@test "a sensor is enrolled while strangers crowd that port; a wrong token waits, is counted, and named with its source" {
    collector
    enroll edge1 tls
    crowd "$enroll_port" 200 50 idle one
    crowd "$enroll_port" 200 50 garbage many
    sleep 0.5
    enroll edge2 tls2
    [ -s tls2/cert.pem ]
    begun=$(date +%s%3N)
    run -77 "$POSTERN_BIN/postern-sensor" -c enroll-edge2.yaml --enroll "$token@127.0.0.1:$enroll_port"
    [ $(($(date +%s%3N) - begun)) -ge 1000 ]
    status_of
    [ "$(jq .counters.refused_tokens status.json)" -eq 1 ]
    [ "$(jq .counters.enrolments_refused status.json)" -eq 1 ]
    jq -e '[.problems[] | select(.code == "refused-connections") | .text | test("^127.0.0.1: .*the token")] | any' status.json
    [ "$(wc -l <collector.log)" -lt 60 ]
    stop "$collector"
}

@test "who says nothing is sent away after ten seconds" {
    collector
    crowd "$port" 10 40 idle one
    crowd "$enroll_port" 3 40 idle one
    sleep 12
    status_of
    [ "$(jq .counters.strangers_late status.json)" -ge 13 ]
    grep -q '127.0.0.1: .*within 10 s' collector.log
    stop "$collector"
}
