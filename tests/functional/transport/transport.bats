#!/usr/bin/env bats
# Sensor and collector over their real connection: enrolled, revoked, deceived, frozen, cut off, without disk. Whatever happens, the
# journal is that of a file job over the same records. POSTERN_BIN and POSTERN_TOOLS are the folders of programs.
# shellcheck disable=SC2154 # bats sets status, output, stderr, lines

bats_require_minimum_version 1.5.0

load lib

@test "a capture goes through spool, TLS and intake, and ends in the minutes of a file job" {
    records bot
    collector
    enroll edge1 tls
    [ "$(stat -c %a tls/key.pem)" = 600 ]
    "$POSTERN_BIN/postern-sensor" -c live.yaml -r bot.pcap --status sensor.json
    [ "$(jq .counters.acknowledged sensor.json)" -eq "$(jq .counters.records sensor.json)" ]
    stop "$collector"
    same_as bot.rec
    [ "$(jq .counters.session_records status.json)" -eq "$(jq .counters.records sensor.json)" ]
    # The same capture again says nothing new.
    collector
    rm -r spool
    "$POSTERN_BIN/postern-sensor" -c live.yaml -r bot.pcap
    stop "$collector"
    dump journal >again.jsonl
    cmp again.jsonl journal.jsonl
}

@test "a token is good once, a wrong fingerprint is noticed, a revoked sensor is cut off" {
    records bot
    collector
    enroll edge1 tls
    run -77 "$POSTERN_BIN/postern-sensor" -c enroll-edge1.yaml --enroll "$token@127.0.0.1:$enroll_port"
    [[ $output == *"the token is not known"* ]]
    wrong=${token%????????}00000000
    run -69 "$POSTERN_BIN/postern-sensor" -c enroll-edge1.yaml --enroll "$wrong@127.0.0.1:$enroll_port"
    [[ $output == *"certificate refused"* ]]
    # While it is sending.
    pump bot.rec spool-a "127.0.0.1:$port" tls 1 100 2>pump.log &
    sending=$!
    echo "$sending" >>pids
    sleep 1.5
    ask sensor revoke edge1
    sleep 1
    grep -q 'edge1: revoked' collector.log
    grep -q 'collector 127.0.0.1' pump.log
    kill -0 "$sending"
    # Enrolled anew it goes on where it was.
    enroll edge1 tls
    wait "$sending"
    run -65 ask sensor revoke nobody
    stop "$collector"
    same_as bot.rec
}

@test "who has no certificate of the collector's authority is refused, and harms nobody" {
    records bot
    collector
    enroll edge1 tls
    mkdir foreign
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=edge1 \
        -keyout foreign/key.pem -out foreign/cert.pem 2>/dev/null
    cp tls/ca.pem foreign/
    timeout 3 "$POSTERN_TOOLS/transport_pump" bot.rec spool-f "127.0.0.1:$port" foreign 5000 7 2>foreign.log &
    pump bot.rec spool-a "127.0.0.1:$port" tls
    wait $! || true
    run -1 openssl s_client -connect "127.0.0.1:$port" -tls1_2 </dev/null
    head -c 3000 /dev/urandom | timeout 5 openssl s_client -connect "127.0.0.1:$port" -cert tls/cert.pem \
        -key tls/key.pem -CAfile tls/ca.pem -quiet >/dev/null 2>&1 || true
    sleep 0.5
    stop "$collector"
    same_as bot.rec
    [ "$(jq .counters.sessions_refused status.json)" -ge 1 ]
    [ "$(jq .counters.broken_messages status.json)" -ge 1 ]
    grep -q 'what comes is no IPFIX' collector.log
}

@test "a sensor speaks only for its domains and prefixes; others go on" {
    records own 1
    records domain 9
    records prefix 1 10.9.0.5
    collector
    enroll edge1 tls --domains 1,2 --prefixes 10.0.0.0/16
    pump domain.rec spool-d "127.0.0.1:$port" tls 9
    pump own.rec spool-o "127.0.0.1:$port" tls 1
    pump prefix.rec spool-p "127.0.0.1:$port" tls 2
    stop "$collector"
    # Coverage names no subscriber: it is not refused by prefix.
    [ "$(jq .counters.refused_foreign_domain status.json)" -eq 523 ]
    "$POSTERN_BIN/postern-collector" -c site.yaml -r prefix.rec -j other --status other.json 2>/dev/null
    [ "$(jq .counters.refused_foreign_prefix status.json)" -eq "$(jq .counters.records_flow other.json)" ]
    jq -e '.problems[] | select(.code == "foreign-records") | .text | contains("edge1")' status.json
    [ "$(dump journal | jq -rs '[.[] | select(.kind == "row") | .subscriber] | unique | join(" ")')" = 10.0.0.5 ]
}

@test "a frozen collector holds nobody up, a frozen sensor loses nothing, a killed collector is found again" {
    records bot
    collector
    # Itself, not within a time limit's process: it is stopped by its number.
    "$POSTERN_TOOLS/transport_pump" bot.rec spool-a "unix:$PWD/in.sock" - 120 1 2>pump.log &
    sending=$!
    echo "$sending" >>pids
    sleep 0.5
    # What is exported goes on into the spool, whether anybody reads or not.
    kill -STOP "$collector"
    before=$(cat spool-a.exported)
    sleep 1
    [ "$(cat spool-a.exported)" -gt $((before + 60)) ]
    kill -CONT "$collector"
    sleep 0.3
    kill -STOP "$sending"
    sleep 1
    kill -CONT "$sending"
    sleep 0.3
    kill -KILL "$collector"
    wait "$collector" || true
    sleep 0.5
    collector
    wait "$sending"
    stop "$collector"
    same_as bot.rec
}

