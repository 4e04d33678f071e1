#!/usr/bin/env bats
# Verdicts on generated captures, from packets to the explanation: sums that add up, times that were, a program
# known by its TLS client, a proxy without a list of hosting networks. POSTERN_BIN is the folder of the programs.
# shellcheck disable=SC2154 # bats sets status, output, stderr, lines

bats_require_minimum_version 1.5.0

setup() { cd "$BATS_TEST_TMPDIR" || return; }

generate() { "$POSTERN_BIN/postern-generate" -t truth --config-out site.yaml -o x.pcap "$@" 2>/dev/null; }

# journal [SITE-FILTER]: the capture as minutes, with a lease for every line
journal() {
    {
        echo 'realm,prefix,port_first,port_last,party,start,end,last_seen,interim_s,mac,nas,session,user,pop,class'
        jq -r 'select(.type != "capture" and .subscriber != null)
            | ",\(.subscriber),,,line:\(.name),2026-03-01T00:00:00Z,,2026-03-02T23:00:00Z,86400,,,,,,residential"' truth
    } >leases.csv
    "$POSTERN_BIN/postern-sensor" -c site.yaml -r x.pcap -o x.records 2>/dev/null
    "$POSTERN_BIN/postern-collector" -c site.yaml -r x.records -j journal -l leases.csv 2>/dev/null
}

judge() { "$POSTERN_BIN/postern-analysis" -c site.yaml -j journal -o verdicts 2>/dev/null; }
why() { "$POSTERN_BIN/postern-analysis" -c site.yaml -j journal --why "$@" 2>/dev/null; }

@test "sums add up, in verdicts and in what explains them; nothing began before its first packet" {
    generate -s "$POSTERN_SOURCE_DIR/tests/generator/scenarios/hour.yaml" --seed 5
    journal
    judge
    [ "$(jq -s 'map(select(.event == "opened")) | length' verdicts)" -ge 8 ]
    run -0 jq -c 'select(.prior + ([.evidence[] | select(.counted) | .log_odds] | add) - .log_odds | fabs > 0.001)' verdicts
    [ -z "$output" ]
    # What is shown is rounded: half a hundredth a term.
    jq -r 'select(.event == "opened") | "\(.party) \(.detected)"' verdicts | sort -u >opened
    while read -r party made; do
        why "$party" --at "$made" >explained
        jq -e '[.classes[].sum | split(" = ") | (.[0] | [scan("-?[0-9]+[.][0-9]+") | tonumber] | add) - (.[1] | tonumber)
            | fabs < 0.06] | length > 0 and all' explained >/dev/null || {
            cat explained
            false
        }
        jq -e '.sentence | length > 20' explained >/dev/null
    done <opened
    # Against the truth, by line.
    jq -s --slurpfile truth truth '
        ([$truth[] | select(.type != "capture") | {key: "line:\(.name)", value: .first_packet}] | from_entries) as $first
        | [.[] | select($first[.party] != null) | select(.first_seen < $first[.party] or .first_seen > .detected)
            | [.party, .class, .first_seen, $first[.party]]]' verdicts >early
    cat early
    [ "$(jq length early)" -eq 0 ]
}

@test "a scan of port 25 is nobody's mail, at any rate, with a block and without" {
    cat >scans.yaml <<'YAML'
scenario:
  name: scans
  start: 2026-03-02T08:00:00Z
  lasts: 6m
  network: {v6_share: 0}
  parties:
    zmap_outbound:
      - {name: one, count: 4, per_second: 1, start: 1m, lasts: 2m}
      - {name: three, count: 4, per_second: 3, start: 1m, lasts: 2m}
      - {name: ten, count: 20, per_second: 10, start: 1m, lasts: 30s}
      - {name: refused, count: 6, per_second: 10, closed: 0.5, start: 1m, lasts: 30s}
      - {name: thirty, count: 4, per_second: 30, start: 1m, lasts: 30s}
      - {name: thousand, per_second: 1000, start: 1m, lasts: 5s}
YAML
    generate -s scans.yaml --seed 3
    journal
    judge
    cat verdicts
    [ ! -s verdicts ]
    sed -i 's/port25: .*/port25: blocked-after/' site.yaml
    judge
    cat verdicts
    [ ! -s verdicts ]
}

