# shellcheck shell=bash
# The scenes of tests/functional/lab, real servers and clients, seen through a mirrored port: what the live
# sensor counts is held against the servers' logs and the clients' transcripts. Then the same frames under QinQ
# and PPPoE, put on the wire again, against the same truth.
LAB_SCRIPTS=$(cd "$HERE/../lab" && pwd)

lab_is_possible() {
    local command
    export PATH=$PATH:/usr/lib/postfix/sbin
    for command in postfix smtp-source swaks dovecot danted microsocks tcpdump curl; do
        if ! command -v "$command" >/dev/null 2>&1; then
            printf 'not tried: real servers (%s is not installed)\n' "$command"
            return 1
        fi
    done
}

# All that "wire" carries, both ways, to "mirror", whose other end is the sensor's.
mirror_up() {
    local way
    ip link add mirror type veth peer name span
    sysctl -qw net.ipv6.conf.mirror.disable_ipv6=1 net.ipv6.conf.span.disable_ipv6=1
    ip link set mirror up
    ip link set span up
    tc qdisc add dev wire clsact
    for way in ingress egress; do
        tc filter add dev wire $way protocol all u32 match u32 0 0 action mirred egress mirror dev mirror
    done
}

cases_mirror() {
    local lab_here=$HERE
    LAB=$LIVE/lab
    mkdir -p "$LAB"
    chmod 755 "$LAB"
    export LAB
    case_begin "real servers, mirrored"
    # shellcheck source=/dev/null
    for part in network servers scene scenes_mail scenes_tls scenes_socks; do . "$LAB_SCRIPTS/$part.sh"; done
    HERE=$LAB_SCRIPTS
    network_up
    servers_start
    mirror_up
    HERE=$lab_here
    configure "ring: 32M"
    sensor_start -i span --subscribers 10.77.1.0/24,fd77:1::/64 --print flows || return 0
    HERE=$LAB_SCRIPTS
    capture_start
    scenes_connect
    scenes_mail
    scenes_login
    scenes_talk
    scenes_tls
    scenes_socks
    scenes_end
    capture_stop
    servers_stop
    HERE=$lab_here
    must_be "what was dropped" "$(ask | jq '.counters | .card_drops + .ring_drops')" 0
    # Segments that the sending host has not cut yet come as one frame, as from a card with LRO.
    must_be_some "frames above the MTU" "$(counter oversized)"
    has_problem oversized || wrong "frames above the MTU are not said"
    must_be "frames cut" "$(counter sliced)" 0
    sensor_stop
    cp "$LIVE/flows.live" "$LAB/flows.json"
    awk -f "$LAB_SCRIPTS/truth_postfix.awk" "$LAB/mail.log" >"$LAB/truth_postfix.tsv"
    node "$LAB_SCRIPTS/compare.mjs" "$LAB" || wrong "counts differ from what servers and clients say"
    ip link del span
    case_end
    mirror_again
}

# By two processes, with all layers around, through a mirrored port as well.
mirror_again() {
    local frames end
    case_begin "real servers, wrapped"
    "$TESTS/postern-mangle" -s 1 -x qinq-pppoe -o "$LIVE/wrapped.pcap" "$LAB/wire.pcap"
    ip link add inject type veth peer name trunk
    ip link add mirror type veth peer name span
    for end in inject trunk mirror span; do
        sysctl -qw "net.ipv6.conf.$end.disable_ipv6=1"
        ip link set "$end" mtu 65535 up
    done
    tc qdisc add dev trunk clsact
    tc filter add dev trunk ingress protocol all u32 match u32 0 0 action mirred egress mirror dev mirror
    configure "ring: 32M" "processes: 2"
    sensor_start -i span --subscribers 10.77.1.0/24,fd77:1::/64 --print flows || return 0
    frames=$("$TESTS/postern-inject" -c "$LIVE/wrapped.pcap")
    inject -x 1 inject "$LIVE/wrapped.pcap"
    until_true counter_is packets "$frames" || wrong "$(counter packets) of $frames packets arrived"
    sensor_stop
    cp "$LIVE/flows.live" "$LAB/flows.json"
    node "$LAB_SCRIPTS/compare.mjs" "$LAB" || wrong "counts differ from what servers and clients say"
    must_be "layers around the flows" "$(jq -r .encap "$LIVE/flows.live" | sort -u)" "8021ad+vlan+pppoes+ppp"
    ip link del inject
    ip link del span
    case_end
}
