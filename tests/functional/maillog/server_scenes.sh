# shellcheck shell=bash
# What is sent, and what is known of it: sent WHO WHAT NUMBER.

GTUBE='XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X'

sent() { printf '%s\t%s\t%d\n' "$1" "$2" "$3" >>"$LAB/truth.tsv"; }

# mail STATUS CLIENT OPTION...: one session of swaks, which has to end so (26: refused at its end, 24: all
# recipients refused, 28: no login).
mail() {
    local expected=$1 client=$2 status=0 transcript
    shift 2
    transcript=$(mktemp "$LAB/transcript.XXXXXX")
    swaks --local-interface "$client" --ehlo pc --timeout 20 --suppress-data "$@" >"$transcript" 2>&1 || status=$?
    [ "$status" -eq "$expected" ] || wrong "swaks ended with $status, not $expected: $* ($(tail -3 "$transcript"))"
    sent "client:$client" connections 1
}

login() { printf '%s\n' --auth PLAIN --auth-user "$1" --auth-password "right-${1%@*}"; }

# submit STATUS CLIENT MAILBOX WAY RECIPIENTS OPTION...: WAY is clear, starttls or smtps
submit() {
    local expected=$1 client=$2 mailbox=$3 to=$5 way
    case $4 in
    clear) way=(--server "$SERVER:587") ;;
    starttls) way=(--server "$SERVER:587" --tls) ;;
    smtps) way=(--server "$SERVER:465" --tls-on-connect) ;;
    esac
    shift 5
    mapfile -t who < <(login "$mailbox")
    mail "$expected" "$client" "${way[@]}" "${who[@]}" --from "${mailbox%@*}@lab.example" --to "$to" "$@"
    for party in "box:${mailbox%@*}" "client:$client"; do sent "$party" auth 1; done
}

# took MAILBOX CLIENT RECIPIENTS: one message was taken
took() {
    local party
    for party in "box:$1" "client:$2"; do
        sent "$party" messages_ok 1
        sent "$party" rcpt_ok "$3"
    done
}

# blocked MAILBOX CLIENT KIND CLASS
blocked() {
    local party
    for party in "box:$1" "client:$2"; do
        sent "$party" "$3" 1
        sent "$party" "messages_$4" 1
    done
}

# The load generator has no password and no TLS: a client's, over 4 sessions.
bulk() { # MESSAGES RECIPIENTS
    smtp-source -d -s 4 -m "$1" -r "$2" -l 400 -f load@lab.example -t y@ok.example "inet:$BULK:25" >>"$LAB/bulk.out" 2>&1
    sent "client:$BULK_CLIENT" connections 4
    sent "client:$BULK_CLIENT" messages_ok "$1"
    sent "client:$BULK_CLIENT" rcpt_ok "$(($1 * $2))"
}

# Side by side: each has a client of its own.
together() {
    local each pids=() pid
    for each in "$@"; do
        "$each" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || wrong "a scene failed"; done
}

good_anna() {
    submit 0 10.78.1.11 anna starttls a@ok.example,b@refuses.example,c@later.example
    took anna 10.78.1.11 3
    # The other end's word.
    for party in box:anna client:10.78.1.11; do
        sent "$party" destination_5xx 1
        sent "$party" destination_blocklist 1
        sent "$party" blocklist_exploit 1
        sent "$party" deferred 1
        sent "$party" bounces 1
    done
    submit 0 10.78.1.11 anna@lab.example smtps a@ok.example
    took anna 10.78.1.11 1
}

good_ben() {
    submit 0 10.78.1.12 ben clear a@ok.example,b@ok.example
    took ben 10.78.1.12 2
    submit 0 10.78.1.12 ben starttls staff@lab.example # thirty behind it
    took ben 10.78.1.12 1
    submit 0 10.78.1.12 ben starttls staff@lab.example,a@ok.example
    took ben 10.78.1.12 2
}

