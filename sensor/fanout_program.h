// The program by which the kernel shares a port's frames out to several processes (PACKET_FANOUT_CBPF): a
// hash of the innermost addresses that the program reaches, the same for both directions.
//
// It takes off: VLAN tags (four behind the one the kernel keeps beside the frame), PPPoE, MPLS (six
// labels), pseudowires, IP in IP in all four combinations, GRE (versions 0 and 1, ERSPAN), VXLAN, Geneve,
// GTP-U, L2TP; three rounds of these, so a tunnel in a tunnel. ICMP errors go where the packet goes that
// they quote. Fragments go by the addresses of the fragmented packet, since only the first shows more:
// where a tunnel's packets are fragmented, a flow inside it may be in two processes. Frames without IP
// go to the first process.
#pragma once

#include <linux/filter.h>
#include <stddef.h>

#define FANOUT_CODE_MAX 4096 // what the kernel takes

// Its instructions; 0 never happens and would mean that FANOUT_CODE_MAX is too small.
size_t fanout_program(struct sock_filter code[static FANOUT_CODE_MAX]);
