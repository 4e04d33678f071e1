// What an interface and the kernel lost before the ring, asked by rtnetlink(7) and from
// /proc/net/softnet_stat, whose descriptors are kept: nothing can be opened any more once rights are gone.
//
// "missed" and "fifo" are the card's own losses. "dropped" is more: the kernel also counts there every frame
// that it has no use for itself, although the ring has seen it. It does so with VLAN tags of which
// there is no interface, so behind the first tagged frame "dropped" counts only as far as the
// kernel's input queues dropped as much at the same time. Some drivers count losses of the card there alone:
// on a tagged mirror those show in `ethtool -S` only.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct card {
    int link_fd, softnet_fd; // -1: not to be had
    bool known;
    struct card_counters {
        uint64_t missed, fifo, dropped, queue;
    } last;
    uint64_t held, held_queue; // of "dropped", judged at the next count
    uint64_t lost;
};

void card_open(struct card *c, int index);
void card_close(struct card *c);
// Once a second or so, of the interface with this index. `tagged`: frames with VLAN tags were seen.
// Returns what was lost since card_open.
uint64_t card_count(struct card *c, int index, bool tagged);
