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

. "$HERE/../own.sh"
need_root "network name spaces"
need_commands ip jq curl openssl
need_own ip link add wire type veth peer name span
make_place "${3:-}"
WHOLE=$PLACE
export POSTERN_SANDBOX_STRICT=1
export HERE BIN TESTS WHOLE
in_own timeout -k 5 220 bash "$HERE/inside.sh"
