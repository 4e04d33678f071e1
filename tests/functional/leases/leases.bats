#!/usr/bin/env bats
# Whose an address was, from files: look-ups as the desk makes them, lease sources in a configuration, and a
# change of hands in the middle of a minute. POSTERN_BIN is the folder of the programs.
# shellcheck disable=SC2154 # bats sets status, output, lines

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    export POSTERN_SANDBOX_STRICT=1
    PATH=$POSTERN_BIN:$PATH
    cat >leases.csv <<'CSV'
realm,prefix,port_first,port_last,party,start,end,last_seen,interim_s,mac,nas,session,user,pop,class
,10.0.0.1,,,line:anna,2026-01-01T00:00:00Z,2026-01-01T10:00:00Z,,,,bng-1,,,north,residential
,10.0.0.1,,,line:bert,2026-01-01T10:00:10Z,,2026-01-01T12:30:00Z,,,bng-1,,,north,residential
,100.64.0.5,,,line:carl,2026-01-01T00:00:00Z,2027-01-01T00:00:00Z,,,,bng-1,,,south,residential
CSV
    cat >kea.csv <<'CSV'
address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context
10.0.0.2,02:00:5e:10:00:02,,3600,1767265200,1,0,0,,0,{ "ISC": { "relay-agent-info": "0x0203616263" } }
CSV
    cat >isc.leases <<'LEASES'
lease 10.0.0.3 {
  starts 4 2026/01/01 10:00:00;
  ends 4 2026/01/01 11:00:00;
  binding state active;
  hardware ethernet 02:00:5e:10:00:03;
}
LEASES
    printf 'outside,port_first,port_last,inside,start,end\n198.51.100.9,2048,3071,100.64.0.5,,\n' >blocks.csv
    cat >postern.yaml <<'YAML'
collector:
  leases: leases.csv
  lease_sources:
    - {kind: kea, path: kea.csv, pop: east}
    - {kind: isc, path: isc.leases}
    - {kind: cgnat-formula, outside: [198.51.100.0/30], inside: [100.64.0.0/24], ports: 512}
    - {kind: cgnat-table, path: blocks.csv}
YAML
}

# party ADDRESS@TIME: by the configuration's sources
party() {
    postern lookup "$1" -c postern.yaml --purpose test --json | jq -r '.party + " " + .confidence'
}

@test "a look-up names the party, or says why it does not" {
    run postern lookup 10.0.0.1@2026-01-01T11:00:00Z -l leases.csv --purpose "case 12"
    [ "$status" -eq 0 ]
    [[ "$output" == *"line:bert, certain"* ]]
    run postern lookup 10.0.0.1@2026-01-01T10:01:00Z -l leases.csv --purpose "case 12"
    [[ "$output" == *"ambiguous"*"change of hands"*"line:anna"*"line:bert"* ]]
    run postern lookup 10.0.0.1@2026-01-01T14:00:00Z -l leases.csv --purpose "case 12"
    [[ "$output" == *"line:bert, stale"* ]]
    # The window tells who else had it.
    run postern lookup 10.0.0.1@2026-01-01T11:00:00Z -l leases.csv --purpose "case 12" --window 2h
    [[ "$output" == *"also within 120 min: line:anna"* ]]
}

@test "a look-up needs a purpose, an address and a time" {
    run postern lookup 10.0.0.1@2026-01-01T11:00:00Z -l leases.csv
    [ "$status" -eq 64 ]
    [[ "$output" == *"--purpose"* ]]
    run postern lookup 10.0.0.256@2026-01-01T11:00:00Z -l leases.csv --purpose x
    [ "$status" -eq 64 ]
    run postern lookup 10.0.0.1 -l leases.csv --purpose x
    [ "$status" -eq 64 ]
    [[ "$output" == *"@2026-"* ]]
    run postern lookup 10.0.0.1@2026-01-01T11:00:00Z -l none.csv --purpose x
    [ "$status" -eq 66 ]
    # Nobody runs here.
    run postern lookup 10.0.0.1 --run "$PWD" --purpose x
    [ "$status" -eq 69 ]
}

