#!/usr/bin/env bash
# What inside.sh is for the other servers, with Exim: network, servers, scenes, comparison with its log.
set -euo pipefail
: "${HERE:?run run.sh}" "${LAB:?}" "${BIN:?}"
. "$HERE/network.sh"
. "$HERE/exim.sh"
. "$HERE/scene.sh"
. "$HERE/scenes_tls.sh"
. "$HERE/scenes_exim.sh"

find_exim
network_up
exim_start
capture_start
start=$SECONDS
# Side by side: each scene has an address of its own.
groups=()
for group in mail login talk tls client; do
    "scenes_exim_$group" &
    groups+=($!)
done
for group in "${groups[@]}"; do wait "$group"; done
wait_for "what Exim delivers" exim_idle
capture_stop
exim_stop
printf 'the scenes took %d s, %d packets\n' $((SECONDS - start)) \
    "$(tcpdump -nr "$LAB/wire.pcap" 2>/dev/null | wc -l)"

subscribers=10.77.1.0/24,fd77:1::/64
"$BIN/postern-sensor" -r "$LAB/wire.pcap" --subscribers "$subscribers" --print flows -v -v -o "$LAB/records" \
    --status "$LAB/status.json" >"$LAB/flows.json" 2>"$LAB/sensor.log" || {
    cat "$LAB/sensor.log"
    exit 1
}
cat "$LAB/exim/mainlog" "$LAB/home/mainlog" | awk -f "$HERE/truth_exim.awk" >"$LAB/truth_exim.tsv"
node "$HERE/compare.mjs" "$LAB" 300

# The same sessions by the server's own log.
"$BIN/postern-sensor" --mail-log -r "$LAB/exim/mainlog" -o "$LAB/log.records" --subscribers "$subscribers" \
    2>"$LAB/mail_log.err" || {
    cat "$LAB/mail_log.err"
    exit 1
}
if grep -aE '[@.]lab\.example|elsewhere|callout|third\.example|box\.example|subscriber\.example|right-password' \
    "$LAB/flows.json" "$LAB/sensor.log" "$LAB/records" "$LAB/status.json" "$LAB/log.records" "$LAB/mail_log.err"; then
    printf 'the sensor says a name\n'
    exit 1
fi
"$BIN/postern-collector" -r "$LAB/log.records" -j "$LAB/log.journal" --subscribers "$subscribers"
"$BIN/postern-collector" -j "$LAB/log.journal" --dump >"$LAB/log.rows"
node "$HERE/compare_log.mjs" "$LAB" exim

# The same log as an Exim writes it that names no recipients at the arrival: they count when they are delivered, and
# come to the same.
recipients() {
    jq -r 'select(.kind == "row") | "\(.subscriber) \(.counters["smarthost/out"].rcpt_ok // 0)"' "$1" |
        awk '{ n[$1] += $2 } END { for (who in n) print who, n[who] }' | sort
}
sed '/ <= /s/ for [^"]*$//' "$LAB/exim/mainlog" >"$LAB/unnamed.log"
if grep -q ' <= .* for ' "$LAB/unnamed.log"; then
    printf 'recipients are named still\n'
    exit 1
fi
"$BIN/postern-sensor" --mail-log -r "$LAB/unnamed.log" -o "$LAB/unnamed.records" --subscribers "$subscribers"
"$BIN/postern-collector" -r "$LAB/unnamed.records" -j "$LAB/unnamed.journal" --subscribers "$subscribers"
"$BIN/postern-collector" -j "$LAB/unnamed.journal" --dump >"$LAB/unnamed.rows"
# One of two that were judged behind the content (scene 38) was refused there: it is named at the arrival, and never
# delivered.
recipients "$LAB/log.rows" | sed 's/^10\.77\.1\.38 2$/10.77.1.38 1/' >"$LAB/named.counts"
recipients "$LAB/unnamed.rows" >"$LAB/unnamed.counts"
diff "$LAB/named.counts" "$LAB/unnamed.counts"
awk '{ n += $2 } END { print n, "recipients by their deliveries"; exit n < 10 }' "$LAB/unnamed.counts"

# The comparison itself can fail: with one flow of mail taken away it has to.
mkdir "$LAB/short"
cp -r "$LAB"/*.tsv "$LAB/by_log" "$LAB/tls_by_log" "$LAB/exim" "$LAB/short"
grep -v '"addr":"10.77.1.13"' "$LAB/flows.json" >"$LAB/short/flows.json"
if node "$HERE/compare.mjs" "$LAB/short" 300 >"$LAB/short/report"; then
    printf 'a missing flow was not noticed\n'
    exit 1
fi
