# shellcheck shell=bash
# The servers, each with its own configuration, state and log in the lab's folder: Postfix, Dovecot
# (passwords for Postfix, LMTP, and submission that relays with BDAT), Dante, microsocks, a proxy for CONNECT.

postfix_configuration() {
    local etc=$LAB/postfix
    mkdir -p "$etc" "$LAB/queue" "$LAB/postfix-data"
    chown postfix "$LAB/postfix-data"
    cat >"$etc/main.cf" <<EOF
compatibility_level = 3.6
queue_directory = $LAB/queue
data_directory = $LAB/postfix-data
maillog_file = $LAB/mail.log
maillog_file_prefixes = $LAB
myhostname = mail.lab.example
mydestination = lab.example
inet_interfaces = all
inet_protocols = all
mynetworks = 127.0.0.0/8
smtpd_peername_lookup = no
smtpd_client_port_logging = yes
disable_dns_lookups = yes
smtpd_error_sleep_time = 0
smtpd_hard_error_limit = 20
smtpd_client_connection_count_limit = 0
local_recipient_maps =
alias_maps =
local_transport = discard:
default_transport = discard:
# Unknown users are asked for at the door, so that replies are the door's.
transport_maps = texthash:$etc/transport
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
relay_domains = box.example, elsewhere.example
smtpd_client_restrictions = check_client_access texthash:$etc/clients
smtpd_sender_restrictions = check_sender_access texthash:$etc/senders
smtpd_recipient_restrictions = check_recipient_access texthash:$etc/recipients
smtpd_data_restrictions = check_sender_access texthash:$etc/data
smtpd_end_of_data_restrictions = check_sender_access texthash:$etc/end_of_data
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = $LAB/auth
smtpd_tls_security_level = may
smtpd_tls_chain_files = $LAB/mail.pem
smtpd_tls_loglevel = 1
smtpd_tls_session_cache_database =
smtpd_discard_ehlo_keywords =
lmtp_destination_recipient_limit = 10
EOF
    cat >"$etc/transport" <<EOF
box.example lmtp:inet:[$HOME_SERVER]:24
EOF
    cat >"$etc/recipients" <<EOF
full@lab.example 452 4.2.2 Mailbox full
later@lab.example 450 4.7.1 Greylisted, try again later
nobody@lab.example 550 5.1.1 No such user here
gone@lab.example 554 5.7.1 Address no longer in use
EOF
    cat >"$etc/senders" <<EOF
refused@elsewhere.example 550 5.7.1 Sender refused
waiting@elsewhere.example 451 4.7.1 Sender put off
EOF
    cat >"$etc/clients" <<EOF
10.77.1.28 554 5.7.1 Service unavailable; Client host [10.77.1.28] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/10.77.1.28
10.77.1.29 550 5.7.1 Client host [10.77.1.29] blocked using xbl.spamhaus.org; see the page
10.77.1.38 550 5.7.1 Client host [10.77.1.38] blocked using pbl.spamhaus.org; dynamic address
EOF
    cat >"$etc/data" <<EOF
nodata@elsewhere.example 554 5.5.1 No content from you
EOF
    cat >"$etc/end_of_data" <<EOF
spam@elsewhere.example 550 5.7.1 Looks like spam
slow@elsewhere.example 451 4.3.0 Try again later
EOF
    postfix_services >"$etc/master.cf"
}

# smtpd at each of the addresses, and what it needs behind it; nothing in a chroot.
postfix_services() {
    cat <<EOF
$MAIL:25      inet n - n - - smtpd
$MAIL:587     inet n - n - - smtpd
$MAIL:2525    inet n - n - - smtpd
$BULK:25      inet n - n - - smtpd
[$MAIL6]:25   inet n - n - - smtpd
$MAIL:465     inet n - n - - smtpd
    -o smtpd_tls_wrappermode=yes
$NO_TLS:25    inet n - n - - smtpd
    -o smtpd_tls_chain_files=
    -o smtpd_tls_cert_file=$LAB/no-such-file.pem
    -o smtpd_tls_key_file=$LAB/no-such-file.pem
$SLEEPY:25    inet n - n - - smtpd
    -o smtpd_delay_reject=no
    -o { smtpd_client_restrictions = sleep 1 }
$STRICT:25    inet n - n - - smtpd
    -o smtpd_delay_reject=no
    -o smtpd_hard_error_limit=3
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
discard   unix - - n - - discard
error     unix - - n - - error
retry     unix - - n - - error
lmtp      unix - - n - - lmtp
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
EOF
}