@test "Kea's and ISC's files, port blocks by formula and by table" {
    [ "$(party 10.0.0.2@2026-01-01T10:30:00Z)" = "line:abc certain" ]
    [ "$(party 10.0.0.3@2026-01-01T10:30:00Z)" = "line:02:00:5e:10:00:03 certain" ]
    [ "$(party 10.0.0.3@2026-01-01T11:30:00Z)" = "provisional:10.0.0.3 unknown" ]
    # 126 blocks of 512 ports an address from 1024 on: the sixth block of the first is 100.64.0.5.
    [ "$(party 198.51.100.0:3584@2026-01-01T10:30:00Z)" = "line:carl certain" ]
    [ "$(party 198.51.100.0:4095@2026-01-01T10:30:00Z)" = "line:carl certain" ]
    [ "$(party 198.51.100.0:4096@2026-01-01T10:30:00Z)" = "provisional:198.51.100.0:4096-4607 unknown" ]
    [ "$(party 198.51.100.9:3000@2026-01-01T10:30:00Z)" = "line:carl certain" ]
    # Without a port it is anybody's.
    [[ "$(party 198.51.100.0@2026-01-01T10:30:00Z)" == *ambiguous ]]
}

@test "a dated map of prefixes: static products, and networks before and after a renumbering" {
    cat >map.csv <<'CSV'
,10.80.0.0/28,,,line:school,2026-01-01T00:00:00Z,2026-06-01T03:00:00Z,,,,,,,west,business
,10.81.0.0/28,,,line:school,2026-06-01T03:00:00Z,,,,,,,,west,business
,10.80.0.0/28,,,line:clinic,2026-06-01T03:00:00Z,,,,,,,,west,business
CSV
    echo '    - {kind: prefix-map, path: map.csv}' >>postern.yaml
    while read -r asked expected; do
        said=$(party "$asked")
        [ "$said" = "$expected" ] || { echo "$asked: $said, not $expected"; return 1; }
    done <<'CASES'
10.80.0.7@2026-05-31T12:00:00Z line:school certain
10.81.0.7@2026-05-31T12:00:00Z provisional:10.81.0.7 unknown
10.80.0.7@2026-06-01T02:59:00Z provisional:10.80.0.7 ambiguous
10.80.0.7@2026-06-01T03:02:01Z line:clinic certain
10.81.0.7@2027-06-01T12:00:00Z line:school certain
10.80.0.16@2026-05-31T12:00:00Z provisional:10.80.0.16 unknown
CASES
}

@test "what a lease source lacks is said with its entry" {
    printf 'collector:\n  lease_sources:\n    - {kind: radius, party: client-id}\n    - {kind: kea}\n' >bad.yaml
    run postern-collector -c bad.yaml --check
    [ "$status" -eq 78 ]
    [[ "$output" == *"entry 1 (radius): party"* ]]
    [[ "$output" == *"entry 1 (radius): listen is missing"* ]]
    [[ "$output" == *"entry 1 (radius): clients is missing"* ]]
    [[ "$output" == *"entry 1 (radius): secret_file is missing"* ]]
    [[ "$output" == *"entry 2 (kea): path is missing"* ]]
    printf 'collector:\n  lease_sources:\n    - {kind: kea, path: none.csv}\n' >bad.yaml
    run postern-collector -c bad.yaml -r /dev/null -j journal
    [ "$status" -eq 66 ]
    [[ "$output" == *"none.csv"* ]]
}