@test "a full disk stops acknowledgement, says so, and recovers by itself" {
    records bot
    mkdir small
    mount -t tmpfs -o size=256k tmpfs small 2>/dev/null || skip "no right to mount a small file system"
    # shellcheck disable=SC2064
    trap "umount -l '$PWD/small'" EXIT
    sed -i 's#^  intake: .*#  intake: small/intake#; s#^  journal: .*#  journal: small/journal#' live.yaml
    mkdir small/journal
    head -c 200000 /dev/zero >small/ballast
    collector
    pump bot.rec spool-a "unix:$PWD/in.sock" - 2>pump.log &
    sending=$!
    echo "$sending" >>pids
    sleep 2
    kill -0 "$sending" # nothing is acknowledged that is not durable
    status_of
    jq -e '.problems[] | select(.code == "disk")' status.json
    grep -q 'the disk refuses' collector.log
    rm small/ballast
    wait "$sending"
    grep -q 'the disk takes records again' collector.log
    stop "$collector"
    cp -r small/journal journal
    sed -i 's#^  journal: .*#  journal: journal#' live.yaml
    same_as bot.rec
    umount -l small
    trap - EXIT
}

@test "an exporter without identity is taken, and its limits are told" {
    command -v softflowd >/dev/null || skip "softflowd is not installed"
    records bot
    collector
    softflowd -r bot.pcap -v 10 -P tcp -n "127.0.0.1:$((port + 2))" -d 2>softflowd.log || skip "this softflowd has no TCP"
    sleep 1
    stop "$collector"
    [ "$(jq .counters.records_of_exporters status.json)" -gt 0 ]
    jq -e '.not_visible[] | select(.detector == "exactly-once")' status.json
}

@test "a malformed template and noise are counted, and harm nobody; a fast sensor is read slowly" {
    records bot
    sed -i 's/^  subscribers: 20000/  subscribers: 20000\n  session_rate: 200/' live.yaml
    collector
    # A template of 65,535 fields in 8 octets; then a set without a template.
    printf '\0\012\0\034\0\0\0\0\0\0\0\0\0\0\0\001\0\002\0\014\001\0\377\377\0\010\0\004' >template.ipfix
    printf '\0\012\0\030\0\0\0\0\0\0\0\0\0\0\0\001\001\053\0\010\001\002\003\004' >set.ipfix
    cat template.ipfix set.ipfix >"/dev/tcp/127.0.0.1/$((port + 2))"
    head -c 5000 /dev/urandom >"/dev/tcp/127.0.0.1/$((port + 2))" || true
    begun=$(date +%s%3N)
    pump bot.rec spool-a "unix:$PWD/in.sock" -
    took=$(($(date +%s%3N) - begun))
    stop "$collector"
    echo "took $took ms"
    [ "$took" -gt 1000 ] # 523 records, 200 at once and then 200 a second
    [ "$(jq .counters.sessions_throttled status.json)" -gt 0 ]
    [ "$(jq .counters.broken_sets status.json)" -eq 1 ]
    [ "$(jq .counters.unknown_templates status.json)" -eq 1 ]
    grep -q '127.0.0.1: a broken set or template is refused' collector.log
    [ "$(jq .counters.broken_messages status.json)" -ge 1 ]
    same_as bot.rec
}

@test "a live sensor whose clock is wrong is named; a stamp of the day after tomorrow changes nothing" {
    records bot
    sed 's/session_rate/&/; s/^  subscribers: 20000/  subscribers: 20000\n  session_rate: 400/' -i live.yaml
    collector
    enroll edge1 tls
    # Two days ahead: but for what comes before its first second, which nobody can know, all is refused, and it goes on.
    pump bot.rec spool-a "127.0.0.1:$port" tls 1 20000 172800
    status_of
    [ "$(jq .counters.refused_far_future status.json)" -ge 519 ]
    # A minute ahead: counted, doubted and told.
    pump bot.rec spool-b "127.0.0.1:$port" tls 2 20000 60 &
    sending=$!
    for _ in $(seq 30); do
        status_of
        jq -e '.problems[] | select(.code == "clock") | .text | test("the clock of edge1 is .* s ahead of the collector")' status.json && break
    done
    jq -e '.problems[] | select(.code == "clock") | .text | test("the clock of edge1 is .* s ahead of the collector")' status.json
    wait "$sending"
    # Right: the time is that of now.
    pump bot.rec spool-c "127.0.0.1:$port" tls 3 20000 -420
    stop "$collector"
    dump journal >journal.jsonl
    [ "$(jq -s '[.[] | select(.kind == "row" and (.doubts // [] | index("clocks-differ")))] | length' journal.jsonl)" -gt 0 ]
    late=$(date -u -d '+1 hour' +%FT%TZ)
    [ "$(jq -s --arg late "$late" '[.[] | select(.kind == "mark" and .mark > $late)] | length' journal.jsonl)" -eq 0 ]
    [ "$(jq .counters.refused_late status.json)" -eq 0 ]
}
