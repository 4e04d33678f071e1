# shellcheck shell=bash
# Mail in clear and in TLS with Exim: in turn, pipelined, in chunks; refused at each stage; passwords;
# and Exim as a client, which delivers, and asks the sender's server before it takes mail.

exim_mail() { mail_by_swaks --server "$EXIM_SERVER" "$@"; }

# exim_scene NUMBER NAME OPTION...: one mail, told by the log and by the transcript.
exim_scene() {
    scene "$1" "$2"
    shift 2
    exim_mail --from a@elsewhere.example "$@"
    by_log && by_transcript
}

scenes_exim_mail() {
    exim_scene 11 accepted-pipelined --pipeline \
        --to anna@lab.example,ben@lab.example,carl@lab.example,dora@lab.example,eve@lab.example
    expect smtp.starttls_state offered
    expect handshake established
    exim_scene 12 accepted-in-turn --to anna@lab.example,ben@lab.example
    exim_scene 13 recipients-put-off --to full@lab.example,later@lab.example
    exim_scene 14 recipients-refused --to nobody@lab.example,gone@lab.example
    exim_scene 15 recipients-mixed --pipeline \
        --to nobody@lab.example,anna@lab.example,full@lab.example,relay@third.example,ben@lab.example
    exim_scene 16 data-refused --from nodata@elsewhere.example --to anna@lab.example
    exim_scene 17 message-put-off --from slow@elsewhere.example --to anna@lab.example
    exim_scene 18 message-refused --from spam@elsewhere.example --to anna@lab.example
    exim_scene 19 null-sender --from '<>' --to anna@lab.example
    exim_scene 20 port-2525 --server "$EXIM_SERVER:2525" --to anna@lab.example,nobody@lab.example
    exim_scene 28 sender-refused --from refused@elsewhere.example --to anna@lab.example
    exim_scene 29 sender-put-off --from waiting@elsewhere.example --to anna@lab.example
    scene 51 listed-at-the-door
    exim_mail --from a@elsewhere.example --to anna@lab.example
    by_transcript
    expect smtp.blocklist_replies 1
    expect smtp.blocklist_exploit 1
}

scenes_exim_login() {
    local mechanism n=21
    for mechanism in PLAIN LOGIN CRAM-MD5; do
        exim_scene $n "${mechanism,,}-wrong" --server "$EXIM_SERVER:587" --to x@third.example \
            --auth "$mechanism" --auth-user anna --auth-password wrong
        exim_scene $((n + 3)) "${mechanism,,}-right" --server "$EXIM_SERVER:587" --to x@third.example \
            --auth "$mechanism" --auth-user anna --auth-password right-password-1
        n=$((n + 1))
    done
    scene 33 guessing
    talk --to "$EXIM_SERVER:587" <<EOF
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
-> QUIT
<-
EOF
    by_transcript
}