@test "confidence, ambiguity and staleness by practice's numbers; realms, delegated prefixes" {
    cat >more.csv <<'CSV'
,10.0.0.7,,,line:early,2026-01-01T00:00:00Z,2026-01-01T10:00:00Z,,,,,,,,
,10.0.0.7,,,line:late,2026-01-01T10:00:00Z,,2026-01-01T10:30:00Z,1800,,,,,,
,10.0.0.8,,,line:same,2026-01-01T00:00:00Z,2026-01-01T10:00:00Z,,,,,,,,
,10.0.0.8,,,line:same,2026-01-01T10:00:00Z,2026-01-01T20:00:00Z,,,,,,,,
vlan:7,10.0.0.7,,,line:shop,2026-01-01T00:00:00Z,2027-01-01T00:00:00Z,,,,,,,,
b4:2001:db8:b4::1,192.168.1.5,,,line:dslite,2026-01-01T00:00:00Z,2027-01-01T00:00:00Z,,,,,,,,
,2001:db8:7::/48,,,line:six,2026-01-01T00:00:00Z,2027-01-01T00:00:00Z,,,,,,,,
,2001:db8:7:ff00::/56,,,line:within,2026-01-01T00:00:00Z,2027-01-01T00:00:00Z,,,,,,,,
,2001:db8:aaaa::9,,,line:six,2026-01-01T00:00:00Z,2027-01-01T00:00:00Z,,,,,,,,
CSV
    while read -r asked expected; do
        said=$(postern lookup "$asked" -l more.csv --purpose test --json | jq -r '.party + " " + .confidence')
        [ "$said" = "$expected" ] || { echo "$asked: $said, not $expected"; return 1; }
    done <<'CASES'
10.0.0.7@2026-01-01T09:57:59Z line:early certain
10.0.0.7@2026-01-01T09:58:01Z provisional:10.0.0.7 ambiguous
10.0.0.7@2026-01-01T10:01:59Z provisional:10.0.0.7 ambiguous
10.0.0.7@2026-01-01T10:02:01Z line:late certain
10.0.0.7@2026-01-01T11:30:00Z line:late certain
10.0.0.7@2026-01-01T11:30:01Z line:late stale
10.0.0.8@2026-01-01T10:00:30Z line:same certain
vlan:7/10.0.0.7@2026-01-01T10:00:00Z line:shop certain
vlan:8/10.0.0.7@2026-01-01T12:00:00Z provisional:vlan:8/10.0.0.7 unknown
b4:2001:db8:b4::1/192.168.1.5@2026-01-01T12:00:00Z line:dslite certain
2001:db8:7:1::2@2026-01-01T12:00:00Z line:six certain
2001:db8:7:ff11::2@2026-01-01T12:00:00Z line:within certain
[2001:db8:aaaa::9]:25@2026-01-01T12:00:00Z line:six certain
2001:db8:aaaa::8@2026-01-01T12:00:00Z provisional:2001:db8:aaaa::8 unknown
CASES
    run postern lookup 10.0.0.7@2026-01-01T10:20:00Z -l more.csv --purpose test --window 30m
    [[ "$output" == *"line:late"*"also within 30 min: line:early"* ]]
    run postern lookup 10.0.0.7@2026-01-01T10:20:00Z -l more.csv --purpose test --window 10m
    [[ "$output" != *"line:early"* ]]
}

@test "who claims an address together is named, and nobody may be cut off for it" {
    cat >claims.csv <<'CSV'
,10.0.0.9,,,line:first,2026-01-01T00:00:00Z,,2026-01-01T12:00:00Z,,,,,,,
,10.0.0.9,,,line:second,2026-01-01T00:00:00Z,,2026-01-01T12:00:00Z,,,,,,,
,10.0.0.10,,,line:static,2026-01-01T00:00:00Z,2027-01-01T00:00:00Z,,,,,,,,,csv
,10.0.0.10,,,line:dialled,2026-01-01T10:00:00Z,,2026-01-01T12:00:00Z,,,,,,,,radius
CSV
    run postern lookup 10.0.0.9@2026-01-01T12:00:00Z -l claims.csv --purpose test
    [ "$status" -eq 0 ]
    [[ "$output" == *"provisional:10.0.0.9, ambiguous"*"no quarantine"*"two leases claim the address"* ]]
    [[ "$output" == *"line:first"* && "$output" == *"line:second"* ]]
    run postern lookup 10.0.0.10@2026-01-01T12:00:00Z -l claims.csv --purpose test
    [[ "$output" == *"provisional:10.0.0.10, ambiguous"*"line:static"* && "$output" == *"line:dialled"* ]]
    # Before the session the static line is alone.
    run postern lookup 10.0.0.10@2026-01-01T09:00:00Z -l claims.csv --purpose test
    [[ "$output" == *"line:static, certain"* ]]
    # A DHCP server's lease is told by the file it stands in.
    run postern lookup 10.0.0.2@2026-01-01T10:30:00Z -c postern.yaml --purpose test
    [[ "$output" == *"told by"*"kea"*"kea.csv"* ]]
}

teardown() {
    [ ! -f pid ] || kill "$(cat pid)" 2>/dev/null || true
}

# acct WORDS...: one accounting packet to the collector that runs
acct() {
    printf '%s\n' "$*" | radclient -r 1 -t 2 "127.0.0.1:$port" acct s3cret >/dev/null 2>&1
}

