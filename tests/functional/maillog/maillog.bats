#!/usr/bin/env bats
# Logs of mail servers as an operator meets them: whole files, compressed ones, hostile ones, and logs that are
# followed while they grow, are rotated and the sensor is ended and begun again. POSTERN_BIN is the folder of
# the programs.
# shellcheck disable=SC2154 # bats sets status, output, lines

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    printf '1 %064d\n' 7 >site.key
    chmod 600 site.key
    cat >postern.yaml <<'YAML'
site:
  run_directory: run
  provider_file: networks.txt
sensor:
  name: mx1
  domain: 9
  legal_profile: full-envelope
  key_file: site.key
  mail_log:
    files: [mail.log]
    state: state.json
    mailbox_domain: example.net
YAML
    printf '203.0.113.0/24 64500 DE\n198.51.100.0/24 64501 FR\n' >networks.txt
    mkdir -p run
    : >mail.log
    pid=
    export POSTERN_SANDBOX_STRICT=1
}

teardown() { [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true; }

sensor() { "$POSTERN_BIN/postern-sensor" -c postern.yaml --mail-log "$@"; }

# message N [CLIENT]: the lines of one message of bob's, with two recipients
message() {
    local id client=${2:-203.0.113.5} now
    printf -v id 'A%09X' "$1"
    now=$(date -u +%Y-%m-%dT%H:%M:%S.%6N+00:00)
    printf '%s mx1 %s\n' \
        "$now" "postfix/submission/smtpd[$1]: connect from a[$client]:4711" \
        "$now" "postfix/submission/smtpd[$1]: $id: client=a[$client]:4711, sasl_method=PLAIN, sasl_username=bob" \
        "$now" "postfix/cleanup[7]: $id: message-id=<$1@x>" \
        "$now" "postfix/qmgr[8]: $id: from=<bob@example.net>, size=100, nrcpt=2 (queue active)" \
        "$now" "postfix/submission/smtpd[$1]: disconnect from a[$client]:4711 quit=1" \
        "$now" "postfix/smtp[9]: $id: to=<c$1@d.example>, relay=x[192.0.2.9]:25, dsn=2.0.0, status=sent (250 ok)" \
        "$now" "postfix/smtp[9]: $id: to=<e$1@f.example>, relay=x[192.0.2.9]:25, dsn=5.0.0, status=bounced (host x[192.0.2.9] said: 550 no)" \
        "$now" "postfix/qmgr[8]: $id: removed"
}

# of_mailbox RECORDS...: messages, recipients refused at the destination, networks and countries of bob's
of_mailbox() {
    local files=() f
    for f in "$@"; do files+=(-r "$f"); done
    rm -rf journal
    "$POSTERN_BIN/postern-collector" -c postern.yaml "${files[@]}" -j journal 2>/dev/null
    "$POSTERN_BIN/postern-collector" -j journal --dump 2>/dev/null |
        jq -rs '[.[] | select(.kind == "row" and (.subscriber | startswith("mailbox:")))]
            | [([.[].counters["smarthost/out"].messages_ok // 0] | add // 0),
               ([.[].counters["smarthost/out"].destination_5xx // 0] | add // 0),
               ([.[].sets.client_networks // 0] | max // 0),
               ([.[].sets.client_countries // 0] | max // 0)] | map(tostring) | join(" ")'
}

counter() { jq ".counters.$1" "$2"; }

# follow OUTPUT [OPTION...]: the daemon, until it says that it follows
follow() {
    "$POSTERN_BIN/postern-sensor" -c postern.yaml --mail-log -o "$@" --status status.json 2>sensor.err &
    pid=$!
    for _ in $(seq 100); do
        grep -q 'follows' sensor.err && return
        sleep 0.1
    done
    cat sensor.err
    return 1
}

# What has been written is read and told within this time: four looks a second, two seconds of patience.
settle() { sleep 1.2; }

end() {
    kill -TERM "$pid"
    wait "$pid"
    pid=
}

@test "a whole log, plain, compressed and from standard input" {
    for n in 1 2 3; do message "$n"; done >mail.log
    message 4 198.51.100.7 >>mail.log
    sensor -r mail.log -o plain.rec --status status.json
    [ "$(of_mailbox plain.rec)" = "4 4 2 2" ]
    [ "$(counter lines status.json)" -eq 32 ]
    [ "$(counter lines_unknown status.json)" -eq 0 ]
    gzip -k mail.log
    sensor -r mail.log.gz -o packed.rec
    cmp plain.rec packed.rec
    sensor -r - -o piped.rec <mail.log
    cmp plain.rec piped.rec
    head -c 200 mail.log.gz >cut.log.gz
    run -65 sensor -r cut.log.gz -o cut.rec
    [[ $output == *"cut.log.gz: "* ]]
    run -66 sensor -r nothing.log -o x.rec
    [[ $output == *"nothing.log: No such file"* ]]
    run -64 sensor -r mail.log
    [[ $output == *"nothing to write"* ]]
    # The network of a client that is nobody's line is found by its name and by an address in it.
    of_mailbox plain.rec
    local who
    for who in client:203.0.113.0/24 203.0.113.9 203.0.113.0/25; do
        [ "$("$POSTERN_BIN/postern-analysis" -c postern.yaml -j journal --why "$who" 2>/dev/null | jq -r .party)" = \
            "provisional:client:203.0.113.0/24" ]
    done
    for who in client:203.0.112.0/24 192.0.2.9 203.0.112.0/23; do
        [ "$("$POSTERN_BIN/postern-analysis" -c postern.yaml -j journal --why "$who" 2>/dev/null | jq .known)" = false ]
    done
}

# old_line DAYS N: bob's message N, stamped without a year so many days ago
old_line() {
    local at
    at=$(TZ=UTC date -d "-$1 days" '+%b %e %T')
    printf '%s mx1 postfix/submission/smtpd[7]: A%09X: client=a[203.0.113.5]:4711, sasl_method=PLAIN, sasl_username=bob\n' "$at" "$2"
    printf '%s mx1 postfix/qmgr[8]: A%09X: from=<bob@example.net>, size=100, nrcpt=2 (queue active)\n' "$at" "$2"
}

problems() { jq -r '[.problems[]?.code] | sort | join(" ")' "$1"; }

@test "logs as the shell names them: the newest first, and one of them twice" {
    old_line 3 1 | gzip >mail.log.2.gz
    old_line 2 2 >mail.log.1
    old_line 1 3 >mail.log
    run -0 sensor -r mail.log -r mail.log.1 -r mail.log.2.gz -o one.rec --status status.json
    [[ $output == *"in the order of their first stamps, from mail.log.2.gz to mail.log"* ]]
    [ "$(counter messages status.json)" -eq 3 ]
    [ "$(counter clock_back status.json)" -eq 0 ]
    [ -z "$(problems status.json)" ]
    ln -s mail.log same.log
    run -0 sensor -r mail.log -r ./mail.log -r same.log -o two.rec --status status.json
    [[ $output == *"same.log: is a log that was read already"* ]]
    [ "$(of_mailbox two.rec | cut -d' ' -f1)" = 1 ]
    [ "$(counter logs_repeated status.json)" -eq 2 ]
    [ "$(problems status.json)" = same-log ]
    # Where the order is not ours to choose it is said.
    old_line 1 3 | {
        run -0 sensor -r - -r mail.log.1 -o three.rec --status status.json
        [[ $output == *"mail.log.1: all of it lies behind what was read before it"* ]]
    }
    [ "$(counter logs_behind status.json)" -eq 1 ]
    [ "$(problems status.json)" = log-behind ]
}

@test "what is no log of ours, or not of now, is said" {
    run -66 sensor -r . -o one.rec
    [[ $output == *".: is a folder; give the logs in it"* ]]
    { printf '\324\303\262\241'; seq 200; } >mail.pcap
    run -0 sensor -r mail.pcap -o one.rec --status status.json
    [[ $output == *"mail.pcap: is a capture of packets and no log; give it without --mail-log"* ]]
    [[ $(problems status.json) == *unknown-log* ]]
    printf '2037-01-01T00:00:0%sZ mx1 postfix/smtpd[7]: connect from a[203.0.113.5]\n' 1 2 3 >ahead.log
    run -0 sensor -r ahead.log -o one.rec --status status.json
    [[ $output == *"ahead.log: all of it is stamped ahead of this machine's clock"* ]]
    [ "$(counter logs_ahead status.json)" -eq 1 ]
    # Of two years, by the file's own time.
    printf '%s mx1 postfix/submission/smtpd[%s]: A000000001: client=a[203.0.113.5]:4711, sasl_method=PLAIN, sasl_username=bob\n' \
        'Dec 31 23:59:50' 1 'Jan  1 00:00:10' 2 >years.log
    touch -d 2024-03-01 years.log
    sensor -r years.log -o one.rec
    of_mailbox one.rec
    [ "$("$POSTERN_BIN/postern-collector" -j journal --dump 2>/dev/null | jq -r 'select(.kind == "row") | .minute' |
        sort -u | paste -sd' ')" = "2023-12-31T23:59:00Z 2024-01-01T00:00:00Z" ]
}

@test "a log that is named twice is followed once" {
    ln -s mail.log same.log
    sed -i 's/files: .*/files: [mail.log, same.log, .\/mail.log]/' postern.yaml
    follow one.rec
    message 1 >>mail.log
    settle
    end
    grep -q 'same.log: is the same file as mail.log; it is followed once' sensor.err
    [ "$(of_mailbox one.rec)" = "1 1 1 1" ]
    [ "$(counter logs_repeated status.json)" -eq 2 ]
}

@test "followed through growth, both ways of rotation, and a restart: each message once" {
    follow one.rec
    for n in 1 2; do message "$n"; done >>mail.log
    settle
    mv mail.log mail.log.1
    message 3 >>mail.log.1 # the server still has the old file
    settle
    message 4 >mail.log
    settle
    cp mail.log mail.log.2 && : >mail.log # copied and truncated
    settle
    message 5 >>mail.log
    message 6 | head -c 700 >>mail.log # ends within a line
    settle
    end
    [ "$(counter rotations status.json)" -eq 1 ]
    [ "$(counter truncations status.json)" -eq 1 ]
    # While nobody looks: the rest of the half message, another, rotation, another.
    message 6 | tail -c +701 >>mail.log
    message 7 >>mail.log
    mv mail.log mail.log.1
    message 8 >mail.log
    follow two.rec
    settle
    end
    [ "$(counter positions_lost status.json)" -eq 0 ]
    [ "$(of_mailbox one.rec two.rec)" = "8 8 1 1" ]
}

@test "killed and begun again, nothing is missing" {
    follow one.rec
    message 1 >>mail.log
    sleep 2.5
    kill -KILL "$pid"
    wait "$pid" || true
    message 2 >>mail.log
    follow two.rec
    settle
    end
    [ "$(of_mailbox one.rec two.rec | cut -d' ' -f1)" -ge 2 ]
    [ "$(of_mailbox two.rec)" = "1 1 1 1" ]
}

@test "the journal, by a program in journalctl's place" {
    cat >journalctl <<'SH'
#!/bin/sh
echo "$@" >>journal.args
while IFS= read -r line; do printf '%s\n' "$line"; done <journal.json
exec sleep 60
SH
    chmod +x journalctl
    message 1 | sed 's/^[^ ]* mx1 \([^[]*\)\[\([0-9]*\)\]: \(.*\)$/\1\t\2\t\3/' |
        while IFS=$'\t' read -r program number text; do
            jq -nc --arg p "$program" --arg n "$number" --arg m "$text" --arg t "$(date +%s%6N)" \
                '{__CURSOR: ("s=" + $t), __REALTIME_TIMESTAMP: $t, _HOSTNAME: "mx1",
                  SYSLOG_IDENTIFIER: $p, SYSLOG_PID: $n, MESSAGE: $m}'
        done >journal.json
    printf '    journal: true\n    journal_command: journalctl\n' >>postern.yaml
    follow one.rec
    settle
    end
    [ "$(of_mailbox one.rec)" = "1 1 1 1" ]
    grep -qE -- '--follow --merge --no-tail .*--since=@[0-9]+$' journal.args
    # Begun again it asks for what came behind the last entry.
    follow two.rec
    settle
    end
    grep -q -- "--after-cursor=$(tail -1 journal.json | jq -r .__CURSOR)" journal.args
}

@test "events of our own form, and what is wrong with them" {
    cat >events.json <<'JSON'
{"v":1,"time":"2026-11-22T09:00:00Z","event":"message","client":"203.0.113.5","user":"bob","server_port":587,"sender":"bob@example.net","recipient":["c@d.example","e@f.example"],"recipients":2,"size":100}
{"v":1,"time":"2026-11-22T09:00:01Z","event":"delivery","user":"bob","recipient":"c@d.example","reply_code":550,"reply":"no such user"}
{"v":1,"time":"2026-11-22T09:00:02Z","event":"message","client":"198.51.100.7","user":"bob@example.net","recipients":1}
JSON
    sensor -r events.json -o one.rec
    [ "$(of_mailbox one.rec)" = "2 1 2 2" ]
    printf '{"v":1,"time":"2026-11-22T09:00:02Z","event":"massage"}\n' >>events.json
    run -65 sensor -r events.json -o two.rec --status status.json
    [[ $output == *'1 lines are no events'*event* ]]
    [ "$(counter lines_broken status.json)" -eq 1 ]
    [ "$(of_mailbox two.rec)" = "2 1 2 2" ]
}

@test "what outsiders write into a log is data" {
    message 1 >mail.log
    now=2026-11-22T09:00:00Z
    {
        printf '%s mx1 postfix/smtpd[5]: NOQUEUE: reject: RCPT from a[10.0.0.5]: 554 5.7.1 <z@y>: no; from=<A000000001: client=b[10.0.0.6], sasl_username=bob> to=<x> proto=ESMTP helo=<; from=<q>>\n' $now
        printf '%s mx1 postfix/cleanup[5]: A000000001: message-id=<x>, qid: <A000000002>\n' $now
        printf '%s mx1 rspamd[5]: <a>; proxy; rspamd_task_write_log: id: <forged>, qid: <A000000001>, ip: 1.2.3.4, (default: T (reject): [20/15] []), len: 1\n' $now
        printf '\r\n\0\0\n\377\376\n'
        head -c 200000 /dev/zero | tr '\0' 'x'
        printf '\n%s mx1 postfix/smtpd[5]: warning: a[10.0.0.5]: SASL LOGIN authentication failed: x, sasl_username=' $now
        head -c 70000 /dev/zero | tr '\0' 'u'
        printf '\n'
        head -c 100000 /dev/urandom | tr -d '{'
    } >>mail.log
    sensor -r mail.log -o one.rec --status status.json
    [ "$(of_mailbox one.rec)" = "1 1 1 1" ]
    [ "$(counter blocks status.json)" -eq 0 ]
    [ "$(counter lines_long status.json)" -ge 1 ]
    [ "$(counter logins_failed status.json)" -eq 1 ]
}

@test "names of mailboxes are sealed" {
    message 1 >mail.log
    "$POSTERN_BIN/postern" mailbox keys mailbox.pub mailbox.key
    [ "$(stat -c %a mailbox.key)" = 600 ]
    printf '    mailbox_map: names\n    mailbox_map_key: mailbox.pub\n' >>postern.yaml
    sensor -r mail.log -o one.rec
    run ! grep -aq bob names one.rec
    of_mailbox one.rec
    party=$("$POSTERN_BIN/postern-collector" -j journal --dump 2>/dev/null |
        jq -r 'select(.kind == "row") | .subscriber | select(startswith("mailbox:"))' | head -1)
    run "$POSTERN_BIN/postern" mailbox name "$party" --map names --key mailbox.key --purpose "ticket 7"
    [ "$status" -eq 0 ]
    [[ $output == *"opened for: ticket 7"* ]]
    [ "${lines[-1]}" = bob@example.net ]
    run -64 "$POSTERN_BIN/postern" mailbox name "$party" --map names --key mailbox.key
    run -1 "$POSTERN_BIN/postern" mailbox name mailbox:1:0000000000000001 --map names --key mailbox.key --purpose x
    run -66 "$POSTERN_BIN/postern" mailbox name "$party" --map names --key mailbox.pub --purpose x
    [[ $output == *"mailbox.pub: is the public key, which only seals; give the secret one"* ]]
    # A name that would speak with the terminal, and one that would look the same were it only escaped.
    rm names
    local esc back
    esc='{"v":1,"event":"message","recipients":1,"time":"2026-11-22T09:00:00Z","client":"192.0.2.7","server_port":587,"user":"\u001b[31mb\u009bob\u007f@example.net"}'
    back='{"v":1,"event":"message","recipients":1,"time":"2026-11-22T09:00:00Z","client":"192.0.2.7","server_port":587,"user":"\\x1b[31mböb@example.net"}'
    printf '%s\n' "$esc" "$back" >events
    rm -rf journal
    sensor -r events -o esc.rec
    "$POSTERN_BIN/postern-collector" -r esc.rec -j journal 2>/dev/null
    local parties said=()
    mapfile -t parties < <("$POSTERN_BIN/postern-collector" -j journal --dump 2>/dev/null |
        jq -r 'select(.kind == "row") | .subscriber | select(startswith("mailbox:"))' | sort -u)
    [ "${#parties[@]}" -eq 2 ]
    for party in "${parties[@]}"; do
        said+=("$("$POSTERN_BIN/postern" mailbox name "$party" --map names --key mailbox.key --purpose x 2>/dev/null)")
    done
    [ "$(printf '%s\n' "${said[@]}" | sort)" = "$(printf '%s\n' \
        '\x1b[31mb\xc2\x9bob\x7f@example.net' '\\x1b[31mböb@example.net' | sort)" ]
}

@test "what is missing is said with its fix" {
    sed -i '/legal_profile/d' postern.yaml
    run -78 sensor -o x.rec
    [[ $output == *"legal_profile"*"flow-only"* ]]
    printf 'sensor:\n  legal_profile: flow-only\n' >bare.yaml
    run -78 "$POSTERN_BIN/postern-sensor" -c bare.yaml --mail-log -o x.rec
    [[ $output == *"sensor.mail_log.files"* ]]
    run -64 "$POSTERN_BIN/postern-sensor" --mail-log -r mail.log --print flows
}
