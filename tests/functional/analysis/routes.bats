#!/usr/bin/env bats
# The ways that spam takes today, each from packets to the verdict: through HTTP CONNECT, over IPv6, through the
# smarthost under TLS, to two large providers only, with collected accounts on every submission port; and who looks like
# it. POSTERN_BIN is the folder of the programs.
# shellcheck disable=SC2154 # bats sets status, output, stderr, lines

bats_require_minimum_version 1.5.0

setup() { cd "$BATS_TEST_TMPDIR" || return; }

# judge GENERATOR-OPTION...: who is named, and what for
judge() {
    "$POSTERN_BIN/postern-generate" -t truth --config-out site.yaml -o x.pcap "$@" 2>/dev/null
    "$POSTERN_BIN/postern-sensor" -c site.yaml -r x.pcap -o x.records 2>/dev/null
    "$POSTERN_BIN/postern-collector" -c site.yaml -r x.records -j journal 2>/dev/null
    "$POSTERN_BIN/postern-analysis" -c site.yaml -j journal -o verdicts 2>/dev/null
    jq -r 'select(.event == "opened") | "\(.subscriber) \(.class)"' verdicts | sort >named
}

# facts HOURS AN-HOUR PORTS PROVIDERS OCTETS: conversations that a machine begins, each answered
facts() {
    awk -v n="$(($1 * $2))" -v step="$((3600 / $2))" -v ports="$3" -v providers="$4" -v octets="$5" 'BEGIN {
        split(ports, port, ",")
        print "start_s,peer,port,src_port,packets_out,octets_out,packets_in,octets_in,duration_s"
        for (i = 0; i < n; i++)
            printf "%d.250,198.18.%d.25,%d,%d,14,%d,13,1310,4.5\n", i * step, 1 + i % providers,
                port[1 + i % length(port)], 2000 + i, octets
    }'
}

@test "a tunnel by HTTP CONNECT, a bot over IPv6 and a relayer under TLS are named for what they are" {
    cat >routes.yaml <<'YAML'
scenario:
  name: routes
  start: 2026-03-02T09:00:00Z
  lasts: 150m
  network: {v6_share: 1}
  parties:
    household: [{name: home, count: 3}]
    bot_direct: [{name: bot6, v6: 1, per_minute: 5, lasts: 10m}]
    socks_relay: [{name: tunnel, version: http, port: 3128, lasts: 20m}]
    smarthost_relayer: [{name: relayer, bursts_per_hour: 300, messages: 1, recipients: 3, tls: 1}]
YAML
    judge -s routes.yaml --seed 3
    jq -rs --slurpfile verdicts verdicts 'map(select(.type != "capture")) | map({key: .subscriber, value: .name},
        {key: (.subscriber_v6 // "" | sub("/.*"; "")), value: .name}) | from_entries as $name
        | $verdicts[] | select(.event == "opened")
        | "\($name[.subscriber | sub("/.*"; "")] // "nobody") \(.class)"' truth | sort -u >by_name
    cat by_name
    grep -qx 'tunnel socks-relay' by_name
    grep -qx 'bot6 spambot-direct' by_name
    grep -qx 'relayer spambot-smarthost' by_name
    run ! grep -q home by_name
    jq -se 'any(.[]; .class == "spambot-direct" and (.subscriber | test(":")))' verdicts
    jq -se 'any(.[]; .class == "spambot-smarthost" and .ceiling == "ticket" and (.limitations | index("tls") != null)
        and (.evidence[0].sentence | test("Recipients and replies are not visible")))' verdicts
}

@test "a spray over two providers is a ticket, what a house and a probe send them is none" {
    facts 4 300 25 2 6000 >spray.csv
    facts 4 8 25 2 6000 >camera.csv
    facts 4 60 25 2 900 >probe.csv
    judge --inject spray.csv@10.20.0.7 --inject camera.csv@10.20.0.8 --inject probe.csv@10.20.0.9 --start 2026-03-02T09:00:00Z
    cat named
    [ "$(cat named)" = "10.20.0.7 spambot-direct" ]
    jq -se 'all(.[]; .ceiling == "ticket")' verdicts
}

@test "collected accounts are told from a family's by their providers, on 587 and 2525" {
    facts 1 240 587,2525 40 6000 >collected.csv
    facts 1 60 587,2525 6 6000 >family.csv
    judge --inject collected.csv@10.20.0.7 --inject family.csv@10.20.0.8 --start 2026-03-02T09:00:00Z
    cat named
    [ "$(cat named)" = "10.20.0.7 compromised-account" ]
}