# says ADDRESS TEXT: within a few seconds the running collector says so
says() {
    local said
    for _ in $(seq 60); do
        said=$(postern lookup "$1" --run "$PWD" --purpose "case 3" 2>&1) || true
        [[ "$said" != *"$2"* ]] || return 0
        sleep 0.1
    done
    echo "$said"
    return 1
}

@test "a running collector takes accounting, answers look-ups, and shreds old days" {
    port=$((20000 + RANDOM % 10000))
    printf 's3cret\n' >secret
    chmod 600 secret
    mkdir keys
    cat >live.yaml <<YAML
site:
  run_directory: $PWD
collector:
  listen: ["unix:$PWD/in.sock"]
  journal: journal
  journal_keys: keys
  intake: intake
  lease_history: history.csv
  lease_sources:
    - {kind: radius, listen: "127.0.0.1:$port", clients: [127.0.0.1/32], secret_file: secret, pop: north}
    - {kind: kea, path: kea.csv}
    - {kind: csv, path: static.csv}
    - {kind: prefix-map, path: map.csv}
    - {kind: cgnat-table, path: blocks.csv}
YAML
    head -1 leases.csv >static.csv
    cp static.csv map.csv
    printf 'outside,port_first,port_last,inside,start,end\n' >blocks.csv
    # A journal of long ago, with its key.
    head -c 32 /dev/zero | od -An -v -tx1 | tr -d ' \n' >keys/20200101.key
    mkdir journal
    printf x >journal/20200101.000001.pj
    printf x >journal/20200102.000001.pj
    postern-collector -c live.yaml 2>log &
    echo $! >pid
    for _ in $(seq 100); do [ -S postern-collector.sock ] && break || sleep 0.1; done
    acct 'Acct-Status-Type = Start, Acct-Session-Id = "a1", User-Name = "anna", NAS-Identifier = "bng-1", Framed-IP-Address = 10.9.0.1, Acct-Delay-Time = 600'
    run postern lookup 10.9.0.1 --run "$PWD" --purpose "case 3"
    [ "$status" -eq 0 ]
    [[ "$output" == *"line:anna, certain"*"told by"*radius*north* ]]
    grep -q 'lookup of 10.9.0.1, purpose: case 3' log
    # A lost stop, a session number that comes again, a WAN address and a delegated prefix, a restart of the router.
    session='User-Name = "eve", NAS-Identifier = "bng-2", Acct-Session-Id = "7"'
    acct "Acct-Status-Type = Start, $session, Framed-IP-Address = 10.9.0.20, Framed-IPv6-Address = 2001:db8:f::20, Delegated-IPv6-Prefix = 2001:db8:20::/56, Acct-Delay-Time = 3000"
    says 10.9.0.20 'line:eve, certain'
    says 2001:db8:f::20 'line:eve, certain'
    says 2001:db8:20:1::9 'line:eve, certain'
    acct 'Acct-Status-Type = Start, User-Name = "fred", NAS-Identifier = "bng-2", Acct-Session-Id = "8", Framed-IP-Address = 10.9.0.20, Acct-Delay-Time = 600'
    says 10.9.0.20 'line:fred' # eve's stop never came
    says 2001:db8:20:1::9 'line:eve' # of this nobody else has begun
    acct 'Acct-Status-Type = Start, User-Name = "gina", NAS-Identifier = "bng-2", Acct-Session-Id = "7", Framed-IP-Address = 10.9.0.21, Acct-Delay-Time = 500'
    says 10.9.0.21 'line:gina'
    says 2001:db8:20:1::9 'provisional:' # the number is another session's now
    acct 'Acct-Status-Type = Interim-Update, User-Name = "gina", NAS-Identifier = "bng-2", Acct-Session-Id = "7", Framed-IP-Address = 10.9.0.21, Acct-Session-Time = 500'
    says 10.9.0.21 'line:gina'
    acct 'Acct-Status-Type = Accounting-Off, NAS-Identifier = "bng-2", Acct-Delay-Time = 300'
    says 10.9.0.21 'provisional:'
    says 10.9.0.20 'provisional:'
    says 10.9.0.1 'line:anna, certain' # of another router
    # Kea's file is followed: a lease that begins now.
    now=$(date +%s)
    printf '10.9.0.2,02:00:5e:10:00:99,,3600,%s,1,0,0,,0,\n' $((now + 3000)) >>kea.csv
    for _ in $(seq 50); do
        run postern lookup 10.9.0.2 --run "$PWD" --purpose "case 3"
        [[ "$output" != *"line:02:00:5e:10:00:99"* ]] || break
        sleep 0.1
    done
    [[ "$output" == *"line:02:00:5e:10:00:99, certain"* ]]
    # So are CSV, prefix map and port blocks: appended to, replaced, broken.
    printf ',10.9.0.3,,,line:dora,2026-01-01T00:00:00Z,2126-01-01T00:00:00Z,,,,,,,north,\n' >>static.csv
    { cat map.csv && printf ',10.9.1.0/24,,,line:school,2026-01-01T00:00:00Z,,,,,,,,north,\n'; } >map.new
    mv map.new map.csv
    printf '198.51.100.9,2048,3071,10.9.0.3,,\n' >>blocks.csv
    says 10.9.0.3 'line:dora, certain'
    says 10.9.1.77 'line:school, certain'
    says 198.51.100.9:3000 'line:dora, certain'
    printf ',10.9.1.0/33,,,line:other,2026-01-01T00:00:00Z,,,,,,,,north,\n' >map.new
    mv map.new map.csv
    printf 'nonsense\n' >>blocks.csv
    for _ in $(seq 60); do grep -q 'blocks.csv:3' log && grep -q 'map.csv: not used' log && break || sleep 0.1; done
    grep -q 'map.csv:1: column 2 (prefix)' log
    grep -q 'blocks.csv: not used' log
    says 10.9.1.77 'line:school, certain'
    says 198.51.100.9:3000 'line:dora, certain'
    postern status --run "$PWD" >status.txt 2>&1 || true
    grep -q 'map.csv cannot be used' status.txt
    grep -q 'blocks.csv cannot be used' status.txt
    printf ',10.9.1.0/24,,,line:college,2026-01-01T00:00:00Z,,,,,,,,north,\n' >map.csv
    sed -i '$d' blocks.csv
    says 10.9.1.77 'line:college, certain'
    # A stranger's secret.
    run radclient -r 1 -t 1 -f <(echo 'Acct-Status-Type = Start, Acct-Session-Id = "m", User-Name = "mallory", Framed-IP-Address = 10.9.0.1') \
        "127.0.0.1:$port" acct guessed
    [ "$status" -ne 0 ]
    postern status --run "$PWD" >status.txt 2>&1 || true
    grep -q "1 RADIUS packets of 127.0.0.1 refused at 127.0.0.1:$port" status.txt
    says 10.9.0.1 'line:anna, certain'
    [ ! -e keys/20200101.key ]
    [ ! -e journal/20200101.000001.pj ]
    kill "$(cat pid)"
    wait "$(cat pid)" || true
    # The next one knows.
    run postern lookup "10.9.0.1@$(date -u +%FT%TZ)" -c live.yaml --purpose "case 3"
    [[ "$output" == *"line:anna"* ]]
}

