// The ring is the kernel's and is read where it lies: a block goes back once its last frame is no longer
// borrowed. What the ring does not say is asked of its socket: drops (PACKET_STATISTICS), the
// interface's flags, index and MTU.
#include "ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "card.h"
#include "ring_block.h"
#include "ring_filter.h"

// A frame lies in one block, so this is also the longest frame; some 500 mail packets.
#define BLOCK (256u << 10)

// Link header, two tags, and PPPoE's eight octets that a "baby jumbo" network adds.
#define ABOVE_MTU 30

#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MAX_MS   30000

struct ring {
    char name[IFNAMSIZ];
    int fd;
    uint8_t *blocks;      // mapped
    size_t count, at;     // of blocks; the one that is read or comes next
    struct ring_block in; // the one that is read
    bool open;            // it is
    uint32_t snaplen;
    struct ring_filter *sieve; // behind the ring; NULL: none
    int index;                 // of the interface the socket is bound to
    int mtu;
    enum ring_link link;
    int64_t backoff_ms, try_at_ms;
    uint64_t oversized, dropped;
    struct card card;
    bool tagged; // a frame with a VLAN tag was seen, or may have been filtered out
};

// ---- What the interface says.

static struct ifreq request(const struct ring *r)
{
    struct ifreq q = {0};
    memcpy(q.ifr_name, r->name, sizeof q.ifr_name);
    return q;
}

static enum ring_link look(const struct ring *r)
{
    struct ifreq q = request(r);
    if (ioctl(r->fd, SIOCGIFFLAGS, &q) != 0)
        return RING_GONE;
    if (!(q.ifr_flags & IFF_UP))
        return RING_DOWN;
    return q.ifr_flags & IFF_RUNNING ? RING_UP : RING_NO_CARRIER;
}

static int index_of(const struct ring *r)
{
    struct ifreq q = request(r);
    return ioctl(r->fd, SIOCGIFINDEX, &q) == 0 ? q.ifr_ifindex : 0;
}

static void learn_mtu(struct ring *r)
{
    struct ifreq q = request(r);
    r->mtu = ioctl(r->fd, SIOCGIFMTU, &q) == 0 ? q.ifr_mtu : 0;
}

int ring_speed_mbit(const struct ring *r)
{
    struct ethtool_cmd ask = {.cmd = ETHTOOL_GSET};
    struct ifreq q = request(r);
    q.ifr_data = (char *)&ask;
    if (ioctl(r->fd, SIOCETHTOOL, &q) != 0)
        return 0;
    uint32_t speed = ethtool_cmd_speed(&ask);
    return speed == 0 || speed == (uint32_t)SPEED_UNKNOWN || speed > INT32_MAX ? 0 : (int)speed;
}

static void count_ring(struct ring *r)
{
    struct tpacket_stats_v3 s = {0};
    socklen_t size = sizeof s;
    // The kernel counts from the last time it was asked.
    if (getsockopt(r->fd, SOL_PACKET, PACKET_STATISTICS, &s, &size) == 0)
        r->dropped += s.tp_drops;
}

void ring_losses(struct ring *r, struct ring_losses *out)
{
    count_ring(r);
    *out = (struct ring_losses){.card = card_count(&r->card, r->index, r->tagged),
                                .ring = r->dropped,
                                .oversized = r->oversized,
                                .card_known = r->card.known};
}

// ---- Opening.

static const char *fix_of(int error)
{
    switch (error) {
    case -ENODEV: return "name an interface that `ip link` shows";
    case -EPERM: return "start as root or with CAP_NET_RAW";
    case -ENETDOWN: return "bring it up with `ip link set IFACE up`";
    case -EMEDIUMTYPE: return "name an Ethernet interface, or read a capture of it with -r";
    case -ENOMEM: return "set a smaller sensor.ring";
    default: return "look at the kernel's log, and try a smaller sensor.ring";
    }
}

