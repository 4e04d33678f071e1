#!/usr/bin/env bash
# A real Postfix with SASL, TLS submission and rspamd as its milter, another instance behind it, and clients that
# send good and bad mail; the sensor follows the logs through rotation, restart and truncation. What the minutes
# say is held against what was sent, mailbox by mailbox and client by client, with and without the packets.
#
# usage: server.sh BIN [KEEP]   BIN: the programs; KEEP: a folder that stays
#
# All of it on the loopback of name spaces that end with this script. Skipped (77) where that cannot be made.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BIN=$(cd "${1:?usage: server.sh BIN [KEEP]}" && pwd)

. "$HERE/../own.sh"
need_root "name spaces and the servers' users"
export PATH=$PATH:/usr/lib/postfix/sbin
need_commands postfix smtp-source smtp-sink swaks dovecot rspamd tcpdump openssl node jq ip journalctl logger
need_own true
make_place "${2:-}"
LAB=$PLACE
export HERE BIN LAB
in_own timeout -k 5 150 bash "$HERE/server_inside.sh"
