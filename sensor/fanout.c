// The kernel chooses the group's number, so that two sensors on one machine do not meet in one group.
#include "fanout.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <stdint.h>
#include <sys/socket.h>

#include "fanout_program.h"

static int join(int fd, uint16_t *group, uint16_t flags)
{
    uint32_t how = (uint32_t)*group | (uint32_t)(PACKET_FANOUT_CBPF | flags) << 16;
    if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &how, sizeof how) != 0)
        return -errno;
    socklen_t size = sizeof how;
    if (getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &how, &size) != 0)
        return -errno;
    *group = (uint16_t)how;
    return 0;
}

int fanout_join(const int *fd, size_t count)
{
    struct sock_filter code[FANOUT_CODE_MAX];
    struct sock_fprog program = {.len = (unsigned short)fanout_program(code), .filter = code};
    uint16_t group = 0;
    for (size_t i = 0; i < count; i++) {
        int rc = join(fd[i], &group, i == 0 ? PACKET_FANOUT_FLAG_UNIQUEID : 0);
        if (rc != 0)
            return rc;
        if (i == 0 &&
            setsockopt(fd[0], SOL_PACKET, PACKET_FANOUT_DATA, &program, sizeof program) != 0)
            return -errno;
    }
    return 0;
}