# lines NAME COUNT: so many lines of parties called so
lines() {
    awk -v name="$1" -v count="$2" 'BEGIN { for (i = 0; i < count; i++)
        printf ",10.%d.%d.%d,,,line:%s%d,2026-01-01T00:00:%02dZ,2126-01-01T00:00:00Z,,,,,,,north,\n",
            50 + int(i / 65536), int(i / 256) % 256, i % 256, name, i, i % 60 }'
}

# ask_while SECONDS ADDRESS PARTY...: asks the running collector for its status again and again, and for each address until it
# is that party's: how many are left, how long the longest answer took, how long it took until all were known (ms).
ask_while() {
    python3 - "$PWD/postern-collector.sock" "$@" <<'PYTHON'
import json, socket, sys, time

s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
answers = s.makefile("r")

def ask(**request):
    begin = time.monotonic()
    s.sendall((json.dumps({"v": 1, **request}) + "\n").encode())
    answer = json.loads(answers.readline())
    return answer, 1000 * (time.monotonic() - begin)

began, longest, known, waits = time.monotonic(), 0, 0, dict(zip(sys.argv[3::2], sys.argv[4::2]))
while waits and time.monotonic() - began < float(sys.argv[2]):
    longest = max(longest, ask(command="status")[1])
    for address in list(waits):
        answer, took = ask(command="lookup", address=address, purpose="a test")
        longest = max(longest, took)
        if answer.get("result", {}).get("party") == waits[address]:
            del waits[address]
    time.sleep(0.005)
print(len(waits), round(longest), round(1000 * (time.monotonic() - began)))
PYTHON
}

