#!/usr/bin/env bats
# `postern check`: all that is wrong with a configuration at once, each thing once, files included.
# POSTERN_BIN is the folder of the programs.
# shellcheck disable=SC2154 # bats sets status, output, stderr, lines

bats_require_minimum_version 1.5.0

setup() {
    postern=$POSTERN_BIN/postern
    cd "$BATS_TEST_TMPDIR" || return
}

# said TEXT TIMES: how often a line of standard error holds it
said() {
    local n
    n=$(grep -cF -- "$1" <<<"$stderr" || true)
    [ "$n" -eq "$2" ] || {
        echo "$n times instead of $2: $1 in:"
        echo "$stderr"
        return 1
    }
}

@test "files that are named are opened, each error is said once" {
    echo 'site key' >bad.key
    echo "1 $(printf 'ab%.0s' $(seq 32))" >open.key
    chmod 600 bad.key
    chmod 644 open.key
    printf '192.0.2.0/24 AS64496\n10.0.0.0/8 x\n' >networks
    cat >p.yaml <<'END'
site: {timezone: Europe/Nowhere, provider_file: networks}
sensor: {key_file: none.key, mail_log: {mailbox_map_key: none.pub}}
collector:
  journal_keys: p.yaml
  leases: gone.csv
  ca: folder/that/is/not
  lease_sources:
  - {kind: csv, path: gone-too.csv}
feed: {case_key_file: open.key}
END
    run -78 --separate-stderr "$postern" check p.yaml
    said 'site.timezone: there is no time zone "Europe/Nowhere"' 1
    said "networks:2:12: no AS number behind the prefix" 1
    said "sensor.key_file: $PWD/none.key: there is no such file" 1
    said "sensor.mail_log.mailbox_map_key: $PWD/none.pub: there is no such file" 1
    said "collector.journal_keys: $PWD/p.yaml: Not a directory" 1
    said "collector.leases: $PWD/gone.csv: there is no such file" 1
    said "collector.ca: $PWD/folder/that/is/not: there is no such file" 1
    said "collector.lease_sources[0].path: $PWD/gone-too.csv: there is no such file" 1
    said "feed.case_key_file: $PWD/open.key: others may read it" 1
    [[ $output == *"postern-sensor     has errors, see above"* ]]

    sed -i 's/open.key/bad.key/' p.yaml
    run -78 --separate-stderr "$postern" check p.yaml
    said "feed.case_key_file: $PWD/bad.key: is no key file: it is one line, ID HEX64" 1
}

@test "errors that show only in use name their line, too" {
    cat >p.yaml <<'END'
site:
  timezone: Europe/Nowhere
sensor:
  key_file: none.key
collector:
  lease_sources:
  - {kind: csv, path: gone.csv}
END
    run -78 --separate-stderr "$postern" check p.yaml
    said 'p.yaml:2:13: site.timezone: there is no time zone' 1
    said "p.yaml:4:13: sensor.key_file: $PWD/none.key: there is no such file" 1
    said "p.yaml:7:23: collector.lease_sources[0].path: $PWD/gone.csv: there is no such file" 1
    run -78 --separate-stderr "$POSTERN_BIN/postern-sensor" -c p.yaml -r /dev/null -o /dev/null
    said 'p.yaml:2:13: site.timezone' 1
}

