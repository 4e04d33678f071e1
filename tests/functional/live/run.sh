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

. "$HERE/../own.sh"
need_root "network name spaces"
need_commands ip tc jq node openssl tcpdump
need_own ip link add wire type veth peer name span
make_place "${4:-}"
LIVE=$PLACE
export POSTERN_SANDBOX_STRICT=1
export HERE PART BIN TESTS LIVE
in_own timeout -k 5 400 bash "$HERE/inside.sh"
