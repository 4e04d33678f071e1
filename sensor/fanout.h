// Several sockets on one interface, each with its share of the flows: packet(7), PACKET_FANOUT.
#pragma once

#include <stddef.h>

// Makes one group of `count` packet sockets that are bound to the same interface. Which gets a frame is
// said in fanout_program.h. Negative errno.
int fanout_join(const int *fd, size_t count);
