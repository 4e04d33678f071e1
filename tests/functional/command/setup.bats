#!/usr/bin/env bats
# `postern setup`: a configuration and keys for one machine, that the programs agree to and run with.
# POSTERN_BIN is the folder of the programs.
# shellcheck disable=SC2154 # bats sets status, output, stderr, lines

bats_require_minimum_version 1.5.0

setup() {
    postern=$POSTERN_BIN/postern
    # Names of sockets are short; the folder of a test is not always.
    top=$(mktemp -d /tmp/postern-setup.XXXXXX)
    mkdir "$top/etc" "$top/state" "$top/run"
    pids=()
}

teardown() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf -- "$top"
}

# make WORDS...: set up below the test's own folder
make() { "$postern" setup -c "$top/etc/postern.yaml" --state "$top/state" --run "$top/run" "$@"; }

@test "the programs agree to what it writes, and what to do next is said" {
    run -0 make --subscribers 192.0.2.0/24,2001:db8::/32 --profile full-envelope --smarthosts 198.51.100.25 -i eth1 --site 'Häuser & "Co": #1'
    [[ $output == *"postern-web "*good* ]]
    [[ $output == *"systemctl enable --now postern.target postern-sensor@eth1"* ]]
    run -0 "$postern" check "$top/etc/postern.yaml"
    [ "$(stat -c %a "$top/etc/site.key" "$top/etc/case.key" "$top/etc/postern.yaml")" = $'640\n640\n640' ]
    [[ $(cat "$top/etc/site.key") =~ ^1\ [0-9a-f]{64}$ ]]
    run ! cmp -s "$top/etc/site.key" "$top/etc/case.key"
    run -0 "$POSTERN_BIN/postern-sensor" -c "$top/etc/postern.yaml" --check
    [[ $output == *'Häuser & "Co": #1'* || $output == *'H\u00e4user'* || $output == *'Häuser & \"Co\": #1'* ]]
    [[ $output == *full-envelope* && $output == *2001:db8::/32* && $output == *198.51.100.25* ]]
}

@test "collector, series, analysis, feed and pages run with it as it is" {
    run -0 make --subscribers 192.0.2.0/24 --profile flow-only
    local program
    for program in collector series analysis feed web; do
        "$POSTERN_BIN/postern-$program" -c "$top/etc/postern.yaml" 2>"$top/$program.log" 3>&- &
        pids+=($!)
        for _ in $(seq 150); do
            if [ -S "$top/run/postern-$program.sock" ] || ! kill -0 "${pids[-1]}" 2>/dev/null; then break; fi
            sleep 0.1
        done
        # A port that something else has is not this command's doing.
        if [ "$program" = web ] && grep -q 'in use' "$top/web.log"; then continue; fi
        [ -S "$top/run/postern-$program.sock" ] || { cat "$top/$program.log" && false; }
    done
    run -0 "$postern" status -c "$top/etc/postern.yaml"
    [[ $output == *"postern-collector"*ok* && $output == *"not running here: postern-sensor"* ]]
}

@test "neither a configuration nor a key is written over" {
    printf '7 %064d\n' 5 >"$top/etc/site.key"
    chmod 600 "$top/etc/site.key"
    run -0 make --subscribers 192.0.2.0/24 --profile flow-only
    [[ $output == *"site.key: is there already, kept"* ]]
    [ "$(cat "$top/etc/site.key")" = "7 $(printf %064d 5)" ]
    cp "$top/etc/postern.yaml" "$top/before"
    run -73 make --subscribers 198.51.100.0/24 --profile flow-only
    [[ $output == *"is there already and is left alone"* ]]
    cmp "$top/etc/postern.yaml" "$top/before"
}

@test "wrong words are refused, and leave no configuration" {
    run -64 make --profile flow-only
    [[ $output == *"needs --subscribers"* ]]
    run -64 make --subscribers 192.0.2.0/24
    [[ $output == *"there is no default"* ]]
    run -64 make --subscribers 192.0.2.0/24 --profile flow-only -i ../../x
    [[ $output == *"no name of an interface"* ]]
    run -64 "$postern" setup -c relative.yaml --subscribers 192.0.2.0/24 --profile flow-only
    run -78 make --subscribers 192.0.2.0/240 --profile flow-only
    [[ $output == *"192.0.2.0/240"* ]]
    run -78 make --subscribers 192.0.2.0/24 --profile everything
    run -64 make --subscribers '' --profile flow-only
    run -64 make --subscribers ', ,' --profile flow-only
    run -64 make --subscribers 192.0.2.0/24 --profile not-chosen
    [[ $output == *"a choice"* ]]
    [ -z "$(ls -A "$top/etc")" ]
    run -73 "$postern" setup -c "$top/nowhere/postern.yaml" --subscribers 192.0.2.0/24 --profile flow-only
    [[ $output == *"$top/nowhere"* ]]
}
