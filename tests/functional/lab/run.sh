#!/usr/bin/env bash
# Real servers and clients talk on a wire of the test's own, the wire is captured, and what the sensor
# counts is held against what the servers' logs and the clients' transcripts say.
#
# usage: run.sh [--exim] BIN [KEEP]
#   BIN holds postern-sensor; KEEP: a folder that stays when all is over; --exim: the scenes with Exim
#
# Everything runs in name spaces for processes, mounts and network that end with this script, so that
# nothing is left behind and nothing leaves the machine. Skipped (77) where that cannot be made.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
inside=inside.sh
commands=(postfix smtp-source swaks dovecot danted microsocks tcpdump openssl curl node jq ip)
parts=(submission lmtp)
if [ "${1:-}" = --exim ]; then
    inside=inside_exim.sh
    commands=(swaks tcpdump openssl node ip)
    parts=()
    shift
fi
BIN=$(cd "${1:?usage: run.sh [--exim] BIN [KEEP]}" && pwd)

. "$HERE/../own.sh"
need_root "network name spaces and the servers' users"
export PATH=$PATH:/usr/lib/postfix/sbin
need_commands "${commands[@]}"
for part in "${parts[@]}"; do
    [ -x "/usr/lib/dovecot/$part" ] || skip "dovecot-${part}d is not installed (scripts/setup installs it)"
done
if [ "$inside" = inside_exim.sh ]; then
    . "$HERE/exim.sh"
    find_exim || skip "Exim is not there (scripts/setup unpacks it when the network is there)"
fi
need_own true
make_place "${2:-}"
LAB=$PLACE
export HERE BIN LAB
in_own timeout -k 5 150 bash "$HERE/$inside"
