# shellcheck shell=bash
# Exim, a second mail server, twice: in the world for the homes' mail, and at home to take what the first
# delivers and to answer its callouts. Each with its own configuration, spool and log in the lab's folder.
#
# Exim logs mail and refusals, not every command. Its own access lists therefore write a line for each
# command that they are asked about ("lab: ADDRESS WORD"), so that the log tells what was spoken.

# Debian's Exim stands beside no other mail server, so it is not installed: scripts/setup unpacks it.
find_exim() {
    local unpacked=$HERE/../../../var/unpacked
    unpacked=$(realpath -m "$unpacked")
    if [ -x "$unpacked/usr/sbin/exim4" ]; then
        EXIM=$unpacked/usr/sbin/exim4
        LD_LIBRARY_PATH=$unpacked/usr/lib/$(uname -m)-linux-gnu:$unpacked/lib/$(uname -m)-linux-gnu
        export LD_LIBRARY_PATH
    else
        EXIM=$(command -v exim4) || return 1
    fi
    export EXIM
    ! ldd "$EXIM" | grep 'not found'
}

# Exim asks for its user by name.
exim_user() {
    getent passwd Debian-exim >/dev/null && return
    local file
    for file in passwd group; do
        cp "/etc/$file" "$LAB/$file"
    done
    printf 'Debian-exim:x:64999:64999::/nonexistent:/usr/sbin/nologin\n' >>"$LAB/passwd"
    printf 'Debian-exim:x:64999:\n' >>"$LAB/group"
    mount --bind "$LAB/passwd" /etc/passwd
    mount --bind "$LAB/group" /etc/group
}

# exim_configuration NAME ADDRESS PORTS
exim_configuration() {
    mkdir -p "$LAB/$1"
    chown Debian-exim:Debian-exim "$LAB/$1"
    cat >"$LAB/$1.conf" <<EOF
exim_path = $EXIM
keep_environment = LD_LIBRARY_PATH
primary_hostname = $1.lab.example
spool_directory = $LAB/$1
log_file_path = $LAB/$1/%slog
log_selector = +incoming_port +incoming_interface +received_recipients +smtp_connection +smtp_no_mail \\
    +smtp_protocol_error +smtp_syntax_error
local_interfaces = $2
daemon_smtp_ports = $3
tls_on_connect_ports = 465
tls_advertise_hosts = *
tls_certificate = $LAB/mail.pem
disable_ipv6
deliver_drop_privilege
smtp_accept_max_per_connection = 100
smtp_max_unknown_commands = 3
smtp_max_synprot_errors = 3
smtp_return_error_details
prdr_enable
acl_smtp_data_prdr = asked_prdr
message_logs = false
retry_interval_max = 1h
EOF
    exim_access >>"$LAB/$1.conf"
    exim_delivery >>"$LAB/$1.conf"
}

# What is asked at each command. The first words stand in the log for every one of them.
exim_access() {
    local stage
    for stage in connect helo auth starttls mail rcpt predata data vrfy expn quit; do
        printf 'acl_smtp_%s = asked_%s\n' "$stage" "$stage"
    done
    printf 'begin acl\n'
    for stage in connect helo auth starttls mail rcpt predata data vrfy expn quit; do
        printf 'asked_%s:\n' "$stage"
        if [ "$stage" != data ]; then
            # shellcheck disable=SC2016 # Exim's variables
            printf '    warn logwrite = lab: $sender_host_address %s %s %s\n' "$stage" \
                '${if def:tls_in_ver {$tls_in_cipher}{clear}} ${lc:${extract{1}{ }{$smtp_command}}}' \
                "$([ "$stage" = mail ] && printf '%s' '${if eq{$sender_address}{} {null}{named}}')"
        fi
        exim_rules "$stage"
    done
    # A message is judged for each recipient (PRDR).
    printf 'asked_prdr:\n    deny local_parts = picky\n    defer local_parts = slow\n    accept\n'
}

exim_rules() {
    case $1 in
    connect) cat <<EOF ;;
    deny hosts = 10.77.1.51
        message = Client host [10.77.1.51] blocked using xbl.spamhaus.org; see the page
    warn hosts = 10.77.1.34
        delay = 1s
    accept