dovecot_configuration() {
    mkdir -p "$LAB/boxes" "$LAB/dovecot"
    chown nobody "$LAB/boxes"
    # anna and ben have a box; carl's cannot be written.
    cat >"$LAB/users" <<EOF
anna:{PLAIN}right-password-1
ben:{PLAIN}right-password-2
carl:{PLAIN}right-password-3
EOF
    chmod 644 "$LAB/users"
    mkdir -p "$LAB/boxes/carl"
    cat >"$LAB/dovecot.conf" <<EOF
protocols = lmtp submission
base_dir = $LAB/dovecot/run
state_dir = $LAB/dovecot/state
log_path = $LAB/dovecot.log
hostname = home.subscriber.example
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 digest-md5 xoauth2
auth_username_format = %n
auth_failure_delay = 0
first_valid_uid = 1
mail_location = maildir:~/Maildir
passdb {
  driver = passwd-file
  args = $LAB/users
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=$LAB/boxes/%n
}
# Three wrong passwords must not make the fourth answer late.
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service auth {
  unix_listener $LAB/auth {
    mode = 0666
  }
}
service lmtp {
  inet_listener lmtp {
    address = $HOME_SERVER
    port = 24
  }
}
service submission-login {
  chroot =
  inet_listener submission {
    address = 127.0.0.1
    port = 587
  }
}
submission_relay_host = $MAIL
submission_relay_port = 25
submission_relay_trusted = no
EOF
}

dante_configuration() {
    cat >"$LAB/danted.conf" <<EOF
logoutput: $LAB/danted.log
internal: $SOCKS port = 1080
external: $SOCKS
socksmethod: none
clientmethod: none
user.privileged: root
user.unprivileged: nobody
client pass {
    from: 0.0.0.0/0 to: 0.0.0.0/0
    log: error
}
socks block {
    from: 0.0.0.0/0 to: $NO_TLS/32
    log: connect error
}
socks pass {
    from: 0.0.0.0/0 to: 0.0.0.0/0
    command: bind connect udpassociate
    log: connect disconnect error
}
socks pass {
    from: 0.0.0.0/0 to: 0.0.0.0/0
    command: bindreply udpreply
    log: connect error
}
EOF
}

servers_start() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mail.lab.example \
        -keyout "$LAB/key.pem" -out "$LAB/cert.pem" 2>"$LAB/openssl.log"
    cat "$LAB/key.pem" "$LAB/cert.pem" >"$LAB/mail.pem"
    postfix_configuration
    dovecot_configuration
    dante_configuration
    at_home dovecot -F -c "$LAB/dovecot.conf" >"$LAB/dovecot.out" 2>&1 &
    postfix -c "$LAB/postfix" start >"$LAB/postfix.out" 2>&1
    danted -f "$LAB/danted.conf" >"$LAB/danted.out" 2>&1 &
    microsocks -i "$SOCKS" -p 4145 -u customer -P right >"$LAB/microsocks.log" 2>&1 &
    microsocks -i "$SOCKS6" -p 1080 >"$LAB/microsocks6.log" 2>&1 &
    microsocks -i "$SOCKS" -p 9150 >"$LAB/microsocks_open.log" 2>&1 &
    node "$HERE/connect.mjs" "$SOCKS:3128" customer:right >"$LAB/connect.log" 2>&1 &
    at_home microsocks -i 127.0.0.1 -p 1082 >"$LAB/microsocks_home.log" 2>&1 &
    wait_for "microsocks at home" listens 1082 at_home
    wait_for "Dovecot" listens 24 at_home
    wait_for "Dovecot's submission" listens 587 at_home
    wait_for "Postfix" listens 25
    wait_for "Dante" listens 1080
    wait_for "microsocks" listens 4145
    wait_for "the proxy for CONNECT" listens 3128
    wait_for "microsocks without a password" listens 9150
}

# Their logs are complete when they have ended.
servers_stop() {
    postfix -c "$LAB/postfix" stop >>"$LAB/postfix.out" 2>&1 || true
    doveadm -c "$LAB/dovecot.conf" stop >/dev/null 2>&1 || true
}