@test "a live sensor that could not start is found" {
    echo "1 $(printf 'ab%.0s' $(seq 32))" >site.key
    chmod 600 site.key
    printf 'sensor:\n  interfaces: [eth1, ../../x, "eth 1", abcdefghijklmnop]\n' >p.yaml
    run -78 --separate-stderr "$postern" check p.yaml
    said 'p.yaml:2:22: sensor.interfaces[1]: names no interface' 1
    said 'sensor.interfaces[2]: names no interface' 1
    said 'sensor.interfaces[3]: names no interface' 1
    said 'sensor.interfaces[0]' 0
    said 'p.yaml:2:3: sensor.legal_profile: is not chosen' 1
    said 'p.yaml:2:3: sensor.key_file: is missing' 1
    printf 'sensor: {interfaces: [eth1], legal_profile: flow-only, key_file: site.key}\n' >p.yaml
    run -78 --separate-stderr "$postern" check p.yaml
    said 'p.yaml:1:9: sensor.spool: is missing' 1
    run -78 --separate-stderr "$POSTERN_BIN/postern-sensor" -c p.yaml
    said 'p.yaml:1:9: sensor.spool: is missing' 1
    printf 'site: {run_directory: /%s}\n' "$(printf 'long%.0s' $(seq 22))" >p.yaml
    run -78 --separate-stderr "$postern" check p.yaml
    said 'p.yaml:1:23: site.run_directory: is too long for the address of a socket' 1
}

@test "a mail log that could not be followed is found" {
    echo "1 $(printf 'ab%.0s' $(seq 32))" >site.key
    chmod 600 site.key
    "$postern" mailbox keys mailbox.pub mailbox.key
    # with LINES: the section sensor.mail_log, of a sensor that has all it needs
    with() {
        {
            printf 'sensor:\n  legal_profile: flow-only\n  key_file: site.key\n  spool: spool\n'
            printf '  mail_log:\n    files: [mail.log]\n'
            printf '    %s\n' "$@"
        } >p.yaml
    }
    with 'mailbox_domain: example.net' 'mailbox_map: names' 'mailbox_map_key: mailbox.pub'
    run -0 --separate-stderr "$postern" check p.yaml
    [ -z "$stderr" ]
    with 'mailbox_map: names'
    run -78 --separate-stderr "$postern" check p.yaml
    said 'p.yaml:7:18: sensor.mail_log.mailbox_map: needs mailbox_map_key beside it' 1
    with 'mailbox_map_key: mailbox.pub'
    run -78 --separate-stderr "$postern" check p.yaml
    said 'p.yaml:7:22: sensor.mail_log.mailbox_map_key: seals nothing without mailbox_map' 1
    with 'mailbox_map: names' 'mailbox_map_key: mailbox.key'
    run -78 --separate-stderr "$postern" check p.yaml
    said 'p.yaml:8:22: sensor.mail_log.mailbox_map_key: is the secret key' 1
    said 'give the public one' 1
    # The same at the start, with its line.
    run -78 --separate-stderr "$POSTERN_BIN/postern-sensor" -c p.yaml --mail-log -r /dev/null -o /dev/null
    said 'p.yaml:8:22: sensor.mail_log.mailbox_map_key: is the secret key' 1
    with 'mailbox_map: names' 'mailbox_map_key: site.key'
    run -78 --separate-stderr "$postern" check p.yaml
    said 'p.yaml:8:22: sensor.mail_log.mailbox_map_key: is no key file' 1
    # Without the word before it a key is what it is said to be.
    sed 's/public //' mailbox.pub >bare.pub
    with 'mailbox_map: names' 'mailbox_map_key: bare.pub'
    run -0 --separate-stderr "$postern" check p.yaml
    local domain
    for domain in '"@example.net"' 'bob@example.net' '"a b.net"' 'example..net' '.net' 'net.' '""' \
        '"ex/ample"' "$(printf 'x%.0s' $(seq 64)).net"; do
        with "mailbox_domain: $domain"
        run -78 --separate-stderr "$postern" check p.yaml
        said 'p.yaml:7:21: sensor.mail_log.mailbox_domain: is no domain' 1
    done
    for domain in 'localhost' 'Mail_2.example.net' 'xn--mnchen-3ya.example' 'münchen.example'; do
        with "mailbox_domain: $domain"
        run -0 --separate-stderr "$postern" check p.yaml
    done
    # Places that cannot be meant.
    mkdir -p folder
    : >mail.log
    with 'state: gone/state.json' 'mailbox_map: lost/names' 'mailbox_map_key: mailbox.pub'
    sed -i 's|files: .*|files: [nowhere/mail.log, folder, mail.log, folder/../mail.log, later.log, ./later.log]|' p.yaml
    run -78 --separate-stderr "$postern" check p.yaml
    said 'p.yaml:6:13: sensor.mail_log.files[0]: nowhere/mail.log: its folder is not there; correct the path' 1
    said 'sensor.mail_log.files[1]: folder: is a folder; name the log itself' 1
    said 'sensor.mail_log.files[3]: folder/../mail.log: is the same file as mail.log; name it once' 1
    said 'sensor.mail_log.files[5]: ./later.log: is the same file as later.log; name it once' 1
    said "p.yaml:7:12: sensor.mail_log.state: $PWD/gone/state.json: its folder is not there" 1
    said "p.yaml:8:18: sensor.mail_log.mailbox_map: $PWD/lost/names: its folder is not there" 1
    said 'sensor.mail_log.files[2]' 0
    said 'sensor.mail_log.files[4]' 0
    with 'mailbox_domain: example.net'
    sed -i '/files:/d' p.yaml
    run -78 --separate-stderr "$postern" check p.yaml
    said 'p.yaml:6:21: sensor.mail_log.mailbox_domain: is of logs, and none is named' 1
    # What a sensor that follows logs cannot do without.
    printf 'sensor:\n  mail_log: {files: [mail.log]}\n' >p.yaml
    run -78 --separate-stderr "$postern" check p.yaml
    said 'p.yaml:2:3: sensor.legal_profile: is not chosen' 1
    said 'p.yaml:2:3: sensor.key_file: is missing' 1
    said 'p.yaml:2:3: sensor.spool: is missing' 1
}

