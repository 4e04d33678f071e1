#!/usr/bin/env bats
# A replay by root under a configuration with site.user, and folders that cannot be used.
# POSTERN_BIN is the folder of the programs.
# shellcheck disable=SC2154 # bats sets status, output, stderr, lines

bats_require_minimum_version 1.5.0

setup() {
    postern=$POSTERN_BIN/postern
    # Where an ordinary user gets to as well, which a test's folder is not always.
    work=$(mktemp -d /tmp/postern-replay-test.XXXXXX)
    chmod 755 "$work"
    cd "$work" || return
    mkdir -m 1777 tmp
    export TMPDIR=$work/tmp
    # A connection to port 25: its SYN and the RST that refuses it.
    octets() { printf '%b' "$(fold -w 2 <<<"$1" | sed 's/^/\\x/' | tr -d '\n')"; }
    {
        octets d4c3b2a1020004000000000000000000ffff000001000000
        octets 00f15365000000003600000036000000
        octets 0200000000020200000000010800450000280001400040066eaf0a000007c00002199c400019000003e8000000005002faf048900000
        octets 00f15365000000003600000036000000
        octets 0200000000010200000000020800450000280001400040066eafc00002190a00000700199c4000001388000003e95014faf034f50000
    } >x.pcap
    echo 'site: {user: nobody}' >p.yaml
}

teardown() {
    cd /
    rm -rf -- "$work"
}

only_root() { [ "$(id -u)" -eq 0 ] || skip "not root: site.user is not looked at"; }

@test "as root, the stages run as site.user and say the same" {
    only_root
    run -0 --separate-stderr "$postern" replay x.pcap --json
    by_root=$(jq -cS 'del(.problems)' <<<"$output")
    run -0 --separate-stderr "$postern" replay x.pcap --config p.yaml --json
    [ "$(jq -cS 'del(.problems)' <<<"$output")" = "$by_root" ]
    [[ $stderr != *"running as root"* ]]
    [ -z "$(ls -A tmp)" ]
    run -0 "$postern" replay x.pcap --config p.yaml --state kept
    [ "$(stat -c %U kept/records.ipfix kept/tickets.db kept/status/feed.json | sort -u)" = nobody ]
    run ! grep -r 'running as root' kept/status
    # And again into the same folder, by root alone.
    run -0 "$postern" replay x.pcap --state kept
}

@test "a capture that site.user may not read is named before anything runs" {
    only_root
    chmod 600 x.pcap
    run -66 --separate-stderr "$postern" replay x.pcap --config p.yaml
    [[ $stderr == *"x.pcap: the stages run as site.user \"nobody\", who may not read it"* ]]
    [ -z "$(ls -A tmp)" ]
}

@test "a folder that site.user does not get to is said, with the way out" {
    only_root
    chmod 700 "$work"
    run -73 --separate-stderr "$postern" replay x.pcap --config p.yaml
    [[ $stderr == *"who cannot get there; name another folder with TMPDIR or --state"* ]]
}

@test "TMPDIR and --state that cannot be used" {
    TMPDIR=$work/none run -73 --separate-stderr "$postern" replay x.pcap
    [[ $stderr == *"TMPDIR names $work/none, which is no folder"*"--state DIR"* ]]
    TMPDIR=/sys run -73 --separate-stderr "$postern" replay x.pcap
    [[ $stderr == *"no temporary folder can be made in /sys: "*"--state DIR"* ]]
    run -73 --separate-stderr "$postern" replay x.pcap --state /sys/x
    [[ $stderr == *"/sys/x: cannot be used as a folder for the state: "*"--state"* ]]
}

@test "a capture comes through a pipe, plain, compressed and as pcapng" {
    run -0 --separate-stderr "$postern" replay x.pcap --json
    by_name=$(jq -cS 'del(.problems,.inputs)' <<<"$output")
    through() { "$@" | "$postern" replay - --json; }
    for way in "cat x.pcap" "gzip -c x.pcap" "editcap -F pcapng x.pcap -"; do
        # shellcheck disable=SC2086 # words of a command
        run -0 --separate-stderr through $way
        [ "$(jq -cS 'del(.problems,.inputs)' <<<"$output")" = "$by_name" ] || { echo "$way: $output" >&2; false; }
    done
    # As another user, who could not open what root holds.
    if [ "$(id -u)" -eq 0 ]; then
        run -0 --separate-stderr bash -c "cat x.pcap | '$postern' replay - --json --config p.yaml"
        [ "$(jq -cS 'del(.problems,.inputs)' <<<"$output")" = "$by_name" ]
    fi
    run -65 --separate-stderr "$postern" replay - </dev/null
    [[ $stderr == *"- is empty"* ]]
}