// Nothing comes until the socket is bound.
static int open_socket(struct ring *r)
{
    const int version = TPACKET_V3;
    struct ifreq q = request(r);
    r->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (r->fd < 0)
        return errno == EACCES ? -EPERM : -errno;
    r->index = index_of(r);
    if (r->index == 0)
        return -ENODEV;
    if (ioctl(r->fd, SIOCGIFHWADDR, &q) != 0)
        return -errno;
    if (q.ifr_hwaddr.sa_family != ARPHRD_ETHER && q.ifr_hwaddr.sa_family != ARPHRD_LOOPBACK)
        return -EMEDIUMTYPE;
    // What the machine sends to itself comes twice, on its way out and in again.
    const int in_only = q.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK;
    if (setsockopt(r->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &in_only, sizeof in_only) != 0 ||
        setsockopt(r->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) != 0)
        return -errno;
    return 0;
}

static int open_blocks(struct ring *r, const struct ring_setup *setup)
{
    const size_t count = (size_t)setup->buffer / BLOCK;
    const struct tpacket_req3 q = {.tp_block_size = BLOCK,
                                   .tp_block_nr = (unsigned)count,
                                   .tp_frame_size = BLOCK,
                                   .tp_frame_nr = (unsigned)count,
                                   .tp_retire_blk_tov = (unsigned)setup->timeout_ms};
    if (setsockopt(r->fd, SOL_PACKET, PACKET_RX_RING, &q, sizeof q) != 0)
        return -errno;
    void *map = mmap(NULL, count * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    r->blocks = map;
    r->count = count;
    return 0;
}

static int set_filter(struct ring *r, const struct ring_setup *setup, char *text)
{
    char error[200];
    struct ring_filter *f = NULL;
    int rc = setup->filter ? ring_filter_new(setup->filter, setup->snaplen, &f, error, sizeof error)
                           : 0;
    if (rc != 0) {
        snprintf(text, RING_TEXT_MAX, "sensor.filter: %s; see pcap-filter(7)", error);
        return rc;
    }
    if (f && ring_filter_names_layers(setup->filter)) {
        r->sieve = f;
        f = NULL;
    }
    // What the kernel leaves out may have had tags, which nobody sees (card.h).
    r->tagged = f != NULL;
    // Nothing to leave out and nothing to cut: a filter would be asked for every frame.
    if (f || setup->snaplen < BLOCK)
        rc = ring_filter_attach(f, setup->snaplen, r->fd);
    ring_filter_free(f);
    if (rc != 0)
        snprintf(text, RING_TEXT_MAX, "sensor.filter: %s; simplify it", strerror(-rc));
    return rc == 0 ? 0 : -EINVAL;
}

// An error that the socket keeps, as of an interface that is down, is told once.
static int take_error(const struct ring *r)
{
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? -error : -errno;
}

static int bind_to(struct ring *r, int index)
{
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index};
    struct packet_mreq all = {.mr_ifindex = index, .mr_type = PACKET_MR_PROMISC};
    if (bind(r->fd, (struct sockaddr *)&to, sizeof to) != 0)
        return -errno;
    if (setsockopt(r->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) != 0)
        return -errno;
    r->index = index;
    learn_mtu(r);
    return 0;
}

// The filter is there before the first frame can be.
static int open_all(struct ring *r, const struct ring_setup *setup, char *text)
{
    int rc = open_socket(r);
    if (rc == 0)
        rc = open_blocks(r, setup);
    if (rc == 0) {
        rc = set_filter(r, setup, text);
        if (rc != 0)
            return rc;
        rc = bind_to(r, r->index);
    }
    if (rc == 0)
        rc = take_error(r);
    if (rc != 0)
        snprintf(text, RING_TEXT_MAX, "%s: %s; %s", r->name,
                 rc == -EMEDIUMTYPE ? "its frames are not Ethernet" : strerror(-rc), fix_of(rc));
    return rc;
}

int ring_open(const struct ring_setup *setup, struct ring **out, char text[static RING_TEXT_MAX])
{
    if (strlen(setup->interface) >= IFNAMSIZ) {
        snprintf(text, RING_TEXT_MAX, "%s: %s", setup->interface, fix_of(-ENODEV));
        return -ENODEV;
    }
    struct ring *r = calloc(1, sizeof *r);
    if (!r) {
        snprintf(text, RING_TEXT_MAX, "out of memory");
        return -ENOMEM;
    }
    snprintf(r->name, sizeof r->name, "%s", setup->interface);
    r->fd = r->card.link_fd = r->card.softnet_fd = -1;
    r->snaplen = setup->snaplen;
    int rc = open_all(r, setup, text);
    if (rc != 0) {
        ring_close(r);
        return rc;
    }
    r->link = look(r);
    card_open(&r->card, r->index);
    *out = r;
    return 0;
}

