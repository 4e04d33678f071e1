#!/usr/bin/env bash
# Runs inside the name spaces that run.sh made: the first process of its process name space, so that all
# others end with it.
set -uo pipefail
: "${HERE:?run run.sh}" "${LIVE:?}" "${BIN:?}" "${TESTS:?}" "${PART:?}"
. "$HERE/lib.sh"
. "$HERE/cases_count.sh"
. "$HERE/cases_loss.sh"
. "$HERE/cases_life.sh"
. "$HERE/cases_mirror.sh"
. "$HERE/cases_clock.sh"
. "$HERE/cases_place.sh"
. "$HERE/cases_ring.sh"

cd "$LIVE" || exit 1
ip link set lo up
mkdir -p "$LIVE/run"
(umask 077 && printf '1 %s\n' "$(openssl rand -hex 32)" >"$LIVE/key")
"$BIN/postern-generate" -s "$HERE/../../generator/scenarios/hour.yaml" --minutes 10 -o "$LIVE/plain.pcap" \
    --config-out "$LIVE/site.yaml" >"$LIVE/generate.log" 2>&1 || {
    cat "$LIVE/generate.log"
    exit 1
}
"$TESTS/postern-mangle" -s 1 -x qinq-pppoe -o "$LIVE/qinq.pcap" "$LIVE/plain.pcap"
"$TESTS/postern-mangle" -s 1 -x double=50 -o "$LIVE/double.pcap" "$LIVE/plain.pcap"
FRAMES=$("$TESTS/postern-inject" -c "$LIVE/plain.pcap")
export FRAMES

case $PART in
interface)
    cases_start
    cases_count
    cases_overload
    cases_mirrors
    cases_check
    cases_idle
    cases_link
    cases_killed
    cases_ring
    cases_full_disk
    ;;
judged)
    cases_flood
    cases_filtered
    cases_place
    cases_clock_jump
    cases_no_mail
    cases_operator
    ;;
servers)
    if ! lab_is_possible; then exit 77; fi
    cases_mirror
    ;;
*)
    for one in $PART; do "$one"; done
    ;;
esac
printf '%d s, %d wrong\n' "$SECONDS" "$WRONG"
[ "$WRONG" -eq 0 ]
