# shellcheck shell=bash
# TLS: asked for, refused, implicit. Inside it nothing is seen, so the clear part of the transcript is
# the truth for counts, and Postfix's log for version and cipher.

# The server's word for the session: version and cipher suite as the sensor names them.
tls_by_log() { printf '%s\n' "$ADDRESS" >>"$LAB/tls_by_log"; }

# client OPTION...: openssl's own client, from the scene's address.
s_client() {
    local status=0
    at_home timeout 10 openssl s_client -bind "$ADDRESS:0" -servername mail.lab.example "$@" \
        >>"$TRANSCRIPT" 2>&1 || status=$?
    note_status "$status"
}

scenes_tls() {
    scene 41 starttls-accepted
    mail_by_swaks --server "$MAIL" --tls --tls-sni mail.lab.example --from a@elsewhere.example \
        --to anna@lab.example,ben@lab.example
    by_transcript
    tls_by_log
    expect smtp.starttls_state accepted
    expect tls.sni_domain lab.example
    expect tls.handshake_done true
    scene 42 starttls-refused
    mail_by_swaks --server "$NO_TLS" --tls-optional --from a@elsewhere.example --to anna@lab.example
    by_transcript
    expect smtp.starttls_state asked
    # The server agrees, and has no certificate for the only cipher asked for: the handshake fails.
    scene 49 starttls-fails
    s_client -connect "$MAIL:25" -starttls smtp -quiet -tls1_2 \
        -cipher ECDHE-ECDSA-AES128-GCM-SHA256 <<<"QUIT"
    expect smtp.starttls_state accepted
    expect smtp.helo 1
    expect tls.handshake_done false
    expect tls.alert 40
    scene 43 starttls-then-auth
    mail_by_swaks --server "$MAIL:587" --tls --auth PLAIN --auth-user anna --auth-password wrong \
        --from a@elsewhere.example --to x@third.example
    by_transcript
    tls_by_log
    expect smtp.starttls_state accepted
    expect smtp.auth 0
    scene 44 implicit-1.3
    s_client -connect "$MAIL:465" -quiet -tls1_3 <<<"QUIT"
    tls_by_log
    expect app smtps
    expect tls.sni_domain lab.example
    expect tls.handshake_done true
    scene 45 implicit-1.2
    s_client -connect "$MAIL:465" -quiet -tls1_2 <<<"QUIT"
    tls_by_log
    expect app smtps
    expect tls.handshake_done true
    scene 46 implicit-by-swaks
    mail_by_swaks --server "$MAIL:465" --tls-on-connect --auth LOGIN --auth-user anna \
        --auth-password right-password-1 --from a@elsewhere.example --to x@third.example
    tls_by_log
    expect app smtps
    scene 47 implicit-by-curl
    mail_by_curl -k "smtps://$MAIL:465" --user anna:right-password-1 \
        --mail-from a@elsewhere.example --mail-rcpt x@third.example
    tls_by_log
    expect app smtps
    scene 48 starttls-by-openssl
    s_client -connect "$MAIL:25" -starttls smtp -quiet -tls1_2 <<<"QUIT"
    tls_by_log
    expect smtp.starttls_state accepted
    expect smtp.mail 0
}