@test "addresses where nobody can listen or be reached are found" {
    cat >p.yaml <<'END'
sensor: {collector: "collector.example.net"}
collector: {listen: ["unix:relative", "tcp:[::1]:4739", "0.0.0.0:4739"]}
series: {rrdcached: localhost:42217}
web:
  listen: 192.0.2.1:8025
  rrdcached: localhost:42217
END
    run -78 --separate-stderr "$postern" check p.yaml
    said 'p.yaml:1:21: sensor.collector: is no address; write HOST:PORT or unix:/PATH' 1
    said 'p.yaml:2:22: collector.listen[0]: unix:relative is no address' 1
    said 'collector.listen[1]' 0
    said 'collector.listen[2]: 0.0.0.0:4739 needs collector.ca' 1
    said 'p.yaml:3:21: series.rrdcached: localhost:42217: no socket of rrdcached; write unix:/run/rrdcached.sock' 1
    said 'p.yaml:5:11: web.listen: 192.0.2.1:8025: is not on loopback' 1
    said 'p.yaml:6:14: web.rrdcached: localhost:42217: no socket of rrdcached' 1
    local listen
    for listen in '127.0.0.1' 'localhost:8025' '127.0.0.1:0' '127.0.0.1:80250' '127.0.0.1:x'; do
        printf 'web: {listen: "%s"}\n' "$listen" >p.yaml
        run -78 --separate-stderr "$postern" check p.yaml
        said "p.yaml:1:15: web.listen: $listen: " 1
    done
    printf 'web: {listen: "[::1]:8025", rrdcached: "unix:/run/rrdcached.sock"}\n' >p.yaml
    run -0 --separate-stderr "$postern" check p.yaml
    [ -z "$stderr" ]
}

@test "what is there is good, and the effective configuration loads again" {
    echo "1 $(printf 'ab%.0s' $(seq 32))" >site.key
    chmod 600 site.key
    echo '192.0.2.0/24 64496 AT' >networks
    mkdir -p keys
    cat >p.yaml <<'END'
site: {provider_file: networks}
sensor: {key_file: site.key}
collector: {journal_keys: keys}
feed: {case_key_file: site.key}
END
    run -0 --separate-stderr "$postern" check p.yaml
    [ -z "$stderr" ]
    for program in sensor collector series analysis feed web; do
        "$POSTERN_BIN/postern-$program" --check -c p.yaml >again.yaml
        "$POSTERN_BIN/postern-$program" --check -c again.yaml >twice.yaml
        cmp again.yaml twice.yaml
        # Numbers as people write them.
        run ! grep -E ' [0-9.]+e[+-]?[0-9]+$' again.yaml
    done
}