@test "nearest to a verdict is a class that what was found could open" {
    cat >near.yaml <<'YAML'
scenario:
  name: near
  start: 2026-03-02T00:00:00Z
  lasts: 22h
  network: {v6_share: 0}
  parties:
    bot_direct: [{name: bot, per_minute: 20, lasts: 10m, blocked: silent}]
    household: [{name: home, count: 5}]
YAML
    generate -s near.yaml --seed 5
    journal
    # Its verdict is closed by then, and the spread of a day supports relays as much as the bot that it is.
    why line:bot --at 2026-03-02T21:30:00Z >explained
    jq -e '.open_verdicts == [] and (.sentence | test("nearest is spambot-direct: the score is"))' explained >/dev/null || {
        cat explained
        false
    }
}

@test "a mirror of one direction is told, and what rests on answers is off" {
    local direction
    for direction in both out in; do
        sed "s/^scenario:/&\n  mirror: {direction: $direction}/" \
            "$POSTERN_SOURCE_DIR/tests/generator/scenarios/hour.yaml" >cut.yaml
        rm -rf journal
        generate -s cut.yaml --seed 5
        journal
        why line:bot --at 2026-03-02T10:59:00Z >explained
        jq -e --arg direction "$direction" 'if $direction == "both" then .not_visible == [] else
            (.not_visible | map(.detector) | contains(["first-contact", "rejections", "blocklist"]))
            and (.not_visible | all(.why | test("one direction only"))) end' explained >/dev/null || {
            echo "$direction"
            cat explained
            false
        }
    done
}

