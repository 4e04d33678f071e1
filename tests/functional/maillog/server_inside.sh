#!/usr/bin/env bash
# Runs inside the name spaces that server.sh made; the first process of its process name space, so that all others
# end with it. Every scene writes down what it sent (truth.tsv: who, what, how many), by the clients' own word.
set -euo pipefail
: "${HERE:?run server.sh}" "${BIN:?}" "${LAB:?}"
. "$HERE/server_conf.sh"
. "$HERE/server_scenes.sh"
. "$HERE/server_hostile.sh"
cd "$LAB"

wrong() {
    printf 'wrong: %s\n' "$*"
    exit 1
}

sensor_conf() {
    (umask 077 && printf '1 %s\n' "$(openssl rand -hex 32)" >site.key)
    "$BIN/postern" mailbox keys mailbox.pub mailbox.key
    cat >networks.txt <<CF
203.0.113.0/24 64500 DE
192.0.2.0/24 64501 FR
198.18.0.0/16 64502 BR
198.19.0.0/16 64503 VN
CF
    cat >postern.yaml <<CF
site:
  run_directory: $LAB/run
  provider_file: $LAB/networks.txt
  subscribers: [10.78.0.0/16, "fd77:9::/64"]
  smarthosts: [198.51.100.24/29, "$SERVER6/128"]
sensor:
  name: mx1
  domain: 9
  legal_profile: full-envelope
  key_file: $LAB/site.key
  mail_log:
    files: [$LAB/postfix.log, $LAB/postfix-out.log, $LAB/rspamd.log]
    state: $LAB/state.json
    mailbox_domain: lab.example
    mailbox_map: $LAB/names
    mailbox_map_key: $LAB/mailbox.pub
feed:
  confirm_after: 0s
CF
    sed 's/name: mx1/name: edge/; s/domain: 9/domain: 4/' postern.yaml >edge.yaml
    mkdir -p run
}

# follow RECORDS: the daemon, until it says that it follows
follow() {
    "$BIN/postern-sensor" -c postern.yaml --mail-log -o "$1" --status "$1.status" 2>"$1.err" &
    SENSOR=$!
    wait_for "the sensor" grep -q "follows $LAB/rspamd.log" "$1.err"
}

# What was written has been read and told: the positions are the files' ends.
read_to_end() {
    local n
    for n in postfix postfix-out; do
        jq -e --arg f "$LAB/$n.log" --argjson size "$(stat -c %s "$n.log")" '.files[$f].offset == $size' state.json || return 1
    done
}

end() {
    wait_for "the sensor's position" read_to_end
    kill -TERM "$SENSOR"
    wait "$SENSOR" || wrong "the sensor ended with $?"
}


# Everything that can be delivered is; what stays is put off.
delivered() {
    postqueue -c "$LAB/postfix" -p 2>/dev/null | grep -q 'Mail queue is empty' &&
        ! postqueue -c "$LAB/postfix-out" -p 2>/dev/null | grep -q '^[0-9A-Za-z]*\*'
}

network_up
sensor_conf
start=$SECONDS
servers_start
tcpdump -i lo -w wire.pcap -U -B 16384 -Z root "tcp and (port 25 or 465 or 587) and (net 198.51.100.24/29 or host $SERVER6)" \
    2>tcpdump.log &
TCPDUMP=$!
wait_for "tcpdump" grep -q 'listening on' tcpdump.log
printf 'servers after %d s\n' $((SECONDS - start))

follow one.rec
bulk 20 3 & # renamed under load, and the server goes on to a new one
load=$!
scenes_good
mv postfix.log postfix.log.1
postfix -c "$LAB/postfix" reload >>postfix.out 2>&1
scenes_bad
wait "$load"
end
# While nobody looks: more mail, and another file.
scenes_unwatched
mv postfix.log postfix.log.2
postfix -c "$LAB/postfix" reload >>postfix.out 2>&1
bulk 10 2
follow two.rec
scenes_stolen
wait_for "deliveries" delivered
wait_for "the sensor's position" read_to_end
for n in postfix postfix-out; do cp "$n.log" "$n.log.3" && : >"$n.log"; done # copied and emptied
scenes_hostile
scenes_last
wait_for "deliveries" delivered
end
sleep 0.4
kill -INT "$TCPDUMP"
wait "$TCPDUMP" || true
servers_stop
printf 'mail for %d s\n' $((SECONDS - start))

for n in one two; do
    jq -e '.counters | .positions_lost == 0 and .evicted == 0 and .lines_unknown == 0' "$n.rec.status" >/dev/null ||
        wrong "$n.rec.status: $(jq -c .counters "$n.rec.status")"
done
jq -e '.counters.rotations == 1' one.rec.status >/dev/null || wrong "the first rotation was not seen"
jq -e '.counters.rotations == 1 and .counters.truncations == 2' two.rec.status >/dev/null ||
    wrong "what became of the files: $(jq -c .counters two.rec.status)"

"$BIN/postern-sensor" -c edge.yaml -r wire.pcap -o wire.rec --status wire.status 2>wire.err || wrong "$(cat wire.err)"
# The whole log at once, as files and as the journal has it, says the same as the log that was followed.
cat postfix.log.1 postfix.log.2 postfix.log.3 postfix.log >all.log
cat postfix-out.log.3 postfix-out.log >out.log
"$BIN/postern-sensor" -c postern.yaml --mail-log -r all.log -r out.log -r rspamd.log -o files.rec 2>files.err || wrong "$(cat files.err)"
node "$HERE/server_journal.mjs" all.log out.log >journal.json
"$BIN/postern-sensor" -c postern.yaml --mail-log -r journal.json -o journal.rec 2>journal.err || wrong "$(cat journal.err)"
minutes() { # NAME RECORDS...
    local name=$1 files=() f
    shift
    for f in "$@"; do files+=(-r "$f"); done
    "$BIN/postern-collector" -c postern.yaml "${files[@]}" -j "$name.journal" 2>"$name.err" || wrong "$(cat "$name.err")"
    "$BIN/postern-collector" -j "$name.journal" --dump >"$name.rows" 2>/dev/null
}
minutes log one.rec two.rec
minutes both one.rec two.rec wire.rec
minutes wire wire.rec
minutes files files.rec
minutes journal journal.rec

# Mailboxes by name: only who has the secret key can tell.
for party in $(jq -r 'select(.kind == "row") | .subscriber | select(startswith("mailbox:"))' both.rows | sort -u); do
    printf '%s\t%s\n' "$party" \
        "$("$BIN/postern" mailbox name "$party" --map names --key mailbox.key --purpose lab 2>/dev/null | tail -1)"
done >mailboxes.tsv
if grep -aE 'anna|ben@|carl|dora|eve@|fred|staff|member|right-' ./*.rec names log.rows both.rows one.rec.err two.rec.err; then
    wrong "a name is in what the sensor wrote"
fi
node "$HERE/server_compare.mjs" "$LAB"
# The comparison itself can fail: with a scene's line taken away it has to.
mkdir short
cp ./*.rows ./*.tsv short
sed 1d truth.tsv >short/truth.tsv
if node "$HERE/server_compare.mjs" "$LAB/short" >short/report; then wrong "a missing line was not noticed"; fi
. "$HERE/server_verdict.sh"
. "$HERE/server_journal.sh"
printf 'all after %d s\n' $((SECONDS - start))