void ring_close(struct ring *r)
{
    if (!r)
        return;
    if (r->blocks)
        munmap(r->blocks, r->count * BLOCK);
    if (r->fd >= 0)
        close(r->fd);
    ring_filter_free(r->sieve);
    card_close(&r->card);
    free(r);
}

int ring_fd(const struct ring *r)
{
    return r->fd;
}

const char *ring_name(const struct ring *r)
{
    return r->name;
}

int ring_mtu(const struct ring *r)
{
    return r->mtu;
}

// ---- Reading.

static bool is_tagged(const struct source_frame *f)
{
    if (f->data.len < ETHER_HDR_LEN)
        return false;
    unsigned type = (unsigned)f->data.data[12] << 8 | f->data.data[13];
    return type == ETH_P_8021Q || type == ETH_P_8021AD;
}

// The next block with frames in it, behind one that is no longer borrowed.
static bool turn(struct ring *r)
{
    while (r->in.left == 0) {
        uint8_t *block = r->blocks + r->at * BLOCK;
        if (r->open) {
            ring_block_return(block);
            r->at = r->at + 1 < r->count ? r->at + 1 : 0;
            block = r->blocks + r->at * BLOCK;
        }
        r->open = ring_block_ready(block);
        if (!r->open)
            return false;
        ring_block_begin(block, &r->in);
    }
    return true;
}

// What passes moves together.
static size_t sift(const struct ring *r, struct source_frame *frame, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (ring_filter_takes(r->sieve, &frame[i]))
            frame[kept++] = frame[i];
    return kept;
}

size_t ring_read(struct ring *r, struct source_frame *out, size_t max, size_t *count)
{
    *count = 0;
    if (!turn(r)) {
        take_error(
            r); // of the link, which ring_look judges; kept it would wake the loop again and again
        return 0;
    }
    size_t n = ring_block_next(&r->in, r->snaplen, out, max);
    *count = r->sieve ? sift(r, out, n) : n;
    const uint32_t most = r->mtu > 0 ? (uint32_t)r->mtu + ABOVE_MTU : UINT32_MAX;
    for (size_t i = 0; i < *count; i++) {
        r->oversized += out[i].wire > most;
        r->tagged = r->tagged || is_tagged(&out[i]);
    }
    ring_block_look_ahead(&r->in, (uint32_t)max);
    return n;
}

void ring_fetch(struct ring *r)
{
    ring_block_fetch(&r->in);
}

void ring_drain(struct ring *r)
{
    struct source_frame frame[64];
    size_t count;
    while (ring_read(r, frame, 64, &count) > 0) {}
    count_ring(r);
    r->dropped = 0;
    r->oversized = 0;
}

// ---- The link.

int ring_look(struct ring *r, int64_t now_ms)
{
    enum ring_link link = look(r);
    int index = link == RING_GONE ? 0 : index_of(r);
    if (index == 0 || index == r->index) {
        r->link = link;
        r->backoff_ms = 0;
        learn_mtu(r);
        return 0;
    }
    // Another interface has the name: until the socket is bound to it nothing is seen.
    r->link = RING_GONE;
    if (r->backoff_ms > 0 && now_ms < r->try_at_ms)
        return 0;
    int rc = bind_to(r, index);
    if (rc == 0) {
        r->link = link;
        r->backoff_ms = 0;
        return 0;
    }
    r->backoff_ms = r->backoff_ms == 0 ? BACKOFF_FIRST_MS : r->backoff_ms * 2;
    if (r->backoff_ms > BACKOFF_MAX_MS)
        r->backoff_ms = BACKOFF_MAX_MS;
    r->try_at_ms = now_ms + r->backoff_ms;
    return rc == -EINVAL ? rc : 0;
}

enum ring_link ring_link(const struct ring *r)
{
    return r->link;
}

const char *ring_link_text(enum ring_link link)
{
    static const char *const text[] = {[RING_UP] = "up",
                                       [RING_DOWN] = "down",
                                       [RING_NO_CARRIER] = "without carrier",
                                       [RING_GONE] = "gone"};
    return text[link];
}
