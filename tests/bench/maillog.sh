#!/usr/bin/env bash
# What a line of a mail server's log costs: user time of `postern-sensor --mail-log -r` beside `grep -c` and `wc -l` of
# the same file, best of three. Measures and judges nothing.
#
# usage: maillog.sh BUILD-FOLDER [MESSAGES]   (a Release build; ten lines a message, half of them from a mailbox)
set -euo pipefail
BIN=$(cd "${1:?usage: maillog.sh BUILD-FOLDER [MESSAGES]}/bin" && pwd)
messages=${2:-100000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# As Postfix 3.7 writes: sessions of several processes in one another, TLS, a filter's word, deliveries.
awk -v n="$messages" 'BEGIN {
    split("smtpd submission/smtpd smtps/smtpd", service, " ")
    for (i = 0; i < n; i++) {
        t = 1795338000 + int(i / 100)
        stamp = sprintf("%s.%06d+00:00 mx1", strftime("%Y-%m-%dT%H:%M:%S", t, 1), i % 100 * 10000)
        pid = 2000 + i % 50; id = sprintf("4X%05XZzQw%04d", int(i / 16), i % 10000)
        client = sprintf("unknown[10.%d.%d.%d]:%d", i % 7, i % 251, i % 241, 1024 + i % 60000)
        own = stamp " postfix/" service[i % 3 + 1] "[" pid "]: "
        print own "connect from " client
        if (i % 3) print own "Anonymous TLS connection established from " client ": TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"
        else print own "lost connection after CONNECT from unknown[192.0.2." i % 250 "]"
        print own id ": client=" client (i % 2 ? ", sasl_method=PLAIN, sasl_username=user" i % 5000 "@example.net" : "")
        print stamp " postfix/cleanup[77]: " id ": message-id=<" i ".abcdef@pc.example.net>"
        print stamp " rspamd[99]: <" id ">; proxy; rspamd_task_write_log: id: <" i ".abcdef@pc.example.net>, qid: <" id ">, ip: 10.1.2.3, from: <a@example.net>, (default: F (no action): [0.40/15.00] [ARC_NA(0.00){},MIME_GOOD(-0.10){text/plain;}]), len: 1234, time: 12.3ms, dns req: 4"
        print stamp " postfix/qmgr[88]: " id ": from=<user" i % 5000 "@example.net>, size=1234, nrcpt=1 (queue active)"
        print own "disconnect from " client " ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 data=1 quit=1 commands=8"
        print stamp " postfix/smtp[66]: " id ": to=<someone" i "@mail" i % 997 ".example>, relay=mx.mail" i % 997 ".example[192.0.2.9]:25, delay=0.4, delays=0.1/0/0.1/0.2, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4ABCD)"
        if (i % 20 == 0) print own "NOQUEUE: reject: RCPT from " client ": 550 5.1.1 <x@y.example>: Recipient address rejected: User unknown; from=<a@example.net> to=<x@y.example> proto=ESMTP helo=<pc>"
        else print stamp " postfix/anvil[55]: statistics: max connection rate 1/60s for (smtp:10.0.0.1)"
        print stamp " postfix/qmgr[88]: " id ": removed"
    }
}' >mail.log
lines=$(wc -l <mail.log)
(umask 077 && printf '1 %064d\n' 7 >site.key)
cat >postern.yaml <<CF
site: {run_directory: $work}
sensor: {name: mx1, domain: 9, legal_profile: full-envelope, key_file: site.key, mail_log: {mailbox_domain: example.net}}
CF

# best COMMAND...: user and system seconds of the best of three
best() {
    local t least=
    for _ in 1 2 3; do
        t=$( { TIMEFORMAT='%U %S'; time "$@" >out 2>err; } 2>&1 | awk '{ print $1 + $2 }')
        if [ -z "$least" ] || awk -v a="$t" -v b="$least" 'BEGIN { exit !(a < b) }'; then least=$t; fi
    done
    printf '%s' "$least"
}

wc_s=$(best wc -l mail.log)
grep_s=$(best grep -c 'sasl_username=' mail.log)
sensor_s=$(best "$BIN/postern-sensor" -c postern.yaml --mail-log -r mail.log -o mail.rec)
awk -v n="$lines" -v o="$(stat -c %s mail.log)" -v w="$wc_s" -v g="$grep_s" -v s="$sensor_s" 'BEGIN {
    printf "%d lines, %.0f MB; CPU seconds: wc -l %.3f, grep -c %.3f, postern-sensor --mail-log %.3f\n", n, o / 1e6, w, g, s
    printf "%.0f lines a second of one core; %.1f times grep -c\n", n / s, (g > 0 ? s / g : 0)
}'
printf 'load average %s\n' "$(cut -d' ' -f1-3 /proc/loadavg)"
