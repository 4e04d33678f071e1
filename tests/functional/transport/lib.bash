# What the transport's tests share: a site with a collector, enrolled sensors, records, and the judgement.
# POSTERN_BIN and POSTERN_TOOLS are the folders of programs.
# shellcheck shell=bash
# shellcheck disable=SC2154 # bats sets status, output, stderr, lines

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    export POSTERN_SANDBOX_STRICT=1
    port=$((20000 + RANDOM % 20000))
    enroll_port=$((port + 1))
    cat >site.yaml <<YAML
site:
  subscribers: [10.0.0.0/8]
  run_directory: $PWD/run
YAML
    cat >live.yaml <<YAML
$(cat site.yaml)
collector:
  subscribers: 20000
  flows: 20000
  sketches: 1000
  journal: journal
  intake: intake
  listen: ["127.0.0.1:$port", "unix:$PWD/in.sock", "tcp:127.0.0.1:$((port + 2))"]
  ca: ca
  enroll: 127.0.0.1:$enroll_port
sensor:
  domain: 1
  spool: spool
  collector: 127.0.0.1:$port
  tls: tls
YAML
    mkdir run
    : >pids
}

teardown() {
    # What is still running of what this test started.
    while read -r pid; do
        kill -CONT "$pid" 2>/dev/null && kill -KILL "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done <pids
    return 0
}

collector() {
    rm -f in.sock run/postern-collector.sock # of one that was killed
    "$POSTERN_BIN/postern-collector" -c live.yaml --status status.json 2>>collector.log 3>&- &
    collector=$!
    echo "$collector" >>pids
    for _ in $(seq 100); do
        [ -S in.sock ] && [ -S run/postern-collector.sock ] && return 0
        sleep 0.05
    done
    cat collector.log
    return 1
}

stop() {
    kill "$1"
    wait "$1"
}

ask() { "$POSTERN_BIN/postern" "$@" --socket run/postern-collector.sock; }

# enroll NAME FOLDER [OPTIONS]: a token from the collector, a certificate for it
enroll() {
    local name=$1 folder=$2
    shift 2
    [ $# -gt 0 ] || set -- --domains any # for the records of a test say theirs
    token=$(ask sensor enroll "$name" "$@" | sed -n 's/.*--enroll \([^@]*\)@.*/\1/p')
    [ -n "$token" ]
    sed "s/^  tls: .*/  tls: $folder/" live.yaml >"enroll-$name.yaml"
    "$POSTERN_BIN/postern-sensor" -c "enroll-$name.yaml" --enroll "$token@127.0.0.1:$enroll_port"
}

# What a bot does in seven minutes, as records of domain $2 and as a capture
records() {
    bot=$POSTERN_SHARED_DIR/captures/bots/neris-port25.csv
    [ -r "$bot" ] || skip "no captures in $POSTERN_SHARED_DIR"
    "$POSTERN_BIN/postern-generate" --inject "$bot@${3:-10.0.0.5}" --start 2026-11-22T00:00:00Z -o "$1.pcap" --minutes 7 2>/dev/null
    printf '%s\nsensor:\n  domain: %s\n' "$(cat site.yaml)" "${2:-1}" >"file-$1.yaml"
    "$POSTERN_BIN/postern-sensor" -c "file-$1.yaml" -r "$1.pcap" -o "$1.rec" 2>/dev/null
}

dump() { "$POSTERN_BIN/postern-collector" -c site.yaml -j "$1" --dump 2>/dev/null; }

# The journal is that of a file job over these records.
same_as() {
    local files=()
    for f in "$@"; do files+=(-r "$f"); done
    rm -rf reference
    sed '/^  listen:/d; /^  ca:/d; /^  enroll:/d' live.yaml >file.yaml
    "$POSTERN_BIN/postern-collector" -c file.yaml "${files[@]}" -j reference 2>/dev/null
    dump reference >reference.jsonl
    dump journal >journal.jsonl
    [ "$(wc -l <reference.jsonl)" -gt 20 ]
    cmp reference.jsonl journal.jsonl
}

status_of() {
    kill -USR1 "$collector"
    sleep 0.3
}

# pump FILE SPOOL ADDRESS TLS [DOMAIN] [RATE] [AHEAD_S]
pump() { timeout 60 "$POSTERN_TOOLS/transport_pump" "$1" "$2" "$3" "$4" "${6:-20000}" "${5:-1}" ${7:+"$7"}; }