@test "a bot's kin is known by the TLS client of those that were confirmed" {
    cat >kin.yaml <<'YAML'
scenario:
  name: kin
  start: 2026-03-02T09:00:00Z
  lasts: 3h
  network: {v6_share: 0}
  parties:
    household:
      - {name: home, count: 75, submissions: 20, phone_polls: 40}
    bot_direct:
      - {name: bot, count: 4, start: 2m, lasts: 40m, per_minute: 15, starttls: 1}
      - {name: cousin, start: 90m, per_minute: 0.7, starttls: 1, unknown: 0, unanswered: 0, refused: 0, listed: 0,
         spam: 0, polite: 1}
YAML
    generate -s kin.yaml --seed 3
    journal
    judge
    [ "$(jq -r 'select(.ceiling == "quarantine") | .party' verdicts | sort -u | grep -c '^line:bot-')" -eq 4 ]
    cousin='select(.party == "line:cousin" and .class == "spambot-direct")'
    [ "$(jq -s "[.[] | $cousin] | length > 0 and all(.ceiling == \"ticket\")" verdicts)" = true ]
    jq -se "any(.[] | $cousin; any(.evidence[]; .detector == \"client-print\" and .counted))" verdicts
    # Households that read and send mail all day, and nobody of them is touched.
    run ! jq -e 'select(.party | test("home"))' verdicts
    # Without the detector the same line is nobody's business.
    echo 'analysis: {detectors_off: [client-print]}' >>site.yaml
    judge
    run ! jq -e "$cousin" verdicts
    why line:cousin | jq -e '.not_visible | tostring | test("client-print")'
}

@test "a SOCKS relay is named where no dialogue may be read, and a bot beside it stays a bot" {
    cat >opaque.yaml <<'YAML'
scenario:
  name: opaque
  start: 2026-03-02T09:00:00Z
  lasts: 30m
  network: {v6_share: 0}
  parties:
    household: [{name: home, count: 10}]
    socks_relay: [{name: relay, per_minute: 4}]
    bot_direct: [{name: bot, per_minute: 6}]
YAML
    generate -s opaque.yaml --seed 4
    echo 'sensor: {legal_profile: flow-only}' >>site.yaml
    journal
    judge
    "$POSTERN_BIN/postern-collector" -j journal --dump 2>/dev/null | jq -se 'all(.[] | .digests[]?; .app != "socks5")'
    run -0 jq -r 'select(.event == "opened") | "\(.party) \(.class)"' verdicts
    [ "$(sort <<<"$output")" = "line:bot spambot-direct
line:relay socks-relay" ]
}

@test "a proxy that dials out to a hosting network is a ticket, a VPN is none" {
    cat >proxy.yaml <<'YAML'
scenario:
  name: proxy
  start: 2026-03-02T09:00:00Z
  lasts: 2h
  network: {v6_share: 0, hosting: [192.0.2.0/24, 203.0.113.0/24]}
  parties:
    household: [{name: home, count: 10}]
    backconnect_proxy: [{name: proxy, mail: 0}]
    vpn_user: [{name: vpn, sessions: 12}]
YAML
    generate -s proxy.yaml --seed 3
    journal
    judge
    run -0 jq -r 'select(.event == "opened") | "\(.party) \(.class) \(.ceiling)"' verdicts
    [ "$output" = "line:proxy proxy-abuse ticket" ]
    # The reason stands in the one sentence.
    why line:proxy | jq -e '.sentence | test("destinations in an hour beside a long flow to a hosting network")'
}

@test "a proxy is found without a list of hosting networks, dialled anew or over several relays, and nobody beside it who has a part of what makes one" {
    {
        cat <<'YAML'
scenario:
  name: long-flows
  start: 2026-03-02T09:00:00Z
  lasts: 100m
  network: {v6_share: 0, hosting: []}
  parties:
    household: [{name: home, count: 4}]
    backconnect_proxy:
      - {name: proxy, mail: 0}
      - {name: redials, mail: 0, reconnect: 15m}
      - {name: hasty, mail: 0, reconnect: 5m}
      - {name: relays, mail: 0, relays: 4, reconnect: 20m, bursts_per_hour: 40}
    vpn_user: [{name: vpn, sessions: 12}]
    exit_node: [{name: exit}]
    long_flow:
YAML
        for kind in resolver browser film push chat hub torrent game trader desktop camera tor pages house; do
            echo "      - {name: $kind, kind: $kind}"
        done
    } >flows.yaml
    generate -s flows.yaml --seed 4
    run ! grep -q hosting site.yaml
    journal
    judge
    run -0 jq -r 'select(.event == "opened") | "\(.party) \(.class) \(.ceiling)"' verdicts
    [ "$(sort <<<"$output")" = "line:hasty proxy-abuse ticket
line:proxy proxy-abuse ticket
line:redials proxy-abuse ticket
line:relays proxy-abuse ticket" ]
    why line:redials | jq -e '.sentence | test("within 300 ms of data down a flow that it keeps up")'
    # The sensor has told it of others too: it is the rule that leaves them alone, not their absence.
    "$POSTERN_BIN/postern-collector" -j journal --dump 2>/dev/null |
        jq -r 'select(.digests) | .party as $p | .digests[] | select(.carrier_opened) | $p' | sort -u >told
    for kind in chat hub desktop; do grep -q "line:$kind" told; done
}

@test "a comparison of rules from behind the journal's end says that there is nothing" {
    generate -s "$POSTERN_SOURCE_DIR/tests/generator/scenarios/hour.yaml" --minutes 2
    journal
    run --separate-stderr "$POSTERN_BIN/postern-analysis" -c site.yaml -j journal --compare site.yaml \
        --from 2030-01-01T00:00:00Z
    [ "$status" -eq 0 ]
    [ "$(jq -r '.from + " " + .to' <<<"$output")" = "2030-01-01T00:00:00Z 2030-01-01T00:00:00Z" ]
    [[ "$stderr" == *"holds nothing from 2030-01-01T00:00:00Z on"* ]]
}

@test "verdicts go to a pipe as to a file, and the pipe stays one" {
    generate -s "$POSTERN_SOURCE_DIR/tests/generator/scenarios/hour.yaml" --seed 5 --minutes 20
    journal
    judge
    mkfifo pipe
    timeout 20 cat pipe >got &
    timeout 20 "$POSTERN_BIN/postern-analysis" -c site.yaml -j journal -o pipe 2>/dev/null
    [ -p pipe ]
    wait $!
    [ -s verdicts ]
    cmp verdicts got
}

@test "the manual page names every detector" {
    local missing=''
    for page in "$POSTERN_SOURCE_DIR"/docs/detectors/*.md; do
        name=$(basename "$page" .md)
        case $name in evidence | memory | roles | site-failure) continue ;; esac
        grep -qx "\.It $name" "$POSTERN_SOURCE_DIR/docs/man/postern-analysis.8" || missing+=" $name"
    done
    [ -z "$missing" ] || { echo "missing:$missing" && false; }
}