@test "a folder of day keys that is not there is said, with its fix, and nothing starts without" {
    printf 'collector: {journal_keys: keys, listen: ["unix:%s/in.sock"], journal: journal, intake: intake}\n' "$PWD" >p.yaml
    run -78 "$postern" check p.yaml
    [[ $output == *"collector.journal_keys: $PWD/keys: there is no such folder; make it (mkdir -m 700)"* ]]
    run -78 timeout 20 "$POSTERN_BIN/postern-collector" -c p.yaml
    [[ $output == *"collector.journal_keys: $PWD/keys: no folder that this user can read and write"* ]]
    [ ! -e keys ]
    mkdir -m 700 keys
    run -0 "$postern" check p.yaml
}

@test "of several configurations, sensors that share a domain are named" {
    local name
    for name in a b c d e; do printf 'sensor: {name: %s}\n' $name >$name.yaml; done
    printf 'sensor: {domain: 7, processes: 3}\n' >b.yaml
    printf 'sensor: {domain: 9}\n' >c.yaml
    printf 'sensor: {domain: 10}\n' >d.yaml
    run -0 --separate-stderr "$postern" check a.yaml b.yaml c.yaml d.yaml e.yaml
    said "warning:" 1
    said "the sensors of b.yaml and c.yaml share observation domain 9" 1
    [[ $output == *"e.yaml:"* ]]
    # One file alone shares with nobody, and one that is wrong is said to be.
    run -0 --separate-stderr "$postern" check c.yaml
    [ -z "$stderr" ]
    printf 'sensor: {domain: x}\n' >a.yaml
    run -78 --separate-stderr "$postern" check a.yaml c.yaml c.yaml
    said "share observation domain 9" 1
}

@test "the help says once that an option may be repeated" {
    for program in sensor collector analysis feed; do
        run ! grep -iE 'may be repeated.*may be repeated' <<<"$("$POSTERN_BIN/postern-$program" --help)"
    done
    run grep -ic 'may be repeated' <<<"$("$POSTERN_BIN/postern-sensor" --help)"
    [ "$output" -ge 2 ]
}

@test "a live collector that could not start is found" {
    cat >p.yaml <<'END'
collector:
  journal: one
  intake: one
  listen: ["127.0.0.1:4739", "tcp:nowhere", "unix:in.sock"]
  enroll: 127.0.0.1:4739
END
    run -78 --separate-stderr "$postern" check p.yaml
    said 'p.yaml:4:12: collector.listen[0]: 127.0.0.1:4739 needs collector.ca' 1
    said 'p.yaml:4:30: collector.listen[1]: tcp:nowhere is no address; write HOST:PORT' 1
    said 'p.yaml:4:45: collector.listen[2]: unix:in.sock is no address' 1
    said 'p.yaml:5:11: collector.enroll: 127.0.0.1:4739 needs collector.ca' 1
    said 'p.yaml:5:11: collector.enroll: 127.0.0.1:4739 is in collector.listen' 1
    said "p.yaml:3:11: collector.intake: $PWD/one is collector.journal too" 1
}

@test "below a prefix of its own, bin and sbin, the programs are found" {
    mkdir -p prefix/bin prefix/sbin
    # The command asks the system where it lies itself: a link by name would not do.
    ln "$postern" prefix/bin/ 2>/dev/null || cp "$postern" prefix/bin/
    ln "$POSTERN_BIN/postern-feed" prefix/sbin/ 2>/dev/null || cp "$POSTERN_BIN/postern-feed" prefix/sbin/
    echo 'site: {}' >p.yaml
    PATH=/usr/bin:/bin run -0 --separate-stderr prefix/bin/postern check p.yaml
    [[ $output == *"postern-feed       good"* ]]
}
