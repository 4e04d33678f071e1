# shellcheck shell=bash
# One wire between two network name spaces: subscribers (name space "homes", 10.77.1.0/24 and
# fd77:1::/64, an address a scene) and the world (this name space, 198.51.100.0/24 and fd77:2::/64).

# Server addresses, by what stands there.
MAIL=198.51.100.25     # Postfix
NO_TLS=198.51.100.26   # Postfix whose certificate is missing
SLEEPY=198.51.100.27   # Postfix that greets after a second
STRICT=198.51.100.28   # Postfix that judges each command at once
BULK=198.51.100.29     # Postfix again; the bulk scene's route leads here
EXIM_SERVER=198.51.100.30 # Exim, in a lab of its own
SOCKS=198.51.100.80    # Dante, and microsocks with a password
MAIL6=fd77:2::25
SOCKS6=fd77:2::80
# A subscriber's own mail server: Dovecot, relaying by submission, taking mail by LMTP.
HOME_SERVER=10.77.1.200
BULK_CLIENT=10.77.1.27
export MAIL NO_TLS SLEEPY STRICT BULK EXIM_SERVER SOCKS MAIL6 SOCKS6 HOME_SERVER BULK_CLIENT

at_home() { ip netns exec homes "$@"; }

network_up() {
    local n
    ip link set lo up
    mount -t tmpfs none /run
    # Names and passwords of the machine play no part.
    printf '127.0.0.1 localhost\n%s mail.lab.example\n' "$MAIL" >"$LAB/hosts"
    : >"$LAB/resolv.conf"
    mount --bind "$LAB/hosts" /etc/hosts
    mount --bind "$LAB/resolv.conf" "$(readlink -f /etc/resolv.conf)" 2>/dev/null || true
    ip netns add homes
    ip link add wire type veth peer name home netns homes
    ip link set wire up
    for n in "$MAIL" "$NO_TLS" "$SLEEPY" "$STRICT" "$BULK" "$EXIM_SERVER" "$SOCKS"; do
        ip addr add "$n/24" dev wire
    done
    for n in "$MAIL6" "$SOCKS6"; do ip addr add "$n/64" dev wire nodad; done
    at_home ip link set lo up
    at_home ip link set home up
    at_home ip addr add "$HOME_SERVER/24" dev home
    for n in $(seq 10 99); do at_home ip addr add "10.77.1.$n/24" dev home; done
    at_home ip addr add fd77:1::10/64 dev home nodad
    at_home ip route add default via "$MAIL" dev home onlink src "$HOME_SERVER"
    at_home ip route add "$BULK/32" dev home src "$BULK_CLIENT"
    at_home ip route add fd77:2::/64 dev home
    ip route add 10.77.1.0/24 dev wire
    ip route add fd77:1::/64 dev wire
    # Networks that answer with an ICMP error, and that do not answer at all.
    echo 1 >/proc/sys/net/ipv4/ip_forward
    ip route add prohibit 203.0.113.0/24
    ip route add blackhole 192.0.2.0/24
}

# The kernel's buffer holds all that the scenes send, so that a busy machine loses nothing.
capture_start() {
    tcpdump -i wire -w "$LAB/wire.pcap" -U -B 32768 -Z root 2>"$LAB/tcpdump.log" &
    TCPDUMP=$!
    wait_for "tcpdump" grep -q 'listening on' "$LAB/tcpdump.log"
}

# Waits until what was sent last has been written: the buffer is read once a second.
capture_stop() {
    sleep 1.5
    kill -INT "$TCPDUMP"
    wait "$TCPDUMP" || true
    if ! grep -q '^0 packets dropped by kernel' "$LAB/tcpdump.log"; then
        cat "$LAB/tcpdump.log"
        printf 'the capture is not whole\n'
        exit 1
    fi
}

# wait_for WHAT COMMAND...: at most ten seconds.
wait_for() {
    local what=$1 n
    shift
    for n in $(seq 100); do
        if "$@" 2>/dev/null; then return; fi
        sleep 0.1
    done
    printf '%s did not come up (%s)\n' "$what" "$n"
    exit 1
}

# Is somebody listening? In the name space of the command before it: listens PORT [COMMAND...]
listens() {
    local port=$1
    shift
    "$@" ss -Hltn "sport = :$port" | grep -q .
}
