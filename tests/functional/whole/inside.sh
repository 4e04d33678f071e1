#!/usr/bin/env bash
# Runs inside the name spaces that run.sh made; the first process of its process name space.
set -euo pipefail
: "${HERE:?run run.sh}" "${BIN:?}" "${TESTS:?}" "${WHOLE:?}"
cd "$WHOLE"
declare -A PID

wrong() {
    printf 'wrong: %s\n' "$*"
    for log in *.log; do sed "s/^/    ${log%.log} | /" "$log" | tail -6; done
    exit 1
}

# within SECONDS WHAT COMMAND...: until the command is true
within() {
    local seconds=$1 what=$2 begin=$SECONDS
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $((SECONDS - begin)) -lt "$seconds" ] || wrong "$what: not within $seconds s"
        sleep 0.5
    done
    printf '%-52s %3d s\n' "$what" $((SECONDS - begin))
}

start() {
    local name=$1
    shift
    "$BIN/postern-$name" -c postern.yaml "$@" >>"$name.log" 2>&1 &
    PID[$name]=$!
}
runs() { wait "$injector"
sleep 6 # the last attempts have their outcome, and what is in the ring is taken
"$BIN/postern" status -c postern.yaml --json | jq -e --arg p "postern-$1" '.programs[]? | select(.program == $p)'; }

# bot FILE ADDRESS: a flow a second to another mail provider, none of which answers
bot() {
    local n
    {
        printf 'start_s,peer,port,src_port,packets_out,octets_out,packets_in,octets_in,duration_s\n'
        for n in $(seq 0 29); do
            printf '%d.200,203.%d.113.25,25,%d,3,186,0,0,3.000\n' "$n" $((n + 1)) $((20000 + n))
        done
    } >"$1.csv"
    "$BIN/postern-generate" --inject "$1.csv@$2" -o "$1.pcap" 2>/dev/null
}

ip link set lo up
ip link add wire type veth peer name span
sysctl -qw net.ipv6.conf.wire.disable_ipv6=1 net.ipv6.conf.span.disable_ipv6=1
ip link set wire up
ip link set span up
(umask 077 && printf '1 %s\n' "$(openssl rand -hex 32)" >key)
mkdir -p run state
cat >postern.yaml <<YAML
site:
  subscribers: [10.0.0.0/8]
  run_directory: $WHOLE/run
sensor:
  name: edge
  domain: 1
  legal_profile: full-envelope
  key_file: key
  interfaces: [span]
  spool: spool
  tls: tls
  collector: 127.0.0.1:4739
collector:
  listen: ["127.0.0.1:4739"]
  enroll: 127.0.0.1:4740
  ca: ca
  intake: intake
  journal: journal
series:
  journal: journal
  rrd: rrd
analysis:
  journal: journal
  verdicts: verdicts.jsonl
  state: state
feed:
  verdicts: verdicts.jsonl
  database: tickets.db
  output: tickets.jsonl
web:
  listen: 127.0.0.1:8025
  tickets: tickets.db
  rrd: rrd
YAML
"$BIN/postern" check postern.yaml >check.log 2>&1 || true
bot first 10.0.0.5
bot second 10.0.0.6

start collector
within 10 "the collector listens" test -S run/postern-collector.sock
token=$("$BIN/postern" sensor enroll edge --socket run/postern-collector.sock --domains 1 | grep -o "1\.edge\.[0-9a-f.]*" | head -1)
"$BIN/postern-sensor" -c postern.yaml --enroll "$token@127.0.0.1:4740" >enroll.log 2>&1 || wrong "enrolment"
start sensor
for program in series analysis feed; do start "$program"; done
within 10 "the sensor captures" test -S run/postern-sensor.sock
within 15 "the store of tickets is there" test -s tickets.db
start web
within 15 "the pages are served" curl -sf http://127.0.0.1:8025/tickets

named() { curl -sf http://127.0.0.1:8025/tickets | grep -q "$1"; }
"$TESTS/postern-inject" -x 1 wire first.pcap >inject.log 2>&1 &
injector=$!
within 60 "the first bot's ticket is on the page" named 10.0.0.5
jq -es --arg who 10.0.0.5 'any(.[]; tostring | contains($who))' tickets.jsonl >/dev/null || wrong "the feed does not name it"

wait "$injector"
kill -KILL "${PID[collector]}"
wait "${PID[collector]}" 2>/dev/null || true
"$TESTS/postern-inject" -x 1 wire second.pcap >>inject.log 2>&1 &
injector=$!
sleep 5
start collector
within 75 "the second bot, over a collector that was killed" named 10.0.0.6
wait "$injector"
sleep 6 # the last attempts have their outcome, and what is in the ring is taken
"$BIN/postern" status -c postern.yaml >status.txt || true
for program in sensor collector series analysis feed; do
    grep -q "postern-$program" status.txt || wrong "postern status does not name postern-$program"
done
"$BIN/postern" status --json -c postern.yaml >status.json || true
jq -e '[.programs[] | select(.name | test("sensor|collector|series|analysis|feed|web")) | .status.sandbox.seccomp] | length == 6 and all' \
    status.json >/dev/null || wrong "a program has not shut itself in: $(jq -c '[.programs[] | {name, sandbox: .status.sandbox}]' status.json)"
"$BIN/postern" why 10.0.0.6 --run run >why.txt || wrong "postern why"
grep -q 'spambot-direct' why.txt || wrong "postern why does not say why"
for program in web feed analysis series sensor collector; do
    kill -TERM "${PID[$program]}"
    status=0
    wait "${PID[$program]}" || status=$?
    [ "$status" -eq 0 ] || wrong "postern-$program ended with $status"
done
"$BIN/postern-collector" -j journal --verify >/dev/null || wrong "the journal"
rows=$("$BIN/postern-collector" -j journal --dump 2>/dev/null |
    jq -s '[.[] | select(.kind == "row" and (.subscriber == "10.0.0.5" or .subscriber == "10.0.0.6"))
        | .counters["mx/out"].connections // 0] | add')
[ "$rows" -eq 60 ] || wrong "$rows connections in the journal, not 60"
printf 'each of 60 connections counted once; every program ended well\n'
