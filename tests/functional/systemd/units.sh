#!/usr/bin/env bash
# The units: systemd-analyze finds nothing to say of them, none is more exposed than 2, and the options
# they give are the programs'. Says that it skips (77) where there is no systemd-analyze.
# usage: units.sh UNIT-DIR BIN-DIR
set -euo pipefail
units=$1 bin=$2
command -v systemd-analyze >/dev/null || {
    echo "skipped: no systemd-analyze (package systemd)"
    exit 77
}
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
failed=0
fail() {
    echo "FAILED: $*"
    failed=1
}

# As installed, but that the programs are those of this build.
for unit in "$units"/postern-*.service "$units"/postern.target; do
    sed -E "s,^Exec(Start|Reload)=[^ ]*/,Exec\\1=$bin/," "$unit" >"$work/${unit##*/}"
done
# exposure UNIT-FILE: the overall number
exposure() {
    systemd-analyze security --offline=true "$1" 2>/dev/null |
        sed -nE 's/.*Overall exposure level for .*: ([0-9.]+) .*/\1/p'
}

count=0
for unit in "$work"/*.service; do
    count=$((count + 1))
    name=${unit##*/}
    said=$(systemd-analyze verify --man=no "$unit" 2>&1) || fail "$name is refused: $said"
    [ -z "$said" ] || fail "$name: $said"
    level=$(exposure "$unit")
    awk -v l="$level" 'BEGIN { exit !(l != "" && l + 0 < 2) }' || fail "$name is exposed: '$level'"
    echo "$name: exposure $level"
    words=$(sed -n 's/^ExecStart=//p' "$unit")
    program=${words%% *}
    # Into a variable: a reader that stops early would end the program with a signal.
    help=$("$program" --help)
    while read -r option; do
        grep -q -- "$option\\b" <<<"$help" || fail "$name: ${program##*/} has no $option"
    done < <(grep -oE -- '--[a-z-]+' <<<"$words")
    # Without one of these a service is never started with the target, or killed for keeping silent.
    for line in 'WantedBy=postern.target' 'PartOf=postern.target' 'Type=notify' 'User=postern'; do
        grep -qx "$line" "$unit" || fail "$name: no $line"
    done
done
[ "$count" -eq 7 ] || fail "$count units instead of 7"
said=$(systemd-analyze verify --man=no "$work/postern.target" 2>&1) || true
[ -z "$said" ] || fail "postern.target: $said"

# The measure itself can say no.
printf '[Service]\nExecStart=/bin/true\n' >"$work/naked.service"
level=$(exposure "$work/naked.service")
awk -v l="$level" 'BEGIN { exit !(l + 0 > 5) }' || fail "a unit without hardening has exposure '$level'"
exit "$failed"
