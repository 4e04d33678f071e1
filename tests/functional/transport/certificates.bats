#!/usr/bin/env bats
# Certificates that end are renewed while everything runs: the collector's own and the sensors'. POSTERN_BIN and POSTERN_TOOLS
# are the folders of programs.
# shellcheck disable=SC2154 # bats sets status, output, stderr, lines

bats_require_minimum_version 1.5.0

load lib

# sign CSR SERIAL DAYS OUT [EXTENSIONS]: by the collector's authority, half a year old and good for DAYS more
sign() {
    mkdir -p signer
    : >signer/index.txt
    echo "$2" >signer/serial
    cat >signer/conf <<CONF
[ca]
default_ca = own
[own]
dir = signer
database = signer/index.txt
new_certs_dir = signer
serial = signer/serial
certificate = ca/ca.pem
private_key = ca/ca.key
default_md = sha256
policy = any
[any]
commonName = supplied
[client]
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
[server]
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost,IP:127.0.0.1
CONF
    openssl ca -config signer/conf -extensions "${5:-client}" -in "$1" -out "$4" -batch -notext \
        -startdate "$(date -u -d '-180 days' +%Y%m%d%H%M%SZ)" -enddate "$(date -u -d "+$3 days" +%Y%m%d%H%M%SZ)" 2>signer/log
}

# days_left FILE: until the certificate ends
days_left() { echo $((($(date -d "$(openssl x509 -in "$1" -noout -enddate | cut -d= -f2)" +%s) - $(date +%s)) / 86400)); }

serial_of() { openssl x509 -in "$1" -noout -serial | cut -d= -f2; }

@test "the collector's own certificate is renewed while it runs, and connections go on" {
    records bot
    collector
    enroll edge1 tls
    pump bot.rec spool-a "127.0.0.1:$port" tls 1 50 2>pump.log &
    sending=$!
    echo "$sending" >>pids
    # One that ends in five days takes its place.
    openssl req -new -key ca/key.pem -subj /CN=postern-collector -out csr.pem
    sign csr.pem 0A0B0C 5 short.pem server
    [ "$(days_left short.pem)" -lt 6 ]
    cat short.pem ca/ca.pem >ca/cert.new
    mv ca/cert.new ca/cert.pem
    for _ in $(seq 80); do grep -q "collector's certificate was renewed" collector.log && break || sleep 0.1; done
    grep -q "collector's certificate was renewed" collector.log
    for _ in $(seq 40); do [ "$(grep -c 'new connections get this certificate' collector.log)" -ge 1 ] && break || sleep 0.1; done
    [ "$(days_left ca/cert.pem)" -gt 1000 ]
    openssl s_client -connect "127.0.0.1:$port" -cert tls/cert.pem -key tls/key.pem -CAfile tls/ca.pem </dev/null 2>/dev/null |
        openssl x509 >served.pem
    [ "$(serial_of served.pem)" = "$(serial_of ca/cert.pem)" ]
    kill -0 "$sending" # it has gone on
    wait "$sending"
    run -1 grep 'records wait in the spool' pump.log
    stop "$collector"
    same_as bot.rec
    # One that cannot be read leaves the one in use.
    collector
    echo nonsense >ca/cert.pem
    for _ in $(seq 40); do grep -q 'cannot be renewed' collector.log && break || sleep 0.1; done
    grep -q 'cannot be renewed' collector.log
    pump bot.rec spool-b "127.0.0.1:$port" tls
}

