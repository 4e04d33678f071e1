# shellcheck shell=bash
# A scene: one subscriber address, what happens there, and what is known of it. Truth lines are
# "address, source, key, value"; compare.mjs holds each against the sum of the address' flows.

# scene NUMBER NAME: the address is 10.77.1.NUMBER.
scene() {
    ADDRESS=10.77.1.$1
    SCENE=$2
    TRANSCRIPT=$LAB/transcript.$2
    : >"$TRANSCRIPT"
    printf '%s\t%s\n' "$ADDRESS" "$SCENE" >>"$LAB/scenes.tsv"
}

# What the scene itself lays down: expect KEY VALUE
expect() { printf '%s\tscene\t%s\t%s\n' "$ADDRESS" "$1" "$2" >>"$LAB/truth_scenes.tsv"; }

# Postfix's log tells of this scene. Not for what is inside TLS.
by_log() { printf '%s\n' "$ADDRESS" >>"$LAB/by_log"; }

# The client's transcript tells of it: everything that went in clear.
by_transcript() {
    awk -v address="$ADDRESS" -v lmtp="${1:-0}" -f "$HERE/truth_transcript.awk" "$TRANSCRIPT" \
        >>"$LAB/truth_transcripts.tsv"
}

# A client's status says that mail was refused, which many scenes want: it is written down.
note_status() { printf '=== status %d\n' "$1" >>"$TRANSCRIPT"; }

mail_by_swaks() {
    local status=0
    at_home swaks --local-interface "$ADDRESS" --ehlo home.subscriber.example --timeout 10 \
        --suppress-data --body 'A short message.' "$@" >>"$TRANSCRIPT" 2>&1 || status=$?
    note_status "$status"
}

mail_by_curl() {
    local status=0
    printf 'Subject: by curl\r\n\r\nA short message.\r\n' |
        at_home curl --interface "$ADDRESS" -sv --max-time 10 -T - "$@" >>"$TRANSCRIPT" 2>&1 || status=$?
    note_status "$status"
}

# Plays the dialogue on standard input, see talk.mjs.
talk() {
    local status=0
    at_home node "$HERE/talk.mjs" --from "$ADDRESS" "$@" >>"$TRANSCRIPT" 2>&1 || status=$?
    note_status "$status"
}
