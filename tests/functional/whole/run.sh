#!/usr/bin/env bash
# All programs as they run at an ISP: a sensor on an interface, its spool, the collector over TLS, series, analysis,
# feed and pages, each a daemon of its own with its sandbox. A bot comes to life on the wire, and within a minute
# the desk's page names it; then the collector is killed, and the next bot is found all the same.
#
# usage: run.sh BIN TESTS [KEEP]   BIN: the programs; TESTS: postern-inject; KEEP: a folder that stays
#
# In name spaces for processes, mounts and network that end with this script. Skipped (77) where that
# cannot be made.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BIN=$(cd "${1:?usage: run.sh BIN TESTS [KEEP]}" && pwd)
TESTS=$(cd "${2:?usage: run.sh BIN TESTS [KEEP]}" && pwd)

skip() {
    printf 'skipped: %s\n' "$*"
    exit 77
}

[ "$(id -u)" -eq 0 ] || skip "needs root, for network name spaces"
export PATH=$PATH:/usr/sbin:/sbin
for command in ip jq curl openssl; do
    command -v "$command" >/dev/null 2>&1 || skip "$command is not installed (scripts/setup installs it)"
done
own=(unshare --fork --pid --kill-child --mount --mount-proc --net)
"${own[@]}" ip link add wire type veth peer name span 2>/dev/null || skip "name spaces cannot be made here"

if [ -n "${3:-}" ]; then
    WHOLE=$3
    rm -rf "$WHOLE"
    mkdir -p "$WHOLE"
else
    WHOLE=$(mktemp -d)
    trap 'rm -rf "$WHOLE"' EXIT
fi
chmod 755 "$WHOLE"
export POSTERN_SANDBOX_STRICT=1
export HERE BIN TESTS WHOLE
"${own[@]}" timeout -k 5 220 bash "$HERE/inside.sh"
