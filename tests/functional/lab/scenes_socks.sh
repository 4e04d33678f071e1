# shellcheck shell=bash
# SOCKS, through Dante (4, 4a, 5; BIND and UDP ASSOCIATE) and microsocks (5, passwords), with mail as
# what is relayed. curl says which reply it got; the mail's counts are those of its transcript.

# socks_mail NUMBER NAME PROXY-URL TARGET [CURL OPTION...]
socks_mail() {
    scene "$1" "$2"
    mail_by_curl --proxy "$3" "smtp://$4" --mail-from a@elsewhere.example \
        --mail-rcpt anna@lab.example --mail-rcpt ben@lab.example "${@:5}"
}

# expect_socks APP VERSION METHOD COMMAND PORT REPLY, a dash for what is not said
expect_socks() {
    expect app "$1"
    expect socks.version "$2"
    [ "$3" = - ] || expect socks.method "$3"
    [ "$4" = - ] || expect socks.command "$4"
    [ "$5" = - ] || expect socks.target_port "$5"
    [ "$6" = - ] || expect socks.reply "$6"
}

relayed() {
    by_transcript
    expect socks.granted true
    expect socks.inner_app smtp
}

scenes_socks() {
    socks_mail 61 socks4 "socks4://$SOCKS:1080" "$MAIL:25"
    expect_socks socks4 4 - connect 25 90
    relayed
    socks_mail 62 socks4a "socks4a://$SOCKS:1080" mail.lab.example:2525
    # Dante takes the name's place-holder for an address.
    expect_socks socks4a 4 - connect 2525 91
    expect socks.granted false
    socks_mail 63 socks5 "socks5://$SOCKS:1080" "$MAIL:25"
    expect_socks socks5 5 0 connect 25 0
    relayed
    socks_mail 64 socks5-by-name "socks5h://$SOCKS:1080" mail.lab.example:587
    expect_socks socks5 5 0 connect 587 0
    relayed
    socks_mail 65 password-right "socks5://customer:right@$SOCKS:4145" "$MAIL:25"
    expect_socks socks5 5 2 connect 25 0
    relayed
    expect socks.auth_failed false
    socks_mail 66 password-wrong "socks5://customer:wrong@$SOCKS:4145" "$MAIL:25"
    expect_socks socks5 5 2 none - null
    expect socks.auth_failed true
    expect socks.granted false
    socks_mail 67 no-method "socks5://$SOCKS:4145" "$MAIL:25"
    expect_socks socks5 5 null none - null
    expect socks.granted false
    socks_mail 68 target-refuses "socks5://$SOCKS:9150" "$MAIL:9"
    expect_socks socks5 5 0 connect 9 5
    expect socks.granted false
    socks_mail 69 not-allowed "socks5://$SOCKS:1080" "$NO_TLS:25"
    expect_socks socks5 5 0 connect 25 2
    expect socks.granted false
    socks_mail 70 socks4-refused "socks4://$SOCKS:1080" "$NO_TLS:25"
    expect_socks socks4 4 - connect 25 91
    expect socks.granted false
    socks_mail 73 odd-port "socks5://$SOCKS:9150" "$MAIL:25"
    expect_socks socks5 5 0 connect 25 0
    relayed
    scenes_connect_tunnel
    scenes_socks_by_hand
    scene_socks6
    scene_socks_reverse
}

# By HTTP CONNECT: curl asks without a password, and when it is refused again on the same connection.
scenes_connect_tunnel() {
    socks_mail 77 connect "http://$SOCKS:3128" "$MAIL:25" --proxytunnel --proxy-anyauth --proxy-user customer:right
    expect flows 1
    expect_socks http 1 - connect 25 0
    relayed
    expect socks.auth_failed false
    socks_mail 78 connect-refused "http://$SOCKS:3128" "$MAIL:25" --proxytunnel --proxy-anyauth --proxy-user customer:wrong
    expect flows 1
    expect_socks http 1 - connect 25 2
    expect socks.granted false
    expect socks.auth_failed true
}

# What curl does not ask for.
scenes_socks_by_hand() {
    scene 71 bind
    talk --to "$SOCKS:1080" <<EOF
hex 05 01 00
read 2
hex 05 02 00 01 c6 33 64 19 00 19
read 10
close
EOF
    expect_socks socks5 5 0 bind 25 0
    scene 72 udp-associate
    talk --to "$SOCKS:1080" <<EOF
hex 05 02 00 01
read 2
hex 05 03 00 01 00 00 00 00 00 00
read 10
wait 50
close
EOF
    expect_socks socks5 5 0 udp 0 0
    scene 76 gssapi-not-taken
    talk --to "$SOCKS:1080" <<EOF
hex 05 01 01
read 2
close
EOF
    expect_socks socks5 5 null none - null
    scene 74 socks4-bind
    talk --to "$SOCKS:1080" <<EOF
hex 04 02 00 19 c6 33 64 19 75 73 65 72 00
read 8
close
EOF
    expect_socks socks4 4 - bind 25 90
}

# A proxy at home that dials out and is used from outside: whoever answers the connection asks.
scene_socks_reverse() {
    local meet dial status=0
    scene 75 reverse
    node "$HERE/bridge.mjs" meet "$SOCKS:9999" 127.0.0.1:1081 >"$LAB/meet.out" 2>&1 &
    meet=$!
    wait_for "the meeting point" grep -q ready "$LAB/meet.out"
    at_home node "$HERE/bridge.mjs" dial "$ADDRESS" "$SOCKS:9999" 127.0.0.1:1082 >"$LAB/dial.out" 2>&1 &
    dial=$!
    printf 'Subject: by curl\r\n\r\nA short message.\r\n' |
        curl -sv --max-time 10 -T - --proxy socks5://127.0.0.1:1081 "smtp://$ADDRESS:2526" \
            --mail-from a@elsewhere.example --mail-rcpt anna@lab.example >>"$TRANSCRIPT" 2>&1 || status=$?
    note_status "$status"
    wait "$meet" "$dial" || true
    expect_socks socks5 5 0 connect 2526 5
    expect socks.reverse true
    expect socks.granted false
    expect flows 1
}

# The same over IPv6, relay and mail server.
scene_socks6() {
    scene 10 over-ipv6
    ADDRESS=fd77:1::10
    printf '%s\t%s\n' "$ADDRESS" "$SCENE" >>"$LAB/scenes.tsv"
    mail_by_curl --proxy "socks5://[$SOCKS6]:1080" "smtp://[$MAIL6]:25" \
        --mail-from a@elsewhere.example --mail-rcpt anna@lab.example --mail-rcpt nobody@lab.example
    expect_socks socks5 5 0 connect 25 0
    relayed
}