@test "a sensor renews its certificate while it sends; the earlier one stays good until it is revoked" {
    records bot
    sed -i 's/^  subscribers: 20000/  subscribers: 20000\n  session_rate: 200/' live.yaml
    collector
    enroll edge1 tls --domains 1
    [ "$(cat tls/enroll)" = "127.0.0.1:$enroll_port" ]
    serial=$(serial_of tls/cert.pem)
    openssl req -new -key tls/key.pem -subj /CN=edge1 -out csr.pem
    sign csr.pem "$serial" 5 short.pem
    cp short.pem tls/cert.pem
    cp tls/key.pem key.before
    "$POSTERN_BIN/postern-sensor" -c live.yaml -r bot.pcap --status sensor.json 2>sensor.log
    grep -q 'the certificate was renewed' sensor.log
    [ "$(jq .counters.certificates_renewed sensor.json)" -eq 1 ]
    [ "$(jq .counters.connections_lost sensor.json)" -eq 0 ]
    [ "$(days_left tls/cert.pem)" -gt 300 ]
    [ "$(serial_of tls/cert.pem)" != "$serial" ]
    cmp key.before tls/key.pem
    grep -q 'enrolment of edge1: a certificate was given' collector.log
    jq -e '.problems | map(.code) | index("certificate") | not' sensor.json
    # Both are known, after a restart too; the answer might have been lost on its way.
    stop "$collector"
    same_as bot.rec
    collector
    mkdir early
    cp tls/key.pem tls/ca.pem early/
    cp short.pem early/cert.pem
    pump bot.rec spool-e "127.0.0.1:$port" early
    pump bot.rec spool-t "127.0.0.1:$port" tls
    ask sensor revoke edge1
    for folder in early tls; do
        "$POSTERN_TOOLS/transport_pump" bot.rec "spool-$folder" "127.0.0.1:$port" "$folder" 5000 1 2>"$folder.log" &
        echo $! >>pids
        for _ in $(seq 100); do grep -q 'records wait in the spool' "$folder.log" && break || sleep 0.1; done
        kill $!
        wait $! || true
        grep -q 'records wait in the spool' "$folder.log"
    done
    grep -q 'its certificate was revoked' collector.log # one line a source and minute
    status_of
    [ "$(jq .counters.refused_revoked status.json)" -ge 2 ]
}

@test "a certificate that was revoked is not renewed, and the sensor says so" {
    records bot
    sed -i 's/^  subscribers: 20000/  subscribers: 20000\n  session_rate: 200/' live.yaml
    collector
    enroll edge1 tls
    openssl req -new -key tls/key.pem -subj /CN=edge1 -out csr.pem
    sign csr.pem 0D0E0F 5 short.pem # of the authority, and never given to anybody
    cp tls/cert.pem good.pem
    cp short.pem tls/cert.pem
    "$POSTERN_BIN/postern-sensor" -c live.yaml -r bot.pcap 2>sensor.log &
    echo $! >>pids
    for _ in $(seq 100); do grep -q 'could not be renewed' sensor.log && break || sleep 0.1; done
    kill $!
    wait $! || true
    grep -q 'could not be renewed: the collector refused: the certificate was revoked' sensor.log
    cmp short.pem tls/cert.pem
    # Without the place of its enrolment the sensor goes on, and says what is missing.
    openssl req -new -key tls/key.pem -subj /CN=edge1 -out csr.pem
    sign csr.pem "$(serial_of good.pem)" 5 tls/cert.pem
    rm tls/enroll
    "$POSTERN_BIN/postern-sensor" -c live.yaml -r bot.pcap --status sensor.json 2>sensor.log
    jq -e '.problems[] | select(.code == "certificate") | .text | contains("does not say where it was enrolled")' sensor.json
    stop "$collector"
    same_as bot.rec
}

@test "a sensor without a domain takes what the enrolment gave it; another one is refused in words" {
    records bot
    collector
    run -0 ask sensor enroll edge1 --domains auto
    [[ $output == *"It speaks for domains 1048576-1049599"* ]]
    enroll edge1 tls --domains auto
    [ "$(cat tls/domains)" = 1048576-1049599 ]
    # live.yaml says domain 1.
    run -78 "$POSTERN_BIN/postern-sensor" -c live.yaml -r bot.pcap
    [[ $output == *"sensor.domain: 1 is not among those this sensor was enrolled for; leave the key out, or enrol it again with --domains 1"* ]]
    # Its records are refused by the collector as well, and it says which.
    pump bot.rec spool-w "127.0.0.1:$port" tls 1
    grep -q 'edge1: records of domain 1 are refused: it was enrolled for 1048576-1049599' collector.log
    sed -i '/^  domain: /d' live.yaml
    "$POSTERN_BIN/postern-sensor" -c live.yaml -r bot.pcap --status sensor.json
    [ "$(jq .counters.acknowledged sensor.json)" -eq "$(jq .counters.records sensor.json)" ]
    # Another instance has another, the same one at its next start.
    sed 's/^  spool: .*/  spool: spool-2/' live.yaml >second.yaml
    "$POSTERN_BIN/postern-sensor" -c second.yaml --instance two -r bot.pcap
    [ "$(find tls -name 'domain-*' -printf '%f\n' | sort | tr '\n' ' ')" = 'domain-1048576 domain-1048640 ' ]
    rm -r spool-2
    "$POSTERN_BIN/postern-sensor" -c second.yaml --instance two -r bot.pcap
    [ "$(find tls -name 'domain-*' | wc -l)" -eq 2 ]
    stop "$collector"
    [ "$(jq .counters.refused_foreign_domain status.json)" -eq 523 ]
    [ "$(jq .counters.sensors status.json)" -eq 2 ]
}
