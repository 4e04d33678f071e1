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
# A mail server's address that changes hands at half past ten.
POSTERN_LEASED=$(jq -r 'select(.kind == "business_mail_server").subscriber' "$work/truth.jsonl" |
    head -n 1)
export POSTERN_LEASED
cat >"$work/leases.csv" <<END
realm,prefix,port_first,port_last,party,start,end,last_seen,interim_s,mac,nas,session,user,pop,class
,$POSTERN_LEASED/32,,,line:before,2026-03-02T09:00:00Z,2026-03-02T10:30:00Z,2026-03-02T10:30:00Z,7200,,,,,north,business
,$POSTERN_LEASED/32,,,line:after,2026-03-02T10:30:00Z,,2026-03-02T11:00:00Z,7200,,,,,north,business
END
printf 'collector:\n  leases: %s\n' "$work/leases.csv" >>"$work/postern.yaml"
mkdir "$work/state"
"$bin/postern" replay "$work/x.pcap" --config "$work/postern.yaml" --state "$work/state"
export POSTERN_BIN=$bin POSTERN_STATE=$work/state
cd "$here"
node --test pages.test.mjs
