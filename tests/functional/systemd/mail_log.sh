# shellcheck shell=bash
# Sourced by boot.sh: the mail server's own log, as docs/mail-log.md has it. Its two configurations are taken from the
# document, with this container's addresses in the place of the examples'; its commands follow word for word.
#
# Lines of a Postfix are written into /var/log/mail.log and, for another mailbox, into the journal: two passwords
# have been stolen and are used from five countries.
# shellcheck disable=SC2154,SC2034,SC2317 # root, top and programs are boot.sh's, which calls the functions

document=$(dirname "${BASH_SOURCE[0]}")/../../../docs/mail-log.md

# of_document FIRST-LINE: the block of the document that begins so
of_document() { awk -v first="# $1" '$0 == first { on = 1 } /^```/ { on = 0 } on' "$document" | grep .; }

# stolen MAILBOX PID: a message with twelve recipients from each of five countries, PROGRAM TEXT a line
stolen() {
    local from id
    for from in 1 2 3 4 5; do
        printf -v id '%s%02dCDEF01' "$2" "$from"
        printf '%s\n' \
            "postfix/submission/smtpd $id: client=a[203.0.$((from + 20)).9]:4711, sasl_method=PLAIN, sasl_username=$1" \
            "postfix/cleanup $id: message-id=<$id@x>" \
            "postfix/qmgr $id: from=<$1@example.net>, size=2048, nrcpt=12 (queue active)"
    done
}

mail_log_follows() {
    local token
    of_document /etc/postern/mail-log.yaml |
        sed 's|192.0.2.0/24, "2001:db8::/32"|10.0.0.0/8|; s|collector.example.net:4739|127.0.0.1:4739|' \
            >"$root/etc/postern/mail-log.yaml"
    printf '203.0.%d.0/24 645%02d %s\n' 21 1 DE 22 2 FR 23 3 IT 24 4 ES 25 5 PL >"$root/etc/postern/networks.txt"
    of_document '/etc/postern/postern.yaml there' | sed '/^#/d; /^collector:/d; s|0.0.0.0|127.0.0.1|' >"$top/listen"
    sed -i -e '/^  listen: \["unix:/d' -e "/^collector:/r $top/listen" "$root/etc/postern/postern.yaml"
    : >"$root/var/log/mail.log"
    within chown root:adm /var/log/mail.log
    within chmod 640 /var/log/mail.log

    within systemctl restart postern-collector || wrong "the collector does not listen with TLS"
    soon 10 "the collector takes enrolments" within postern status collector
    token=$(within postern sensor enroll mx1 --domains 9 | grep -o '1\.mx1\.[0-9a-f.]*' | head -1)
    within postern mailbox keys /etc/postern/mailbox.pub /etc/postern/mailbox.key
    within postern check /etc/postern/mail-log.yaml >"$top/check.log" 2>&1 || wrong "$(cat "$top/check.log")"
    within postern-sensor -c /etc/postern/mail-log.yaml --enroll "$token@127.0.0.1:4740" >"$top/enroll.log" 2>&1 ||
        wrong "the enrolment: $(cat "$top/enroll.log")"
    within systemctl enable --now postern-mail-log 2>"$top/enable.log" || wrong "$(cat "$top/enable.log")"
    programs=7
    soon 15 "the mail log is followed" within postern status sensor@mail-log
    mail_log_writes
}

mail_log_writes() {
    local program text
    stolen bob A | while read -r program text; do
        printf '%s mx1 %s[77]: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%S.%6N+00:00)" "$program" "$text"
    done >>"$root/var/log/mail.log"
    stolen eve B | while read -r program text; do
        within logger -p mail.info --id=78 -t "$program" "$text"
    done
    mail_log_since=$SECONDS
}

# The minute has to be over; whatever was killed meanwhile.
mail_log_convicts() {
    local party names=
    convicted() {
        within curl -sf 'http://127.0.0.1:8025/api/v1/tickets' |
            jq -r '.. | .party? | strings | select(startswith("mailbox:"))' | sort -u >"$top/parties"
        [ "$(wc -l <"$top/parties")" -eq 2 ]
    }
    soon 100 "both stolen mailboxes have tickets" convicted
    printf '%-60s %3d s\n' "  since the lines were written" $((SECONDS - mail_log_since))
    within curl -sf http://127.0.0.1:8025/tickets >"$top/page"
    while read -r party; do
        grep -q "$party" "$top/page" || wrong "$party is not on the page"
        within postern why "$party" >"$top/why" || wrong "why $party"
        grep -q 'compromised-account' "$top/why" || wrong "why $party: $(cat "$top/why")"
        grep -qE 'Logged in from 5 networks in an hour and sent to 60 recipients' "$top/why" ||
            wrong "why $party: $(cat "$top/why")"
        names+=$(within postern mailbox name "$party" --map /var/lib/postern/mailboxes \
            --key /etc/postern/mailbox.key --purpose "test" 2>/dev/null),
    done <"$top/parties"
    [[ $names == bob@example.net,eve@example.net, || $names == eve@example.net,bob@example.net, ]] ||
        wrong "the mailboxes are named $names"
    if within grep -rlE '(bob|eve)@example' /var/lib/postern; then wrong "a name in clear"; fi
}
