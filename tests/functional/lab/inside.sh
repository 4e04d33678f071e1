#!/usr/bin/env bash
# Runs inside the name spaces that run.sh made: network, servers, scenes, comparison. The first process
# of its process name space, so that all others end with it.
set -euo pipefail
: "${HERE:?run run.sh}" "${LAB:?}" "${BIN:?}"
. "$HERE/network.sh"
. "$HERE/servers.sh"
. "$HERE/scene.sh"
. "$HERE/scenes_mail.sh"
. "$HERE/scenes_tls.sh"
. "$HERE/scenes_socks.sh"

network_up
servers_start
capture_start
start=$SECONDS
scenes_connect
scenes_mail
scenes_login
scenes_talk
scenes_tls
scenes_socks
scenes_end
capture_stop
servers_stop
printf 'the scenes took %d s, %d packets\n' $((SECONDS - start)) \
    "$(tcpdump -nr "$LAB/wire.pcap" 2>/dev/null | wc -l)"

ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1} "$BIN/postern-sensor" -r "$LAB/wire.pcap" \
    --subscribers 10.77.1.0/24,fd77:1::/64 --print flows -v -v -o "$LAB/records" --status "$LAB/status.json" \
    >"$LAB/flows.json" 2>"$LAB/sensor.log" || {
    status=$?
    cat "$LAB/sensor.log"
    printf 'postern-sensor ended with status %d\n' "$status"
    exit 1
}
# Of all who wrote, were written to, logged in or greeted, no name is in what the sensor wrote (lab.example
# itself is the registered domain of TLS server names).
if grep -aE '[@.]lab\.example|elsewhere|third\.example|box\.example|subscriber\.example|right-password|customer|no-such-token' \
    "$LAB/flows.json" "$LAB/sensor.log" "$LAB/records" "$LAB/status.json"; then
    printf 'the sensor says a name\n'
    exit 1
fi
awk -f "$HERE/truth_postfix.awk" "$LAB/mail.log" >"$LAB/truth_postfix.tsv"
node "$HERE/compare.mjs" "$LAB"

# The same sessions by the server's own log.
subscribers=10.77.1.0/24,fd77:1::/64
"$BIN/postern-sensor" --mail-log -r "$LAB/mail.log" -o "$LAB/log.records" --subscribers "$subscribers" \
    2>"$LAB/mail_log.err" || {
    cat "$LAB/mail_log.err"
    exit 1
}
"$BIN/postern-collector" -r "$LAB/log.records" -j "$LAB/log.journal" --subscribers "$subscribers"
"$BIN/postern-collector" -j "$LAB/log.journal" --dump >"$LAB/log.rows"
node "$HERE/compare_log.mjs" "$LAB"

# The comparison itself can fail: with one flow of mail taken away it has to.
mkdir "$LAB/short"
cp "$LAB"/*.tsv "$LAB/by_log" "$LAB/tls_by_log" "$LAB/mail.log" "$LAB/short"
grep -v '"addr":"10.77.1.13"' "$LAB/flows.json" >"$LAB/short/flows.json"
if node "$HERE/compare.mjs" "$LAB/short" >"$LAB/short/report"; then
    printf 'a missing flow was not noticed\n'
    exit 1
fi
