# shellcheck shell=bash
# Mail in clear: recipients and messages accepted, put off and refused; passwords; connections that
# come to nothing; dialogues that only a script speaks.

scenes_connect() {
    scene 51 refused
    mail_by_curl "smtp://$SOCKS:587" --mail-from a@elsewhere.example --mail-rcpt anna@lab.example
    expect flows 1
    expect handshake refused
    scene 52 prohibited
    mail_by_swaks --server 203.0.113.25 --to anna@lab.example --timeout 2
    expect flows 1
    expect handshake icmp
    # Nobody answers: the longest scene, waited for at the end.
    scene 53 unanswered
    mail_by_swaks --server 192.0.2.25 --to anna@lab.example --timeout 8 &
    UNANSWERED=$!
    expect flows 1
    expect handshake unanswered
    scene 54 closed-early
    talk --to "$MAIL:25" <<EOF
<-
close
EOF
    expect flows 1
    expect handshake closed-early
    expect smtp.helo 0
}

scenes_end() { wait "$UNANSWERED" || true; }

scenes_mail() {
    scene 11 accepted-pipelined
    mail_by_swaks --server "$MAIL" --pipeline --from a@elsewhere.example \
        --to anna@lab.example,ben@lab.example,carl@lab.example,dora@lab.example,eve@lab.example
    by_log && by_transcript
    expect smtp.starttls_state offered
    expect handshake established
    scene 12 accepted-in-turn
    mail_by_swaks --server "$MAIL" --from a@elsewhere.example --to anna@lab.example,ben@lab.example
    by_log && by_transcript
    scene 13 recipients-put-off
    mail_by_swaks --server "$MAIL" --from a@elsewhere.example --to full@lab.example,later@lab.example
    by_log && by_transcript
    scene 14 recipients-refused
    mail_by_swaks --server "$MAIL" --from a@elsewhere.example --to nobody@lab.example,gone@lab.example
    by_log && by_transcript
    scene 15 recipients-mixed
    mail_by_swaks --server "$MAIL" --pipeline --from a@elsewhere.example \
        --to nobody@lab.example,anna@lab.example,full@lab.example,relay@third.example,ben@lab.example
    by_log && by_transcript
    scene 16 data-refused
    mail_by_swaks --server "$MAIL" --from nodata@elsewhere.example --to anna@lab.example
    by_log && by_transcript
    scene 17 message-put-off
    mail_by_swaks --server "$MAIL" --from slow@elsewhere.example --to anna@lab.example
    by_log && by_transcript
    scene 18 message-refused
    mail_by_swaks --server "$MAIL" --from spam@elsewhere.example --to anna@lab.example
    by_log && by_transcript
    scene 19 null-sender
    mail_by_swaks --server "$MAIL" --from '<>' --to anna@lab.example
    mail_by_swaks --server "$MAIL" --from '<>' --to ben@lab.example --pipeline
    by_log && by_transcript_of_two
    scene 20 port-2525
    mail_by_swaks --server "$MAIL:2525" --from a@elsewhere.example --to anna@lab.example,nobody@lab.example
    by_log && by_transcript
    scene 30 sender-refused
    mail_by_swaks --server "$STRICT" --from refused@elsewhere.example --to anna@lab.example
    by_log && by_transcript
    scene 31 sender-put-off
    mail_by_swaks --server "$STRICT" --from waiting@elsewhere.example --to anna@lab.example
    by_log && by_transcript
    scenes_blocklists
    scenes_bulk
    scenes_second_server
}

# Two sessions in one transcript: the second greeting would pass for a reply.
by_transcript_of_two() {
    local whole=$TRANSCRIPT n=0 part
    awk -v stem="$whole" '/^=== Trying/ { n++ } n { print > (stem "." n) }' "$whole"
    for part in "$whole".[0-9]; do
        TRANSCRIPT=$part
        by_transcript
        n=$((n + 1))
    done
    TRANSCRIPT=$whole
    expect flows "$n"
}

scenes_blocklists() {
    scene 28 listed-unknown
    mail_by_swaks --server "$MAIL" --from a@elsewhere.example --to anna@lab.example
    by_log && by_transcript
    expect smtp.blocklist_names_us 1
    scene 29 listed-exploit
    mail_by_swaks --server "$MAIL" --from a@elsewhere.example --to anna@lab.example
    by_log && by_transcript
    expect smtp.blocklist_exploit 1
    scene 38 listed-policy
    mail_by_swaks --server "$MAIL" --from a@elsewhere.example --to anna@lab.example
    by_log && by_transcript
    expect smtp.blocklist_policy 1
}

