# shellcheck shell=bash
# The servers of server.sh: "postfix" takes mail from clients and gives it to "postfix-out", which delivers to three
# hosts of the world: one takes all, one refuses recipients as listed, one puts them off.

SERVER=198.51.100.25
SERVER6=fd77:8::25
BULK=198.51.100.26 # the load generator's route leads here
BULK_CLIENT=10.78.1.99
TAKES=198.51.101.97
REFUSES=198.51.101.98
LATER=198.51.101.99
export SERVER SERVER6 BULK BULK_CLIENT TAKES REFUSES LATER

# wait_for WHAT COMMAND...: at most fifteen seconds.
wait_for() {
    local what=$1
    shift
    for _ in $(seq 150); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    printf '%s: not within fifteen seconds\n' "$what"
    exit 1
}

listens() { ss -Hltn "sport = :$1" | grep -q .; }

network_up() {
    local n
    ip link set lo up
    mount -t tmpfs none /run
    # Names and passwords of the machine play no part.
    printf '127.0.0.1 localhost\n%s mail.lab.example\n' "$SERVER" >"$LAB/hosts"
    : >"$LAB/resolv.conf"
    mount --bind "$LAB/hosts" /etc/hosts
    mount --bind "$LAB/resolv.conf" "$(readlink -f /etc/resolv.conf)" 2>/dev/null || true
    for n in "$SERVER" "$BULK" "$TAKES" "$REFUSES" "$LATER" 203.0.113.7 192.0.2.7 198.18.0.7 198.19.0.7; do
        ip addr add "$n/32" dev lo
    done
    for n in $(seq 10 99); do ip addr add "10.78.1.$n/32" dev lo; done
    for n in "$SERVER6" fd77:9::10; do ip addr add "$n/128" dev lo nodad; done
    ip route change local "$BULK" dev lo table local src "$BULK_CLIENT"
}

instance() { # NAME: what both have in common
    local etc=$LAB/$1
    mkdir -p "$etc" "$LAB/queue.$1" "$LAB/data.$1"
    chown postfix "$LAB/data.$1"
    cat <<CF
compatibility_level = 3.6
queue_directory = $LAB/queue.$1
data_directory = $LAB/data.$1
maillog_file = $LAB/$1.log
maillog_file_prefixes = $LAB
syslog_name = $1
myhostname = mail.lab.example
mydestination =
mynetworks = 127.0.0.0/8, $BULK_CLIENT/32
smtpd_peername_lookup = no
smtpd_client_port_logging = yes
smtp_dns_support_level = disabled
disable_dns_lookups = yes
smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = 0
smtpd_client_auth_rate_limit = 0
local_recipient_maps =
alias_maps =
local_transport = discard:
double_bounce_sender = double-bounce@lab.example
in_flow_delay = 0
CF
}

services() {
    cat <<CF
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
discard   unix - - n - - discard
error     unix - - n - - error
retry     unix - - n - - error
smtp      unix - - n - - smtp
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
CF
}

postfix_conf() {
    instance postfix >"$LAB/main.cf"
    cat >>"$LAB/main.cf" <<CF
inet_interfaces = all
enable_long_queue_ids = yes
default_transport = smtp:[127.0.0.1]:10026
smtp_send_xforward_command = yes
virtual_alias_maps = texthash:$LAB/postfix/aliases
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject
smtpd_recipient_restrictions = check_recipient_access texthash:$LAB/postfix/recipients
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = $LAB/auth
smtpd_tls_security_level = may
smtpd_tls_chain_files = $LAB/mail.pem
smtpd_tls_loglevel = 1
smtpd_tls_session_cache_database =
smtpd_milters = inet:127.0.0.1:11332
milter_default_action = tempfail
header_checks = regexp:$LAB/postfix/headers
CF
    mv "$LAB/main.cf" "$LAB/postfix/main.cf"
    # An alias of thirty: one recipient for who writes to it.
    printf 'staff@lab.example' >"$LAB/postfix/aliases"
    seq -f ' member%g@ok.example' 30 | paste -sd, >>"$LAB/postfix/aliases"
    cat >"$LAB/postfix/recipients" <<CF
gone@ok.example 550 5.1.1 No such user here
full@ok.example 452 4.2.2 Mailbox full
CF
    printf '/^Subject: .*FORBIDDEN/ REJECT No such thing\n' >"$LAB/postfix/headers"
    {
        for n in "$SERVER:25" "$BULK:25" "[$SERVER6]:25" 127.0.0.1:25; do printf '%s inet n - n - - smtpd\n' "$n"; done
        printf '%s:587 inet n - n - - smtpd -o syslog_name=postfix/submission\n' "$SERVER"
        printf '%s:465 inet n - n - - smtpd -o syslog_name=postfix/smtps -o smtpd_tls_wrappermode=yes\n' "$SERVER"
        services
    } >"$LAB/postfix/master.cf"
}