@test "a large lease file that was replaced is read while the collector answers" {
    command -v python3 >/dev/null || skip "no python3"
    cat >live.yaml <<YAML
site:
  run_directory: $PWD
collector:
  listen: ["unix:$PWD/in.sock"]
  journal: journal
  intake: intake
  lease_sources:
    - {kind: csv, path: large.csv}
    - {kind: kea, path: kea.csv}
YAML
    lines old 120000 >large.csv
    postern-collector -c live.yaml 2>log &
    echo $! >pid
    for _ in $(seq 200); do [ -S postern-collector.sock ] && break || sleep 0.1; done
    says 10.51.212.191 'line:old119999, certain'
    lines new 120000 >large.new
    # Kea's file is replaced by a large one too.
    { head -1 kea.csv && awk -v now="$(date +%s)" 'BEGIN { for (i = 0; i < 30000; i++)
        printf "10.70.%d.%d,02:00:00:00:%02x:%02x,,3600,%d,1,0,0,,0,\n", i / 256, i % 256, i / 256, i % 256, now + 3000 }'; } >kea.new
    mv large.new large.csv
    mv kea.new kea.csv
    ask_while 60 10.51.212.191 line:new119999 10.70.117.47 line:02:00:00:00:75:2f >waited.txt
    read -r left longest reading <waited.txt
    echo "longest answer $longest ms, until all was known $reading ms"
    kill "$(cat pid)"
    wait "$(cat pid)" || true
    [ "$left" -eq 0 ]
    # A reading in one go would hold up one answer for nearly all of it.
    [ $((4 * longest)) -lt "$reading" ]
}

@test "port blocks of a million lines are read while the collector answers; a wrong line leaves the old ones" {
    command -v python3 >/dev/null || skip "no python3"
    cat >live.yaml <<YAML
site:
  run_directory: $PWD
collector:
  listen: ["unix:$PWD/in.sock"]
  journal: journal
  intake: intake
  lease_sources:
    - {kind: csv, path: leases.csv}
    - {kind: cgnat-table, path: blocks.csv}
YAML
    printf ',10.90.0.1,,,line:anna,2026-01-01T00:00:00Z,2126-01-01T00:00:00Z,,,,,,,north,\n,10.90.0.2,,,line:bert,2026-01-01T00:00:00Z,2126-01-01T00:00:00Z,,,,,,,north,\n' >leases.csv
    printf '198.51.100.9,2048,3071,10.90.0.1,,\n' >blocks.csv
    postern-collector -c live.yaml 2>log &
    echo $! >pid
    for _ in $(seq 200); do [ -S postern-collector.sock ] && break || sleep 0.1; done
    says 198.51.100.9:3000 'line:anna, certain'
    # In no order; the last line changes whose block it is.
    { awk 'BEGIN { for (i = 0; i < 1000000; i++) { n = (i * 7919) % 1000000
        printf "198.18.%d.%d,%d,%d,10.91.%d.%d,,\n", n / 64 / 256, n / 64 % 256, 1024 + n % 64 * 1000, 2023 + n % 64 * 1000, n / 256 % 256, n % 256 } }'
        echo '198.51.100.9,2048,3071,10.90.0.2,,'; } >blocks.new
    mv blocks.new blocks.csv
    ask_while 90 198.51.100.9:3000 line:bert >waited.txt
    read -r left longest reading <waited.txt
    echo "longest answer $longest ms, until all was known $reading ms"
    [ "$left" -eq 0 ]
    [ $((4 * longest)) -lt "$reading" ]
    { head -1000 blocks.csv && echo '198.51.100.9,2048,3071,10.90.0.300,,'; } >blocks.new
    mv blocks.new blocks.csv
    for _ in $(seq 60); do grep -q 'blocks.csv: not used' log && break || sleep 0.1; done
    grep -q 'blocks.csv:1001:24: outside and inside are addresses' log
    says 198.51.100.9:3000 'line:bert, certain'
    kill "$(cat pid)"
    wait "$(cat pid)" || true
}