# smtp-source is Postfix's own load generator; its address follows from the route.
scenes_bulk() {
    scene "${BULK_CLIENT##*.}" bulk
    at_home smtp-source -s 4 -m 40 -r 5 -l 2000 -f a@elsewhere.example -t anna@lab.example \
        "inet:$BULK:25" >>"$TRANSCRIPT" 2>&1
    at_home smtp-source -d -s 1 -m 25 -r 3 -f a@elsewhere.example -t anna@lab.example \
        "inet:$BULK:25" >>"$TRANSCRIPT" 2>&1
    by_log
    expect smtp.rcpt 275
    expect smtp.messages_ok 65
}

# Dovecot's submission relays with BDAT, and its LMTP answers a message once for each recipient.
scenes_second_server() {
    local status=0
    scene "${HOME_SERVER##*.}" bdat-by-dovecot
    at_home swaks --server 127.0.0.1:587 --auth PLAIN --auth-user anna --auth-password right-password-1 \
        --from a@elsewhere.example --to anna@lab.example,nobody@lab.example,ben@lab.example \
        --suppress-data --body 'Through submission.' >>"$TRANSCRIPT" 2>&1 || status=$?
    note_status "$status"
    by_log
    scene 39 lmtp
    mail_by_swaks_lmtp --to anna@box.example,ben@box.example,stranger@box.example
    mail_by_swaks_lmtp --to anna@box.example,carl@box.example --pipeline
    for part in "$TRANSCRIPT".[0-9]; do
        awk -v address="$ADDRESS" -v lmtp=1 -f "$HERE/truth_transcript.awk" "$part" \
            >>"$LAB/truth_transcripts.tsv"
    done
    expect app lmtp
    # Postfix' own LMTP client, at its own time; its log is the truth.
    scene 50 to-lmtp-by-postfix
    mail_by_swaks --server "$MAIL" --from a@elsewhere.example \
        --to anna@box.example,stranger@box.example,ben@box.example,carl@box.example
    by_log && by_transcript
    wait_for "Postfix' delivery" delivered_by_lmtp 4
    ADDRESS=postfix
    printf '%s\t%s\n' "$ADDRESS" lmtp-by-postfix >>"$LAB/scenes.tsv"
    by_log
    expect app lmtp
}

# delivered_by_lmtp RECIPIENTS
delivered_by_lmtp() { [ "$(grep -c 'postfix/lmtp\[[0-9]*\]: [0-9A-F]*: to=<' "$LAB/mail.log")" -ge "$1" ]; }

# From the world's side, because the LMTP server stands at home: the scene's address is the other end.
mail_by_swaks_lmtp() {
    local status=0 part=1
    while [ -e "$TRANSCRIPT.$part" ]; do part=$((part + 1)); done
    ip addr add "198.51.100.${ADDRESS##*.}/32" dev wire 2>/dev/null || true
    swaks --protocol LMTP --server "$HOME_SERVER:24" --local-interface "198.51.100.${ADDRESS##*.}" \
        --ehlo mail.lab.example --from a@elsewhere.example --suppress-data "$@" \
        >>"$TRANSCRIPT.$part" 2>&1 || status=$?
    printf '=== status %d\n' "$status" >>"$TRANSCRIPT.$part"
}

login_scene() {
    scene "$1" "$2"
    shift 2
    mail_by_swaks --server "$MAIL:587" --auth-user anna --from a@elsewhere.example --to x@third.example "$@"
    by_log && by_transcript
}

login_by_curl() {
    scene "$1" "$2"
    shift 2
    mail_by_curl "smtp://$MAIL:587" --mail-from a@elsewhere.example --mail-rcpt x@third.example "$@"
    by_transcript
    expect smtp.auth 1
}

# login_by_digest NUMBER NAME PASSWORD: what follows the answer comes on standard input.
login_by_digest() {
    scene "$1" "$2"
    talk --to "$MAIL:587" < <(
        printf '%s\n' '<-' '-> EHLO home.subscriber.example' '<-' '-> AUTH DIGEST-MD5' '<-' "digest anna $3" '<-'
        cat
        printf '%s\n' '-> QUIT' '<-'
    )
    by_log && by_transcript
    expect smtp.auth 1
    expect smtp.auth_failed "$([ "$3" = wrong ] && printf 1 || printf 0)"
}

