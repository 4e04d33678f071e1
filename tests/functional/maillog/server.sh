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

skip() {
    printf 'skipped: %s\n' "$*"
    exit 77
}

[ "$(id -u)" -eq 0 ] || skip "needs root, for name spaces and the servers' users"
export PATH=$PATH:/usr/sbin:/sbin:/usr/lib/postfix/sbin
for command in postfix smtp-source smtp-sink swaks dovecot rspamd tcpdump openssl node jq ip journalctl logger; do
    command -v "$command" >/dev/null 2>&1 || skip "$command is not installed (scripts/setup installs it)"
done
own=(unshare --fork --pid --kill-child --mount --mount-proc --net)
"${own[@]}" true 2>/dev/null || skip "name spaces cannot be made here"

if [ -n "${2:-}" ]; then
    LAB=$2
    rm -rf "$LAB"
    mkdir -p "$LAB"
else
    LAB=$(mktemp -d)
    trap 'rm -rf "$LAB"' EXIT
fi
chmod 755 "$LAB" # the servers' users look into it
export HERE BIN LAB
"${own[@]}" timeout -k 5 150 bash "$HERE/server_inside.sh"
