# shellcheck shell=bash
# Hostile content in a real log: newlines, control octets, UTF-8 and what is none, forged lines, another's queue id
# and Message-ID, 64 kB. All of it counts for who sent it, and for nobody else.
scenes_hostile() {
    local id name
    # A message of anna's that left long ago.
    id=$(sed -n 's/.*smtpd\[[0-9]*\]: \([^ :]*\): client=unknown\[10\.78\.1\.11\].*/\1/p' "$LAB"/postfix.log.1 | head -1)
    name=$(sed -n "s/.*cleanup\[[0-9]*\]: $id: message-id=<\(.*\)>/\1/p" "$LAB/postfix.log.1")
    [ -n "$id" ] || wrong "anna's message is not in the log"
    [ -n "$name" ] || wrong "anna's Message-ID is not in the log"
    node "$HERE/server_hostile.mjs" 10.78.1.50 "$SERVER" 587 "$id" "$name" >>"$LAB/truth.tsv"
}