scenes_login() {
    login_scene 21 plain-wrong --auth PLAIN --auth-password wrong
    login_scene 22 login-wrong --auth LOGIN --auth-password wrong
    login_scene 23 cram-md5-wrong --auth CRAM-MD5 --auth-password wrong
    login_scene 24 plain-right --auth PLAIN --auth-password right-password-1
    login_scene 25 login-right --auth LOGIN --auth-password right-password-1
    login_scene 26 cram-md5-right --auth CRAM-MD5 --auth-password right-password-1
    # Mechanisms that swaks does not speak.
    login_by_digest 57 digest-md5-wrong wrong </dev/null
    login_by_digest 55 digest-md5-right right-password-1 <<EOF
->
<-
-> MAIL FROM:<a@elsewhere.example>
<-
-> RCPT TO:<x@third.example>
<-
-> DATA
<-
=> Logged in\r\n.\r\n
<-
EOF
    # curl takes no empty realm for one, and cancels.
    login_by_curl 58 digest-md5-cancelled --login-options AUTH=DIGEST-MD5 --user anna:right-password-1
    by_log
    # The refusal comes as a challenge, and curl hangs up without an answer: that is the failure, no reply says it.
    login_by_curl 56 xoauth2-wrong --login-options AUTH=XOAUTH2 --user anna --oauth2-bearer no-such-token
    scene 33 guessing
    talk --to "$MAIL:587" <<EOF
<-
-> EHLO home.subscriber.example
<-
-> AUTH PLAIN AGFubmEAYQ==
<-
-> AUTH PLAIN
<-
-> AGFubmEAYg==
<-
-> AUTH LOGIN
<-
-> YW5uYQ==
<-
-> Yw==
<-
-> AUTH LOGIN YW5uYQ==
<-
-> *
<-
-> AUTH NTLM
<-
-> QUIT
<-
EOF
    by_log && by_transcript
}

scenes_talk() {
    scene 32 questions
    talk --to "$MAIL:25" <<EOF
<-
-> HELO home.subscriber.example
<-
-> VRFY anna@lab.example
<-
-> vrfy nobody@lab.example
<-
-> EXPN list
<-
-> NOOP
<-
-> HELP
<-
-> XFOO bar
<-
-> mail from:<a@elsewhere.example>
<-
-> rcpt to:<anna@lab.example>
<-
-> RSET
<-
-> quit
<-
EOF
    by_transcript
    expect smtp.unknown 1
    scene 34 early-talker
    talk --to "$SLEEPY:25" <<EOF
-> EHLO home.subscriber.example
<-
<-
-> MAIL FROM:<a@elsewhere.example>
<-
-> RCPT TO:<anna@lab.example>
<-
-> QUIT
<-
EOF
    by_log
    expect smtp.early_talker true
    scene 35 chunks
    talk --to "$MAIL:25" <<EOF
<-
-> EHLO home.subscriber.example
<-
-> MAIL FROM:<a@elsewhere.example>
<-
-> RCPT TO:<anna@lab.example>
<-
-> BDAT 19
=> Subject: chunks\r\n\r\n
<-
-> BDAT 14
=> RCPT TO:<x@y>\n
<-
-> BDAT 8 LAST
=> QUIT\r\n\r\n
<-
-> MAIL FROM:<a@elsewhere.example>
<-
-> RCPT TO:<nobody@lab.example>
<-
-> RCPT TO:<ben@lab.example>
<-
-> BDAT 5 LAST
=> .\r\n\r\n
<-
-> QUIT
<-
EOF
    by_log && by_transcript
    expect smtp.message_octets 46
    scene 36 octet-by-octet
    talk --octets --to "$MAIL:25" <<EOF
<-
-> EHLO home.subscriber.example
<-
-> MAIL FROM:<>
<-
-> RCPT TO:<anna@lab.example>
<-
-> RCPT TO:<full@lab.example>
<-
-> RCPT TO:<ben%third.example@lab.example>
<-
-> DATA
<-
=> MAIL FROM:<inside@content>\r\n..\r\n250 not a reply\r\n.\r\n
<-
-> QUIT
<-
EOF
    by_log && by_transcript
    expect smtp.source_routed 1
    scene 40 cut-off
    talk --to "$MAIL:25" <<EOF
<-
-> EHLO home.subscriber.example
<-
-> MAIL FROM:<a@elsewhere.example>
<-
-> RCPT TO:<anna@lab.example>
<-
-> DATA
<-
=> Half a message\r\n
wait 50
reset
EOF
    by_transcript
    expect smtp.messages_ok 0
    scene 37 thrown-out
    talk --to "$STRICT:25" <<EOF
<-
-> EHLO home.subscriber.example
<-
-> RCPT TO:<anna@lab.example>
<-
-> RCPT TO:<anna@lab.example>
<-
-> RCPT TO:<anna@lab.example>
<-
<-
<- close
EOF
    by_transcript
    expect smtp.reply_421 1
}