# By IPv6, and a proxy in front that speaks for a client.
good_carl() {
    node "$HERE/../lab/talk.mjs" --from fd77:9::10 --to "[$SERVER6]:25" >"$LAB/transcript.v6" <<TALK || wrong "by IPv6"
<-
-> EHLO pc
<-
-> AUTH PLAIN $(printf '\0carl\0right-carl' | base64)
<-
-> MAIL FROM:<carl@lab.example>
<-
-> RCPT TO:<a@ok.example>
<-
-> DATA
<-
=> By IPv6\r\n.\r\n
<-
-> QUIT
<-
TALK
    sent client:fd77:9::10 connections 1
    for party in box:carl client:fd77:9::10; do sent "$party" auth 1; done
    took carl fd77:9::10 1
    mail 0 127.0.0.1 --server 127.0.0.1:25 --xclient 'ADDR=10.78.1.40 PORT=4711 LOGIN=carl' --from carl@lab.example --to a@ok.example
    sent client:127.0.0.1 connections -1
    sent client:10.78.1.40 connections 1
    for party in box:carl client:10.78.1.40; do sent "$party" auth 1; done
    took carl 10.78.1.40 1
}

scenes_good() { together good_anna good_ben good_carl; }

bad_ben() {
    submit 26 10.78.1.22 ben smtps a@ok.example --body "$GTUBE"
    blocked ben 10.78.1.22 filter_spam 5xx
    submit 26 10.78.1.22 ben starttls a@ok.example --body SPAM-OF-THE-LAB
    blocked ben 10.78.1.22 filter_spam 5xx
    submit 26 10.78.1.22 ben clear a@ok.example --body VIRUS-OF-THE-LAB
    blocked ben 10.78.1.22 filter_virus 5xx
    sent client:10.78.1.22 rcpt_shown 1
}

bad_dora() {
    submit 26 10.78.1.23 dora starttls a@ok.example,b@ok.example --body LATER-OF-THE-LAB
    blocked dora 10.78.1.23 filter_policy 4xx
    submit 26 10.78.1.23 dora clear a@ok.example --header 'Subject: FORBIDDEN'
    blocked dora 10.78.1.23 filter_policy 5xx
    sent client:10.78.1.23 rcpt_shown 1
    # One of three is taken, one refused, one put off.
    submit 0 10.78.1.23 dora starttls a@ok.example,gone@ok.example,full@ok.example
    took dora 10.78.1.23 1
    for party in box:dora client:10.78.1.23; do
        sent "$party" rcpt_5xx 1
        sent "$party" rcpt_4xx 1
    done
}

# Who is refused is nobody's mailbox: it counts by client.
bad_logins() {
    local n
    for n in 1 2; do
        mail 28 10.78.1.24 --server "$SERVER:587" --tls --auth PLAIN --auth-user anna --auth-password wrong --to a@ok.example
        sent client:10.78.1.24 auth 1
        sent client:10.78.1.24 auth_failed 1
    done
    mail 24 10.78.1.24 --server "$SERVER" --from x@lab.example --to gone@ok.example
    sent client:10.78.1.24 rcpt_5xx 1
}

scenes_bad() { together bad_ben bad_dora bad_logins; }

scenes_unwatched() {
    submit 0 10.78.1.25 fred starttls a@ok.example,b@ok.example
    took fred 10.78.1.25 2
}

# A stolen account: four networks in four countries, sixty recipients.
stolen_from() { # CLIENT NUMBER
    local list
    list=$(seq -f "v$2-%g@ok.example" 15 | paste -sd,)
    submit 0 "$1" eve starttls "$list"
    took eve "$1" 15
}

scenes_stolen() {
    local n=0 client pids=() pid
    # Networks are counted by the minute: all four within one.
    while [ "$(date +%-S)" -gt 50 ]; do sleep 0.5; done
    for client in 203.0.113.7 192.0.2.7 198.18.0.7 198.19.0.7; do
        n=$((n + 1))
        stolen_from "$client" "$n" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || wrong "a scene failed"; done
    sent box:eve client_networks 4
    sent box:eve client_countries 4
}

scenes_last() {
    submit 0 10.78.1.26 fred smtps a@ok.example
    took fred 10.78.1.26 1
}
