// libpcap opens, sets up and reads the ring; what it does not say is asked of its socket: drops
// (PACKET_STATISTICS), the interface's flags, index and MTU.
#include "ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "card.h"

// Link header, two tags, and PPPoE's eight octets that a "baby jumbo" network adds.
#define ABOVE_MTU 30

// Frames that a filter behind the ring may take out before somebody else has a turn.
#define SIEVE_BUDGET 8192

#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MAX_MS   30000

struct ring {
    pcap_t *pcap;
    char name[IFNAMSIZ];
    int fd, linktype;
    int index; // of the interface the socket is bound to
    int mtu;
    enum ring_link link;
    int64_t backoff_ms, try_at_ms;
    uint64_t oversized, dropped;
    struct card card;
    bool tagged; // a frame with a VLAN tag was seen
    bool sieved; // by `sieve`, behind the ring
    struct bpf_program sieve;
    ring_fn fn; // during ring_read
    void *ctx;
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

static int error_of(int pcap_error)
{
    switch (pcap_error) {
    case PCAP_ERROR_NO_SUCH_DEVICE: return -ENODEV;
    case PCAP_ERROR_PERM_DENIED:
    case PCAP_ERROR_PROMISC_PERM_DENIED: return -EPERM;
    case PCAP_ERROR_IFACE_NOT_UP: return -ENETDOWN;
    default: return -EIO;
    }
}

static const char *fix_of(int error)
{
    switch (error) {
    case -ENODEV: return "name an interface that `ip link` shows";
    case -EPERM: return "start as root or with CAP_NET_RAW";
    case -ENETDOWN: return "bring it up with `ip link set IFACE up`";
    default: return "look at the kernel's log, and try a smaller sensor.ring";
    }
}

bool ring_filter_names_layers(const char *filter)
{
    static const char *const layers[] = {"vlan", "pppoes", "mpls", "geneve", NULL};
    for (size_t i = 0; layers[i]; i++)
        if (strstr(filter, layers[i]))
            return true;
    return false;
}

// In the kernel the outer tag stands beside the frame, and what libpcap makes of two layers for that (1.10)
// the kernel refuses. A filter that names layers is applied behind the ring, where frames are whole again.
static int set_sieve(struct ring *r, const struct ring_setup *setup, char *text)
{
    pcap_t *whole = pcap_open_dead(pcap_datalink(r->pcap), setup->snaplen);
    if (!whole) {
        snprintf(text, RING_TEXT_MAX, "out of memory");
        return -ENOMEM;
    }
    r->sieved = pcap_compile(whole, &r->sieve, setup->filter, 1, PCAP_NETMASK_UNKNOWN) == 0;
    if (!r->sieved)
        snprintf(text, RING_TEXT_MAX, "sensor.filter: %s; see pcap-filter(7)", pcap_geterr(whole));
    pcap_close(whole);
    return r->sieved ? 0 : -EINVAL;
}

static int set_filter(struct ring *r, const struct ring_setup *setup, char *text)
{
    struct bpf_program program;
    if (!setup->filter)
        return 0;
    if (ring_filter_names_layers(setup->filter))
        return set_sieve(r, setup, text);
    if (pcap_compile(r->pcap, &program, setup->filter, 1, PCAP_NETMASK_UNKNOWN) != 0) {
        snprintf(text, RING_TEXT_MAX, "sensor.filter: %s; see pcap-filter(7)",
                 pcap_geterr(r->pcap));
        return -EINVAL;
    }
    int rc = pcap_setfilter(r->pcap, &program);
    pcap_freecode(&program);
    if (rc == 0)
        return 0;
    snprintf(text, RING_TEXT_MAX, "sensor.filter: %s; simplify it", pcap_geterr(r->pcap));
    return -EINVAL;
}

static int activate(struct ring *r, const struct ring_setup *setup, char *text)
{
    pcap_set_snaplen(r->pcap, setup->snaplen);
    pcap_set_promisc(r->pcap, 1);
    pcap_set_timeout(r->pcap, setup->timeout_ms);
    pcap_set_buffer_size(r->pcap, (int)setup->buffer);
    int rc = pcap_activate(r->pcap);
    if (rc < 0) {
        const char *detail = pcap_geterr(r->pcap);
        snprintf(text, RING_TEXT_MAX, "%s: %s; %s", r->name,
                 *detail ? detail : pcap_statustostr(rc), fix_of(error_of(rc)));
        return error_of(rc);
    }
    char error[PCAP_ERRBUF_SIZE];
    if (pcap_setnonblock(r->pcap, 1, error) != 0) {
        snprintf(text, RING_TEXT_MAX, "%s: %s", r->name, error);
        return -EIO;
    }
    return set_filter(r, setup, text);
}

int ring_open(const struct ring_setup *setup, struct ring **out, char text[static RING_TEXT_MAX])
{
    char error[PCAP_ERRBUF_SIZE];
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
    r->card.link_fd = r->card.softnet_fd = -1;
    r->pcap = pcap_create(r->name, error);
    int rc = r->pcap ? activate(r, setup, text) : -EIO;
    if (!r->pcap)
        snprintf(text, RING_TEXT_MAX, "%s: %s", r->name, error);
    if (rc != 0) {
        ring_close(r);
        return rc;
    }
    r->fd = pcap_fileno(r->pcap);
    r->linktype = pcap_datalink(r->pcap);
    r->index = index_of(r);
    learn_mtu(r);
    r->link = look(r);
    card_open(&r->card, r->index);
    *out = r;
    return 0;
}

void ring_close(struct ring *r)
{
    if (!r)
        return;
    if (r->sieved)
        pcap_freecode(&r->sieve);
    if (r->pcap)
        pcap_close(r->pcap);
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

// Of an Ethernet frame; libpcap has put the outer tag back.
static bool is_tagged(const struct pcap_pkthdr *h, const u_char *data)
{
    if (h->caplen < 14)
        return false;
    unsigned type = (unsigned)data[12] << 8 | data[13];
    return type == ETH_P_8021Q || type == ETH_P_8021AD;
}

static struct source_frame frame_of(struct ring *r, const struct pcap_pkthdr *h, const u_char *data)
{
    if (!r->tagged && r->linktype == DLT_EN10MB)
        r->tagged = is_tagged(h, data);
    r->oversized += r->mtu > 0 && h->len > (unsigned)r->mtu + ABOVE_MTU;
    return (struct source_frame){
        .t_us = (int64_t)h->ts.tv_sec * 1000000 + (int64_t)h->ts.tv_usec,
        .linktype = r->linktype,
        .data = span_of(data, h->caplen),
        .wire = h->len,
    };
}

static void on_packet(u_char *user, const struct pcap_pkthdr *h, const u_char *data)
{
    struct ring *r = (struct ring *)(void *)user;
    if (r->sieved && pcap_offline_filter(&r->sieve, h, data) == 0)
        return;
    struct source_frame frame = frame_of(r, h, data);
    r->fn(r->ctx, &frame);
}

// libpcap's errors on an open ring mean that the interface is gone, or went down: ring_look tells which.
int ring_read(struct ring *r, int max, ring_fn fn, void *ctx)
{
    r->fn = fn;
    r->ctx = ctx;
    int n = pcap_dispatch(r->pcap, max, on_packet, (u_char *)(void *)r);
    return n > 0 ? n : 0;
}

bool ring_next(struct ring *r, struct source_frame *out)
{
    struct pcap_pkthdr *h;
    const u_char *data;
    for (int n = 0; n < SIEVE_BUDGET && pcap_next_ex(r->pcap, &h, &data) == 1; n++) {
        if (r->sieved && pcap_offline_filter(&r->sieve, h, data) == 0)
            continue;
        *out = frame_of(r, h, data);
        return true;
    }
    return false;
}

static void nothing(void *ctx, const struct source_frame *frame)
{
    (void)ctx;
    (void)frame;
}

void ring_drain(struct ring *r)
{
    while (ring_read(r, 4096, nothing, NULL) > 0) {}
    count_ring(r);
    r->dropped = 0;
    r->oversized = 0;
}

// ---- The link.

static int bind_anew(struct ring *r, int index)
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
    int rc = bind_anew(r, index);
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
