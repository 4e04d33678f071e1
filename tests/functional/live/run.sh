#!/usr/bin/env bash
# The sensor on interfaces of the test's own: what it counts is held against the job from file to file of
# the same frames, and against what servers and clients say; losses, links, restarts and full disks
# must show in its status document.
#
# usage: run.sh PART BIN TESTS [KEEP]
#   PART   interface, judged: frames put on an interface; servers: real ones, mirrored; or names of cases
#   BIN    the programs; TESTS: postern-inject, postern-mangle, bench_flood
#   KEEP   a folder that stays when all is over
#
# Everything runs in name spaces for processes, mounts and network that end with this script. Skipped (77)
# where that cannot be made.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PART=${1:?usage: run.sh PART BIN TESTS [KEEP]}
BIN=$(cd "${2:?usage: run.sh PART BIN TESTS [KEEP]}" && pwd)
TESTS=$(cd "${3:?usage: run.sh PART BIN TESTS [KEEP]}" && pwd)

skip() {
    printf 'skipped: %s\n' "$*"
    exit 77
}

[ "$(id -u)" -eq 0 ] || skip "needs root, for network name spaces"
export PATH=$PATH:/usr/sbin:/sbin
for command in ip tc jq node openssl tcpdump; do
    command -v "$command" >/dev/null 2>&1 || skip "$command is not installed (scripts/setup installs it)"
done
own=(unshare --fork --pid --kill-child --mount --mount-proc --net)
"${own[@]}" ip link add wire type veth peer name span 2>/dev/null || skip "name spaces cannot be made here"

if [ -n "${4:-}" ]; then
    LIVE=$4
    rm -rf "$LIVE"
    mkdir -p "$LIVE"
else
    LIVE=$(mktemp -d)
    trap 'rm -rf "$LIVE"' EXIT
fi
chmod 755 "$LIVE"
export POSTERN_SANDBOX_STRICT=1
export HERE PART BIN TESTS LIVE
"${own[@]}" timeout -k 5 400 bash "$HERE/inside.sh"
