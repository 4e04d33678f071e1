#!/usr/bin/env bash
# Replays a small capture and opens its pages in Chromium. Says that it skips (77) where there is no
# browser or no driver for it.
# usage: run.sh BIN-DIR SCENARIO
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$1 scenario=$2
skip() {
    echo "skipped: $1"
    exit 77
}
command -v node >/dev/null || skip "no node"
[ -x "${CHROMIUM:-/usr/bin/chromium}" ] || skip "no chromium; scripts/setup installs it"
[ -d "$here/node_modules/playwright-core" ] || skip "no playwright-core; scripts/setup installs it"

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
"$bin/postern-generate" --scenario "$scenario" --seed 7 -o "$work/x.pcap" \
    --truth "$work/truth.jsonl" --config-out "$work/postern.yaml"
mkdir "$work/state"
"$bin/postern" replay "$work/x.pcap" --config "$work/postern.yaml" --state "$work/state"
export POSTERN_BIN=$bin POSTERN_STATE=$work/state
cd "$here"
node --test pages.test.mjs
