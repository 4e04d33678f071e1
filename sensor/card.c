// One request, one answer; an answer that is not there at once is none, and the counters stay.
#include "card.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// A line a processor; what stands behind is not read.
#define TEXT_MAX 32768

static bool ask(int fd, int index)
{
    struct {
        struct nlmsghdr head;
        struct if_stats_msg body;
    } q = {
        .head = {.nlmsg_len = sizeof q, .nlmsg_type = RTM_GETSTATS, .nlmsg_flags = NLM_F_REQUEST},
        .body = {.family = AF_UNSPEC,
                 .ifindex = (uint32_t)index,
                 .filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64)}};
    return send(fd, &q, sizeof q, MSG_DONTWAIT) == sizeof q;
}

static bool read_interface(const struct card *c, int index, struct card_counters *out)
{
    const size_t head = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct if_stats_msg));
    uint8_t answer[1024];
    struct nlmsghdr h;
    struct rtattr attribute;
    struct rtnl_link_stats64 s = {0};
    if (c->link_fd < 0 || !ask(c->link_fd, index))
        return false;
    ssize_t n = recv(c->link_fd, answer, sizeof answer, MSG_DONTWAIT);
    if (n < (ssize_t)(head + RTA_LENGTH(0)))
        return false;
    memcpy(&h, answer, sizeof h);
    memcpy(&attribute, answer + head, sizeof attribute);
    if (h.nlmsg_type != RTM_NEWSTATS || attribute.rta_type != IFLA_STATS_LINK_64 ||
        head + attribute.rta_len > (size_t)n || attribute.rta_len < RTA_LENGTH(0))
        return false;
    size_t size = attribute.rta_len - RTA_LENGTH(0);
    memcpy(&s, answer + head + RTA_LENGTH(0), size < sizeof s ? size : sizeof s);
    out->missed = s.rx_missed_errors;
    out->fifo = s.rx_fifo_errors;
    out->dropped = s.rx_dropped;
    return true;
}

// Hexadecimal: frames, dropped, ...
static uint64_t read_queues(const struct card *c)
{
    char text[TEXT_MAX];
    uint64_t sum = 0;
    size_t len = 0;
    ssize_t n;
    while (c->softnet_fd >= 0 && len < TEXT_MAX - 1 &&
           (n = pread(c->softnet_fd, text + len, TEXT_MAX - 1 - len, (off_t)len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    for (char *line = text; *line; line = strchrnul(line, '\n'), line += *line != '\0')
        sum += strtoull(line + strcspn(line, " \n"), NULL, 16);
    return sum;
}

static uint64_t grown(uint64_t now, uint64_t before)
{
    return now >= before ? now - before : now; // an interface that was made anew counts from zero
}

uint64_t card_count(struct card *c, int index, bool tagged)
{
    struct card_counters now = {0};
    if (!read_interface(c, index, &now))
        return c->lost;
    now.queue = read_queues(c);
    // The first tagged frames may still be in the ring when the kernel has counted them.
    c->lost += tagged && c->held > c->held_queue ? c->held_queue : c->held;
    if (c->known) {
        c->held = grown(now.dropped, c->last.dropped);
        c->held_queue = grown(now.queue, c->last.queue);
        c->lost += grown(now.missed, c->last.missed) + grown(now.fifo, c->last.fifo);
    }
    c->known = true;
    c->last = now;
    return c->lost;
}

void card_open(struct card *c, int index)
{
    *c = (struct card){0};
    c->link_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    c->softnet_fd = open("/proc/net/softnet_stat", O_RDONLY | O_CLOEXEC);
    card_count(c, index, false);
}

void card_close(struct card *c)
{
    if (c->link_fd >= 0)
        close(c->link_fd);
    if (c->softnet_fd >= 0)
        close(c->softnet_fd);
    c->link_fd = c->softnet_fd = -1;
}
