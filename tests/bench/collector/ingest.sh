#!/usr/bin/env bash
# Records a second from a TLS socket to the durable minute on one collector core, and what a subscriber costs, for several
# numbers of subscribers. Prints; judges nothing. With --plot also the table of docs/bench.md, and its plot into FILE: two minutes.
# Usage: tests/bench/collector/ingest.sh BUILD-FOLDER (Release) [--plot FILE.svg] [SUBSCRIBERS...]
set -euo pipefail
here=$(realpath "$(dirname "$0")")
build=$(realpath "${1:?usage: ingest.sh BUILD-FOLDER [--plot FILE.svg] [SUBSCRIBERS...]}")
plot=
shift
if [ "${1:-}" = --plot ]; then
    plot=$(realpath -m "${2:?--plot FILE.svg}")
    shift 2
fi
[ $# -gt 0 ] || set -- 1000 10000 100000 1000000
scratch=$(mktemp -d)
collector=
# shellcheck disable=SC2329 # called by the trap
leave() {
    [ -z "$collector" ] || kill -KILL "$collector" 2>/dev/null || true
    rm -rf "$scratch"
}
trap leave EXIT
cd "$scratch"
for n in "$@"; do
    rm -rf journal intake tls ca ./*.sock
    port=$((20000 + RANDOM % 20000))
    cat >bench.yaml <<YAML
site:
  subscribers: [10.0.0.0/8]
  run_directory: $scratch
collector:
  journal: journal
  intake: intake
  listen: ["127.0.0.1:$port"]
  ca: ca
  enroll: 127.0.0.1:$((port + 1))
  session_rate: 10000000
sensor:
  tls: tls
YAML
    "$build/bin/postern-collector" -c bench.yaml 2>collector.log &
    collector=$!
    for _ in $(seq 100); do [ -S postern-collector.sock ] || sleep 0.05; done
    token=$("$build/bin/postern" sensor enroll bench --domains 1 --socket postern-collector.sock | sed -n 's/.*--enroll \([^@]*\)@.*/\1/p')
    "$build/bin/postern-sensor" -c bench.yaml --enroll "$token@127.0.0.1:$((port + 1))" 2>/dev/null
    # Each subscriber thrice a minute, but at least 300,000 and at most 1,000,000 records a minute.
    flows=$((n * 3 < 300000 ? 300000 : n * 3 > 1000000 ? 1000000 : n * 3))
    "$build/tests/bench_feed" "127.0.0.1:$port" tls "$n" 5 "$flows" "$collector" | tee -a results.txt
    kill "$collector"
    wait "$collector" || true
    if [ "$(du -sk journal | cut -f1)" -lt 1000 ]; then
        echo "ingest.sh: nothing was counted" >&2
        cat collector.log >&2
        exit 1
    fi
    collector=
done
[ -z "$plot" ] || node "$here/plot.mjs" results.txt "$plot"