scenes_exim_talk() {
    scene 32 questions
    talk --to "$EXIM_SERVER:25" <<EOF
<-
-> HELO home.subscriber.example
<-
-> VRFY anna@lab.example
<-
-> expn list
<-
-> NOOP
<-
-> XFOO bar
<-
->
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
    by_log && by_transcript
    expect smtp.unknown 1
    # PIPECONNECT: Exim lets its clients speak before it greets.
    scene 34 early-talker
    talk --to "$EXIM_SERVER:25" <<EOF
-> EHLO home.subscriber.example
-> MAIL FROM:<a@elsewhere.example>
-> RCPT TO:<anna@lab.example>
<-
<-
<-
<-
-> DATA
<-
=> Early\r\n.\r\n
<-
-> QUIT
<-
EOF
    by_log && by_transcript
    expect smtp.early_talker true
    # Lines of the content that look like commands; several mails; no RSET between them.
    scene 35 chunks
    talk --to "$EXIM_SERVER:25" <<EOF
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
-> MAIL FROM:<>
<-
-> RCPT TO:<nobody@lab.example>
<-
-> RCPT TO:<ben@lab.example>
<-
-> BDAT 0 LAST
<-
-> QUIT
<-
EOF
    by_log && by_transcript
    expect smtp.message_octets 41
    # All of a mail in one go, the chunks too; the second one's content is refused.
    scene 36 chunks-pipelined
    talk --to "$EXIM_SERVER:25" <<EOF
<-
-> EHLO home.subscriber.example
<-
-> MAIL FROM:<a@elsewhere.example>
-> RCPT TO:<anna@lab.example>
-> RCPT TO:<full@lab.example>
-> BDAT 22
=> Subject: pipelined\r\n\r\n
-> BDAT 6 LAST
=> DATA\r\n
<-
<-
<-
<-
<-
-> MAIL FROM:<spam@elsewhere.example>
-> RCPT TO:<anna@lab.example>
-> BDAT 6 LAST
=> RSET\r\n
<-
<-
<-
-> RSET
<-
-> QUIT
<-
EOF
    by_log && by_transcript
    expect smtp.message_octets 34
    # PRDR: an answer for each recipient behind the content, and one for the message.
    scene 38 recipients-judged
    talk --to "$EXIM_SERVER:25" <<EOF
<-
-> EHLO home.subscriber.example
<-
-> MAIL FROM:<a@elsewhere.example> PRDR
<-
-> RCPT TO:<anna@lab.example>
<-
-> RCPT TO:<picky@lab.example>
<-
-> DATA
<-
=> First\r\n.\r\n
<-
<-
<-
<-
-> MAIL FROM:<a@elsewhere.example> PRDR
<-
-> RCPT TO:<slow@lab.example>
<-
-> RCPT TO:<picky@lab.example>
<-
-> DATA
<-
=> Second\r\n.\r\n
<-
<-
<-
<-
-> QUIT
<-
EOF
    # Its last answer to the second is 250 all the same; its log knows of no second message.
    expect smtp.rcpt_ok 4
    expect smtp.messages_ok 1
    expect smtp.messages_4xx 1
    scene 37 thrown-out
    talk --to "$EXIM_SERVER:25" <<EOF
<-
-> EHLO home.subscriber.example
<-
-> RCPT TO:<anna@lab.example>
<-
-> RCPT TO:<anna@lab.example>
<-
-> RCPT TO:<anna@lab.example>
<-
-> RCPT TO:<anna@lab.example>
<-
<- close
EOF
    by_transcript
    scene 40 cut-off
    talk --to "$EXIM_SERVER:25" <<EOF
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
}

scenes_exim_tls() {
    scene 41 starttls-accepted
    exim_mail --tls --tls-sni exim.lab.example --from a@elsewhere.example --to anna@lab.example,ben@lab.example
    by_transcript
    tls_by_log
    expect smtp.starttls_state accepted
    expect tls.sni_domain lab.example
    expect tls.handshake_done true
    scene 42 starttls-refused
    exim_mail --tls-optional --from a@elsewhere.example --to anna@lab.example
    by_log && by_transcript
    expect smtp.starttls_state asked
    scene 43 starttls-then-auth
    exim_mail --server "$EXIM_SERVER:587" --tls --auth PLAIN --auth-user anna --auth-password wrong \
        --from a@elsewhere.example --to x@third.example
    by_transcript
    tls_by_log
    expect smtp.starttls_state accepted
    expect smtp.auth 0
    scene 45 starttls-1.2
    s_client -connect "$EXIM_SERVER:25" -starttls smtp -quiet -tls1_2 <<<"QUIT"
    tls_by_log
    expect smtp.starttls_state accepted
    expect smtp.mail 0
    scene 46 implicit-by-swaks
    exim_mail --server "$EXIM_SERVER:465" --tls-on-connect --auth LOGIN --auth-user anna \
        --auth-password right-password-1 --from a@elsewhere.example --to x@third.example
    tls_by_log
    expect app smtps
}

# The world's Exim goes to the one at home, whose log tells of it: recipients of one mail taken, put off and
# refused there; a sender who exists, and one who does not.
scenes_exim_client() {
    exim_scene 50 to-be-delivered \
        --to anna@box.example,stranger@box.example,ben@box.example,busy@box.example,picky@box.example
    exim_scene 30 callout-confirmed --from anna@callout.example --to anna@lab.example
    exim_scene 31 callout-refused --from nobody@callout.example --to anna@lab.example
    ADDRESS=exim
    printf '%s\t%s\n' "$ADDRESS" exim-as-a-client >>"$LAB/scenes.tsv"
    by_log
    expect app smtp
}

# Everything taken has been handed on, given up or put off.
exim_idle() {
    local file id
    for file in "$LAB"/{exim,home}/input/*-H; do
        [ -e "$file" ] || continue
        id=$(basename "$file" -H)
        grep -q "$id == " "$LAB"/{exim,home}/mainlog || return 1
    done
}