EOF
    starttls) cat <<EOF ;;
    defer hosts = 10.77.1.42
        message = 454 4.7.0 TLS not available now
    accept
EOF
    mail) cat <<EOF ;;
    deny senders = refused@elsewhere.example
        message = 550 5.7.1 Sender refused
    defer senders = waiting@elsewhere.example
        message = 451 4.7.1 Sender put off
    accept
EOF
    rcpt) cat <<EOF ;;
    deny local_parts = nobody
        message = 550 5.1.1 No such user here
    deny local_parts = gone
        message = 554 5.7.1 Address no longer in use
    defer local_parts = full
        message = 452 4.2.2 Mailbox full
    defer local_parts = later
    deny local_parts = stranger
        condition = \${if eq{\$primary_hostname}{home.lab.example}}
        message = 550 5.1.1 No such user here
    defer local_parts = busy
        condition = \${if eq{\$primary_hostname}{home.lab.example}}
        message = 450 4.2.1 Mailbox busy
    deny sender_domains = callout.example
        condition = \${if eq{\$primary_hostname}{exim.lab.example}}
        ! verify = sender/callout=5s
    accept domains = lab.example : box.example : callout.example
    accept authenticated = *
    deny message = relay not permitted
EOF
    predata) cat <<EOF ;;
    deny senders = nodata@elsewhere.example
        message = 554 5.5.1 No content from you
    accept
EOF
    data) cat <<EOF ;;
    deny senders = spam@elsewhere.example
        message = 550 5.7.1 Looks like spam
    defer senders = slow@elsewhere.example
        message = 451 4.3.0 Try again later
    accept
EOF
    vrfy) printf '    deny message = 252 Cannot say\n' ;;
    *) printf '    accept\n' ;;
    esac
}

# Mail for box.example goes home; all other mail is written to where nothing stays.
exim_delivery() {
    cat <<EOF
begin routers
home:
    driver = manualroute
    condition = \${if eq{\$primary_hostname}{exim.lab.example}}
    domains = box.example : callout.example
    route_list = * $HOME_SERVER
    transport = to_home
here:
    driver = accept
    transport = nowhere
begin transports
to_home:
    driver = smtp
    interface = $EXIM_SERVER
    hosts_avoid_tls = *
nowhere:
    driver = appendfile
    file = /dev/null
    user = Debian-exim
begin retry
* * F,1h,15m
begin authenticators
plain:
    driver = plaintext
    public_name = PLAIN
    server_prompts = :
    server_condition = \${if and{{eq{\$auth2}{anna}}{eq{\$auth3}{right-password-1}}}}
    server_set_id = \$auth2
login:
    driver = plaintext
    public_name = LOGIN
    server_prompts = Username:: : Password::
    server_condition = \${if and{{eq{\$auth1}{anna}}{eq{\$auth2}{right-password-1}}}}
    server_set_id = \$auth1
cram:
    driver = cram_md5
    public_name = CRAM-MD5
    server_secret = \${if eq{\$auth1}{anna}{right-password-1}fail}
    server_set_id = \$auth1
EOF
}

exim_start() {
    exim_user
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=exim.lab.example \
        -keyout "$LAB/key.pem" -out "$LAB/cert.pem" 2>"$LAB/openssl.log"
    cat "$LAB/key.pem" "$LAB/cert.pem" >"$LAB/mail.pem"
    chown Debian-exim "$LAB/mail.pem"
    exim_configuration exim "$EXIM_SERVER" '25 : 465 : 587 : 2525'
    exim_configuration home "$HOME_SERVER" 25
    "$EXIM" -C "$LAB/exim.conf" -bdf -oP "$LAB/exim/pid" >"$LAB/exim.out" 2>&1 &
    at_home "$EXIM" -C "$LAB/home.conf" -bdf -oP "$LAB/home/pid" >"$LAB/home.out" 2>&1 &
    if ! (wait_for "Exim" listens 2525 && wait_for "Exim at home" listens 25 at_home); then
        cat "$LAB"/{exim,home}.out
        tail -n 5 "$LAB"/{exim,home}/*log
        exit 1
    fi
}

# Their logs are complete when they have ended.
exim_stop() {
    kill "$(cat "$LAB/exim/pid")" "$(cat "$LAB/home/pid")" 2>/dev/null || true
}