postfix_out_conf() {
    instance postfix-out >"$LAB/main.cf"
    cat >>"$LAB/main.cf" <<CF
inet_interfaces = 127.0.0.1
smtpd_authorized_xforward_hosts = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
transport_maps = texthash:$LAB/postfix-out/transport
default_transport = discard:
smtp_destination_recipient_limit = 1
CF
    mv "$LAB/main.cf" "$LAB/postfix-out/main.cf"
    cat >"$LAB/postfix-out/transport" <<CF
ok.example smtp:[$TAKES]:25
refuses.example smtp:[$REFUSES]:25
later.example smtp:[$LATER]:25
CF
    {
        printf '127.0.0.1:10026 inet n - n - - smtpd\n'
        services
    } >"$LAB/postfix-out/master.cf"
}

dovecot_conf() {
    local n
    mkdir -p "$LAB/dovecot"
    for n in anna ben carl dora eve fred mallory; do printf '%s:{PLAIN}right-%s\n' "$n" "$n"; done >"$LAB/users"
    chmod 644 "$LAB/users"
    cat >"$LAB/dovecot.conf" <<CF
protocols =
base_dir = $LAB/dovecot/run
state_dir = $LAB/dovecot/state
log_path = $LAB/dovecot.log
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_username_format = %n
auth_username_chars =
auth_failure_delay = 0
first_valid_uid = 1
passdb {
  driver = passwd-file
  args = $LAB/users
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=$LAB
}
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
CF
}

# Its own pattern for tests (GTUBE), and three rules that say what an antivirus or a rate limit would.
rspamd_conf() {
    local etc=$LAB/rspamd
    mkdir -p "$etc"
    printf 'example\n' >"$etc/tld"
    cat >"$etc/rspamd.conf" <<CF
options {
  filters = "";
  disable_hyperscan = true;
  url_tld = "$etc/tld";
  tempdir = "$etc";
  hs_cache_dir = "$etc";
  pidfile = "$etc/pid";
  control_socket = "$etc/control mode=0600";
  cache_file = "$etc/cache";
  dns { nameserver = ["127.0.0.1:5399"]; timeout = 10ms; retransmits = 1; }
  local_networks = [];
}
logging { type = "file"; filename = "$LAB/rspamd.log"; level = "info"; }
actions { reject = 15; add_header = 6; }
worker "rspamd_proxy" {
  bind_socket = "127.0.0.1:11332";
  milter = yes;
  count = 1;
  upstream "local" { default = yes; self_scan = yes; }
}
lua = "$etc/rules.lua"
CF
    cat >"$etc/rules.lua" <<'LUA'
local words = {
  { 'VIRUS-OF-THE-LAB', 'reject', 'Virus found: Eicar-Test-Signature' },
  { 'SPAM-OF-THE-LAB', 'reject', 'Spam message rejected' },
  { 'LATER-OF-THE-LAB', 'soft reject', 'Rate limit exceeded' },
}
rspamd_config:register_symbol({
  name = 'LAB', type = 'prefilter', callback = function(task)
    local text = tostring(task:get_content())
    for _, w in ipairs(words) do
      if text:find(w[1], 1, true) then
        task:set_pre_result(w[2], w[3], 'lab')
      end
    end
  end,
})
LUA
    : >"$LAB/rspamd.log"
    chown -R _rspamd "$etc" "$LAB/rspamd.log"
}

servers_start() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=mail.lab.example \
        -keyout "$LAB/key.pem" -out "$LAB/cert.pem" 2>"$LAB/openssl.log"
    cat "$LAB/key.pem" "$LAB/cert.pem" >"$LAB/mail.pem"
    rspamd_conf
    rspamd -f -u _rspamd -g _rspamd -c "$LAB/rspamd/rspamd.conf" >"$LAB/rspamd.out" 2>&1 &
    postfix_conf
    postfix_out_conf
    dovecot_conf
    dovecot -F -c "$LAB/dovecot.conf" >"$LAB/dovecot.out" 2>&1 &
    smtp-sink -u nobody "$TAKES:25" 100 >"$LAB/sinks.out" 2>&1 &
    smtp-sink -u nobody -f rcpt -B '550 5.7.1 blocked using xbl.spamhaus.org' "$REFUSES:25" 100 >>"$LAB/sinks.out" 2>&1 &
    smtp-sink -u nobody -r rcpt -b '450 4.7.1 Greylisted' "$LATER:25" 100 >>"$LAB/sinks.out" 2>&1 &
    # Side by side: each waits a second for its master.
    postfix -c "$LAB/postfix" start >"$LAB/postfix.out" 2>&1 &
    local first=$!
    postfix -c "$LAB/postfix-out" start >"$LAB/postfix-out.out" 2>&1
    wait "$first"
    wait_for "Dovecot" test -S "$LAB/auth"
    wait_for "Postfix" listens 587
    wait_for "the other Postfix" listens 10026
    wait_for "rspamd" listens 11332
}

servers_stop() {
    postfix -c "$LAB/postfix" stop >>"$LAB/postfix.out" 2>&1 || true
    postfix -c "$LAB/postfix-out" stop >>"$LAB/postfix-out.out" 2>&1 || true
    doveadm -c "$LAB/dovecot.conf" stop >/dev/null 2>&1 || true
}
