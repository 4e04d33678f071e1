#!/usr/bin/env bats
# Kinds of bots, from packets to the verdict: each does what is published of a family of spam bots or proxies, is named
# as what it is and within a bound of time; worms, scans and peers that send no mail are left alone. What family stands
# behind each: docs/generator.md, "Families of bots". POSTERN_BIN is the folder of the programs.
# shellcheck disable=SC2154 # bats sets status, output, stderr, lines

bats_require_minimum_version 1.5.0

setup() { cd "$BATS_TEST_TMPDIR" || return; }

scenario() {
    cat <<'YAML'
scenario:
  name: families
  start: 2026-03-02T10:00:00Z
  lasts: 100m
  network: {v6_share: 0}
  parties:
    household: [{name: home, count: 20}]
    bot_direct:
      - {name: encrypting, start: 5m, lasts: 15m, per_minute: 30, starttls: 0.7, polite: 0, listed: 0.2}
      - {name: fast, start: 5m, lasts: 10m, per_minute: 60, polite: 0.2, mx_queries: 1, big_providers: 0.5}
      - {name: listed, start: 5m, lasts: 20m, per_minute: 40, listed: 0.9, active: 0.5, cycle: 10m}
      - {name: peer-to-peer, start: 5m, lasts: 30m, per_minute: 4, polite: 1, mx_queries: 1}
      - {name: few-providers, start: 5m, lasts: 10m, per_minute: 60, domains: 8, big_providers: 1, polite: 1, listed: 0.2,
         unknown: 0.1, unanswered: 0.01, refused: 0}
      - {name: clean-list, start: 5m, lasts: 20m, per_minute: 20, polite: 1, listed: 0.05, unknown: 0.05, unanswered: 0.02,
         refused: 0, spam: 0.05}
      - {name: all-accepted, start: 5m, lasts: 40m, per_minute: 10, polite: 1, listed: 0, unknown: 0, unanswered: 0,
         refused: 0, spam: 0, greylisted: 0, starttls: 1}
      - {name: dictionary, start: 5m, lasts: 20m, per_minute: 8, recipients: 20, unknown: 0.85, listed: 0.05, polite: 0}
      - {name: blocked, start: 5m, lasts: 20m, per_minute: 6, blocked: icmp}
    socks_relay: [{name: socks, start: 5m, lasts: 20m, per_minute: 5}]
    backconnect_proxy:
      - {name: mail-proxy, start: 5m, lasts: 30m, bursts_per_hour: 120, destinations: 8, mail: 1, port: 7700}
      - {name: web-proxy, start: 5m, bursts_per_hour: 40, destinations: 4, mail: 0, port: 8080}
    password_guesser: [{name: account-checker, start: 5m, lasts: 20m}]
    harvester: [{name: list-cleaner, start: 5m, lasts: 30m}]
YAML
}

# facts WHAT: rows of TCP attempts, 200 a minute for ten minutes, as flow facts.
facts() {
    awk -v what="$1" 'BEGIN {
        srand(7)
        split("21 22 23 25 80 110 139 443 445 1433 3306 3389 8080", many, " ")
        print "start_s,peer,port,src_port,packets_out,octets_out,packets_in,octets_in,duration_s"
        for (i = 0; i < 2000; i++) {
            port = what == "worm" ? 445 : what == "ports" ? many[1 + int(rand() * 13)] : 1024 + int(rand() * 60000)
            if (what == "peers" && rand() < 0.01)
                port = rand() < 0.5 ? 25 : 993
            peer = 11 + int(rand() * 80) "." int(rand() * 256) "." int(rand() * 256) "." 1 + int(rand() * 254)
            answered = rand() < (what == "peers" ? 0.4 : 0.03)
            printf "%.3f,%s,%d,%d,%s\n", i * 0.3, peer, port, 1025 + i, answered ? "8,2400,7,3900,4.2" : "3,186,0,0,8.95"
        }
    }'
}

# named PARTY CLASS MINUTES CEILING: its first verdict of that class, how soon, and what it ended at.
named() {
    local line
    line=$(jq -s -r --arg party "line:$1" --arg class "$2" '[.[] | select(.party == $party and .class == $class)]
        | if length == 0 then "none" else
            ((.[0].detected | fromdate) - ("2026-03-02T10:05:00Z" | fromdate) | tostring) + " " +
            (if any(.[]; .ceiling != "ticket") then "more" else "ticket" end) end' verdicts)
    [ "$line" != none ] && [ "${line% *}" -le $(($3 * 60)) ] && { [ "$4" = any ] || [ "${line#* }" = "$4" ]; } || {
        echo "$1 $2: $line"
        jq -c --arg party "line:$1" 'select(.party == $party) | [.event, .class, .detected, .ceiling]' verdicts
        return 1
    }
}

@test "each kind of bot is named as what it is, in time, and who sends no mail is no spam bot" {
    scenario >s.yaml
    local what
    for what in worm ports peers; do facts "$what" >"$what.csv"; done
    "$POSTERN_BIN/postern-generate" -s s.yaml --seed 11 -t truth --config-out site.yaml -o x.pcap \
        --inject worm.csv@10.20.250.1+5m --inject ports.csv@10.20.250.2+5m --inject peers.csv@10.20.250.3+5m 2>/dev/null
    {
        echo 'realm,prefix,port_first,port_last,party,start,end,last_seen,interim_s,mac,nas,session,user,pop,class'
        jq -r 'select(.type != "capture" and .subscriber != null)
            | ",\(.subscriber),,,line:\(.name),2026-03-01T00:00:00Z,,2026-03-02T23:00:00Z,86400,,,,,,residential"' truth
    } >leases.csv
    "$POSTERN_BIN/postern-sensor" -c site.yaml -r x.pcap -o x.records 2>/dev/null
    "$POSTERN_BIN/postern-collector" -c site.yaml -r x.records -j journal -l leases.csv 2>/dev/null
    "$POSTERN_BIN/postern-analysis" -c site.yaml -j journal -o verdicts 2>/dev/null
    named encrypting spambot-direct 3 more
    named fast spambot-direct 2 more
    named listed spambot-direct 3 more
    named peer-to-peer spambot-direct 12 more
    named few-providers spambot-direct 3 more
    named clean-list spambot-direct 4 more
    named all-accepted spambot-direct 6 any
    named dictionary spambot-direct 5 more
    named blocked spambot-direct 5 ticket
    named socks socks-relay 6 more
    named mail-proxy spambot-direct 8 any
    named web-proxy proxy-abuse 80 ticket
    named account-checker auth-guessing 8 any
    named list-cleaner harvester 15 any
    # Nobody else: neither the households, nor a worm at one port, nor peers at many. A worm whose many ports include 25
    # looks there like a bot that nobody answers, which is worth a look and no remedy.
    jq -r 'select(.event == "opened") | "\(.party) \(.class)"' verdicts | sort -u >opened
    run -0 grep -v -E '^line:(encrypting|fast|listed|peer-to-peer|few-providers|clean-list|all-accepted|dictionary|blocked|socks|mail-proxy|web-proxy|account-checker|list-cleaner) ' opened
    [ "$output" = "line:injected-2 spambot-direct" ]
    jq -s -e '[.[] | select(.party == "line:injected-2")] | all(.ceiling == "ticket")' verdicts
}
