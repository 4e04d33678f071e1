# shellcheck shell=bash
# From the same minutes to the ticket: the stolen account's mailbox is to be locked, nobody else's, the verdict says
# that it rests on the log, and the name stands nowhere but behind the feed's secret key.
"$BIN/postern-analysis" -c postern.yaml -j both.journal -o verdicts.jsonl 2>analysis.err || wrong "$(cat analysis.err)"
eve=$(awk -F '\t' '$2 ~ /^eve@/ { print $1 }' mailboxes.tsv)
jq -es --arg party "$eve" 'map(select(.event == "opened")) | length == 1 and (.[0] |
    .class == "compromised-account" and .party == $party and .ceiling == "restrict" and .sources == ["log"])' \
    verdicts.jsonl >/dev/null || wrong "verdicts: $(cut -c1-300 verdicts.jsonl)"
"$BIN/postern-feed" -c postern.yaml -r verdicts.jsonl -d tickets.db -o tickets.jsonl 2>feed.err || wrong "$(cat feed.err)"
jq -es --arg party "$eve" 'all(.ticket.party == $party) and any(.ticket.actions | index("lock-mailbox"))' tickets.jsonl >/dev/null || wrong "tickets: $(cat tickets.jsonl)"
if grep -aqE 'eve@|lab\.example' both.rows verdicts.jsonl tickets.jsonl tickets.db; then
    wrong "a mailbox is named in front of the feed's key"
fi
[ "$("$BIN/postern" mailbox name "$eve" --map names --key mailbox.key --purpose "ticket 1" 2>/dev/null | tail -1)" = eve@lab.example ] ||
    wrong "the feed's key does not open the name"
"$BIN/postern" mailbox keys other.pub other.key
if "$BIN/postern" mailbox name "$eve" --map names --key other.key --purpose "ticket 1" >/dev/null 2>&1; then
    wrong "another key opens the name"
fi
