#!/usr/bin/env bats
# `postern status`, reload and loglevel against programs that run: what is said, and the exit codes a
# monitoring system goes by. POSTERN_BIN is the folder of the programs.
# shellcheck disable=SC2154 # bats sets status, output, stderr, lines

bats_require_minimum_version 1.5.0

setup() {
    postern=$POSTERN_BIN/postern
    cd "$BATS_TEST_TMPDIR" || return
    # Names of sockets are short; the folder of a test is not always.
    run_dir=$(mktemp -d /tmp/postern-status.XXXXXX)
    mkdir journal rrd rrd-b
    cat >p.yaml <<END
site: {run_directory: $run_dir}
series: {journal: journal, rrd: rrd, poll: 100ms, settle: 0s}
END
    sed 's/rrd: rrd,/rrd: rrd-b,/' p.yaml >p-b.yaml # two do not write into one folder
    pids=()
}

teardown() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf -- "$run_dir"
}

# start PROGRAM WORDS...: in the background, until its socket is there
start() {
    local program=$1 instance=$2
    shift 2
    "$POSTERN_BIN/$program" -c "p${instance:+-$instance}.yaml" ${instance:+--instance "$instance"} "$@" 2>"log$instance" 3>&- &
    pids+=($!)
    for _ in $(seq 100); do
        [ -S "$run_dir/$program${instance:+@$instance}.sock" ] && return 0
        sleep 0.1
    done
    cat "log$instance"
    return 1
}

@test "nothing runs: exit code 2, and how to start it" {
    run -2 --separate-stderr "$postern" status -c p.yaml
    [[ $stderr == *"no program of Postern runs here"*"systemctl start"* ]]
    run -2 --separate-stderr "$postern" reload --run "$BATS_TEST_TMPDIR/none"
    run -2 --separate-stderr "$postern" loglevel --run "$run_dir"
    run -64 --separate-stderr "$postern" status one two
}

@test "a name that no program has is not one that does not run" {
    for command in "status" "reload" "loglevel debug" "loglevel"; do
        # shellcheck disable=SC2086 # two words
        run -64 --separate-stderr "$postern" $command nonsense -c p.yaml
        [[ $stderr == *": nonsense is no program of Postern; give sensor, collector, "*"or no name for all" ]]
    done
    run -64 --separate-stderr "$postern" status $'non\esense@x' -c p.yaml
    [[ $stderr == *": non?sense@x is no program"* ]]
    for name in sensor postern-sensor sensor@eth9 postern-web; do
        run -2 --separate-stderr "$postern" status "$name" -c p.yaml
        [[ $stderr == *"no $name of Postern runs here"* ]]
    done
}

@test "running programs: a line each, exit code 0" {
    start postern-series ""
    start postern-series b
    run -0 --separate-stderr "$postern" status -c p.yaml
    [[ ${lines[0]} == "postern-series  "*"ok "*"since 20"* ]]
    [[ ${lines[1]} == "postern-series@b  ok "* ]]
    [[ ${lines[2]} == "not running here: postern-sensor, postern-collector,"* ]]
    [[ $output != *"not running here"*"postern-series"* ]]
    run -0 "$postern" status series@b --run "$run_dir"
    [ "${#lines[@]}" -eq 1 ]
    run -0 "$postern" status -c p.yaml --json
    [ "$(jq -r '.state, .programs[0].name, .programs[1].status.instance' <<<"$output" | tr '\n' ' ')" = \
        "ok postern-series b " ]
    run -2 --separate-stderr "$postern" status sensor -c p.yaml
    [[ $stderr == *"no sensor of Postern runs here"* ]]
}

@test "one that died is failed, exit code 2" {
    start postern-series ""
    start postern-series b
    kill -9 "${pids[1]}"
    wait "${pids[1]}" || true
    run -2 --separate-stderr "$postern" status -c p.yaml
    [[ ${lines[0]} == "postern-series    ok"* ]]
    [[ ${lines[1]} == "postern-series@b  failed    no answer" ]]
    [[ ${lines[2]} == *"nobody answers any more: postern-series@b has died; start it again (systemctl start postern-series@b)" ]]
    run -2 "$postern" status -c p.yaml --json
    [ "$(jq -r '.state, (.programs[1] | has("error"))' <<<"$output" | tr '\n' ' ')" = "failed true " ]
}

@test "a problem is said with its fix, exit code 1" {
    # A refused connection to port 25 (its SYN, its RST), as a capture; one octet of its journal is wrong.
    octets() { printf '%b' "$(fold -w 2 <<<"$1" | sed 's/^/\\x/' | tr -d '\n')"; }
    {
        octets d4c3b2a1020004000000000000000000ffff000001000000
        octets 00f15365000000003600000036000000
        octets 0200000000020200000000010800450000280001400040066eaf0a000007c00002199c400019000003e8000000005002faf048900000
        octets 00f15365000000003600000036000000
        octets 0200000000010200000000020800450000280001400040066eafc00002190a00000700199c4000001388000003e95014faf034f50000
        # and another half an hour later
        octets 10f85365000000003600000036000000
        octets 0200000000020200000000010800450000280001400040066eae0a000008c00002199c410019000007d0000000005002faf044a60000
    } >x.pcap
    run -0 "$postern" replay x.pcap --state state
    segment=$(find state/journal -name '*.pj')
    octets ff | dd of="$segment" bs=1 seek=$(($(stat -c %s "$segment") / 3)) conv=notrunc status=none
    cp "$segment" journal/
    start postern-series ""
    for _ in $(seq 50); do
        "$postern" status -c p.yaml >said || break
        sleep 0.1
    done
    run -1 "$postern" status -c p.yaml
    [[ ${lines[0]} == "postern-series  degraded  since "* ]]
    [[ ${lines[1]} == "    blocks of the journal were passed over; "* ]]
}

@test "the log level is set and shown" {
    start postern-series ""
    run -0 "$postern" loglevel -c p.yaml
    [ "$output" = "postern-series: info" ]
    run -0 "$postern" loglevel debug series -c p.yaml
    run -0 "$postern" loglevel series -c p.yaml
    [ "$output" = "postern-series: debug" ]
    run -64 --separate-stderr "$postern" loglevel loud series -c p.yaml
    [[ $stderr == *"use error, warning, info or debug"* ]]
}

@test "a reload that fails is said with its reason, exit code 1" {
    start postern-series ""
    sed -i 's/poll: 100ms/poll: 1us/' p.yaml
    run -1 "$postern" reload --run "$run_dir"
    # The configuration is wrong; or this program does not reload at all.
    [[ $output == "postern-series: "*"series.poll"* || $output == "postern-series: "*"restart it"* ]]
}
