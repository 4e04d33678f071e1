// A question a function. Shares need a number of packets before they mean anything.
#include "check_judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/addr.h"
#include "common/conf.h"
#include "path.h"

#define PACKETS_MIN 100

// How far packets' times may be from this host's clock, the ring's delay included.
#define CLOCK_MS 2000

// Processors that receive side by side stamp their packets a little out of order, or much where one of them is
// stopped by its host.
#define BACK_US 500000

void check_clock_begin(struct check_clock *c, int64_t monotonic_ms)
{
    *c = (struct check_clock){.empty_ms = monotonic_ms};
}

void check_clock_frame(struct check_clock *c, int64_t t_us)
{
    c->went_back += c->some && t_us < c->newest_us - BACK_US;
    c->newest_us = !c->some || t_us > c->newest_us ? t_us : c->newest_us;
    c->last_us = t_us;
    c->frames = c->some = true;
}

void check_clock_look(struct check_clock *c, int64_t wall_ms, int64_t monotonic_ms, bool empty)
{
    int64_t behind_ms = wall_ms - c->last_us / 1000, late_ms = monotonic_ms - c->empty_ms;
    if (behind_ms > 0)
        behind_ms = behind_ms > late_ms ? behind_ms - late_ms : 0;
    if (c->frames && llabs(behind_ms) > llabs(c->behind_ms))
        c->behind_ms = behind_ms;
    c->frames = false;
    if (empty)
        c->empty_ms = monotonic_ms;
}

struct judge {
    const struct check_seen *s;
    struct check_finding *out;
    size_t count;
};

static void find(struct judge *j, const char *name, enum check_result result, const char *fix,
                 const char *text, ...) __attribute__((format(printf, 5, 6)));

// The fix names the interface, so that its commands can be taken as they stand.
static void put_fix(const char *fix, const char *interface, char out[static CHECK_TEXT_MAX])
{
    static const char word[] = "IFACE";
    const char *at = strstr(fix, word);
    if (at)
        snprintf(out, CHECK_TEXT_MAX, "%.*s%s%s", (int)(at - fix), fix, interface,
                 at + sizeof word - 1);
    else
        snprintf(out, CHECK_TEXT_MAX, "%s", fix);
}

static void find(struct judge *j, const char *name, enum check_result result, const char *fix,
                 const char *text, ...)
{
    struct check_finding *f = &j->out[j->count++];
    va_list args;
    f->name = name;
    f->result = result;
    va_start(args, text);
    vsnprintf(f->text, sizeof f->text, text, args);
    va_end(args);
    put_fix(result == CHECK_OK ? "" : fix, j->s->interface, f->fix);
}

// What packets show is good only where there are enough; what they show to be bad is bad.
static bool judged(struct judge *j, const char *name, enum check_result result)
{
    uint64_t n = j->s->stats->packets;
    if (n == 0) {
        find(j, name, CHECK_NOT_JUDGED, "Let packets come first: do what \"packets\" says.",
             "not judged (no packets)");
        return false;
    }
    if (n < PACKETS_MIN && result == CHECK_OK) {
        find(j, name, CHECK_NOT_JUDGED, "Look longer (--seconds).",
             "not judged (%" PRIu64 " packets are too few)", n);
        return false;
    }
    return true;
}

static double percent(uint64_t part, uint64_t all)
{
    return all == 0 ? 0 : 100.0 * (double)part / (double)all;
}

static void judge_link(struct judge *j)
{
    char speed[32] = "";
    if (j->s->speed_mbit > 0)
        snprintf(speed, sizeof speed, ", %d Mbit/s", j->s->speed_mbit);
    find(j, "link", j->s->link == RING_UP ? CHECK_OK : CHECK_FAILED,
         "Look at the cable and the mirror's port, and bring the interface up (ip link set IFACE "
         "up).",
         "%s is %s%s", j->s->interface, ring_link_text(j->s->link), speed);
}

static void judge_packets(struct judge *j)
{
    uint64_t n = j->s->stats->packets;
    find(j, "packets",
         n == 0            ? CHECK_FAILED
         : n < PACKETS_MIN ? CHECK_WARNING
                           : CHECK_OK,
         n < PACKETS_MIN && j->s->filter
             ? "sensor.filter lets hardly anything pass: it sees nothing under VLAN tags, PPPoE or "
               "MPLS unless it is written for them. Take it out and look again."
         : n == 0
             ? "Let the mirror session's destination be the port that this interface is plugged "
               "into, "
               "and switch the session on."
             : "Look longer (--seconds): this is too little to judge by.",
         "%" PRIu64 " packets in %d s, %" PRIu64 " with IP", n, j->s->seconds, j->s->packets);
}

static void judge_directions(struct judge *j)
{
    const struct check_seen *s = j->s;
    uint64_t both = s->from_subscriber + s->to_subscriber;
    bool one = s->alarms & COVERAGE_ONE_DIRECTION;
    if (both >= PACKETS_MIN)
        one = one || s->from_subscriber * 50 < both || s->to_subscriber * 50 < both;
    enum check_result result = one ? CHECK_FAILED : both < PACKETS_MIN ? CHECK_WARNING : CHECK_OK;
    uint64_t among = s->with_subscriber - both;
    if (!judged(j, "directions", result))
        return;
    find(j, "directions", result,
         one ? "Mirror both directions (rx and tx) of the port."
         : among > both
             ? "These are packets between subscribers: mirror a port between them and the others, "
               "or take networks that are not theirs out of site.subscribers."
             : "Name the subscribers' networks in site.subscribers, or look longer.",
         "%" PRIu64 " packets from subscribers, %" PRIu64 " to them, %" PRIu64 " of %" PRIu64
         " connections one-sided",
         s->from_subscriber, s->to_subscriber, s->stats->one_sided_flows, s->stats->ended_flows);
}

static void judge_prefixes(struct judge *j)
{
    const struct check_seen *s = j->s;
    char missing[128] = "", text[PREFIX_TEXT_MAX];
    size_t unseen = 0, len = 0;
    for (size_t i = 0; i < s->expected->count; i++) {
        if (s->prefix_seen[i])
            continue;
        unseen++;
        prefix_format(&s->expected->item[i], text);
        if (len + strlen(text) + 2 < sizeof missing)
            len += (size_t)snprintf(missing + len, sizeof missing - len, " %s", text);
    }
    bool hardly = s->packets >= PACKETS_MIN && s->with_subscriber * 50 < s->packets;
    enum check_result result = hardly ? CHECK_FAILED : unseen > 0 ? CHECK_WARNING : CHECK_OK;
    if (!judged(j, "prefixes", result))
        return;
    find(j, "prefixes", result,
         hardly ? "Correct site.subscribers, sensor.nat or sensor.leg, or mirror the port they use."
                : "Mirror their port too, or give them a sensor of their own.",
         "%.1f %% of packets have a subscriber at an end%s%s",
         percent(s->with_subscriber, s->packets), unseen > 0 ? "; not seen:" : "", missing);
}

static void on_skipped(void *ctx, const char *name, uint64_t count)
{
    char *first = ctx;
    (void)count;
    if (!*first)
        snprintf(first, SKIPPED_TEXT_MAX, "%s", name);
}

static void judge_layers(struct judge *j)
{
    const struct check_seen *s = j->s;
    char list[160] = "", first[SKIPPED_TEXT_MAX] = "";
    size_t len = 0;
    for (uint8_t i = 0; decap_registry[i]; i++) {
        if (s->layer[i] == 0 || decap_registry[i]->quiet)
            continue;
        const char *name = decap_registry[i]->name;
        if (len + strlen(name) + 2 < sizeof list)
            len += (size_t)snprintf(list + len, sizeof list - len, " %s", name);
    }
    skipped_each(&s->decap->skipped, decap_broken_text, on_skipped, first);
    uint64_t skipped = s->decap->skipped.total;
    bool many = skipped >= 20 && skipped * 20 >= s->stats->packets - s->decap->no_ip;
    enum check_result result = many ? CHECK_FAILED : skipped > 0 ? CHECK_WARNING : CHECK_OK;
    if (!judged(j, "layers", result))
        return;
    find(j, "layers", result,
         "Strip these layers at the packet broker, or report them with a capture.",
         "around the packets:%s; %" PRIu64 " not opened%s%s", *list ? list : " nothing", skipped,
         skipped > 0 ? ", mostly " : "", first);
}

static unsigned count_bits(const uint8_t *bits)
{
    unsigned n = 0;
    for (unsigned i = 0; i < 4096; i++)
        n += bits[i / 8] >> i % 8 & 1;
    return n;
}

static void judge_vlans(struct judge *j)
{
    const struct check_seen *s = j->s;
    unsigned wants = s->realm_layers, lacks = 0;
    if (s->packets >= PACKETS_MIN)
        lacks = (wants & (PATH_REALM_VLAN | PATH_REALM_QINQ) && !s->tagged[0]) ||
                (wants & PATH_REALM_QINQ && !s->tagged[1]);
    if (!judged(j, "vlans", lacks ? CHECK_FAILED : CHECK_OK))
        return;
    find(j, "vlans", lacks ? CHECK_FAILED : CHECK_OK,
         "sensor.realm_layers needs tags that do not come: let the mirror keep them (encapsulation "
         "replicate, no stripping at the broker), or take vlan and qinq out of it.",
         "%u outer and %u inner VLAN identifiers", count_bits(s->vlan[0]), count_bits(s->vlan[1]));
}

static void judge_doubled(struct judge *j)
{
    uint64_t copies = j->s->stats->duplicates, n = j->s->stats->packets;
    enum check_result result = copies >= 50 && copies * 10 >= n ? CHECK_FAILED
                               : copies * 100 > n               ? CHECK_WARNING
                                                                : CHECK_OK;
    if (judged(j, "doubled", result))
        find(j, "doubled", result,
             "Mirror each path once: at the ingress or the egress of the port, not both.",
             "%.1f %% of packets came twice", percent(copies, n));
}

static void judge_frames(struct judge *j)
{
    const struct check_seen *s = j->s;
    uint64_t cut = s->decap->cut;
    bool slices = decap_slices(s->decap->sliced, cut, s->stats->packets);
    enum check_result sliced = slices ? CHECK_FAILED : cut > 0 ? CHECK_WARNING : CHECK_OK;
    enum check_result above = s->losses.oversized > 0 ? CHECK_WARNING : CHECK_OK;
    if (judged(j, "slicing", sliced))
        find(j, "slicing", sliced,
             !slices   ? "None, if they stay few: single packets lie about their length."
             : cut > 0 ? "Switch off truncation or packet slicing at the mirror or packet broker."
                       : "Switch off packet slicing at the mirror, and leave sensor.snaplen at its "
                         "default.",
             "%" PRIu64 " packets were cut short%s", s->decap->sliced,
             cut > 0 ? ", before they came here" : "");
    if (judged(j, "mtu", above))
        find(j, "mtu", above,
             "Switch off joining: ethtool -K IFACE gro off lro off. Where a host makes the mirror "
             "(tc "
             "mirred, a virtual switch), there too, with tso off gso off.",
             "%" PRIu64 " frames above the MTU of %d octets", s->losses.oversized, s->mtu);
}

static void judge_loss(struct judge *j)
{
    uint64_t missing = j->s->stats->missing_octets, seen = j->s->stats->seen_octets;
    enum check_result result = missing * 100 > missing + seen ? CHECK_FAILED : CHECK_OK;
    if (!judged(j, "mirror-loss", result))
        return;
    if (missing + seen == 0)
        find(j, "mirror-loss", CHECK_NOT_JUDGED, "Look longer, or by day.",
             "not judged (no TCP connection carried octets)");
    else
        find(j, "mirror-loss", result,
             "The mirror's port is oversubscribed: narrow the mirror to mail ports, or give it a "
             "faster port.",
             "%.2f %% of TCP octets were acknowledged and never seen",
             percent(missing, missing + seen));
}

// The host's clock is known without packets, what they say of it is not.
static void judge_clock(struct judge *j)
{
    const struct check_seen *s = j->s;
    const struct check_clock *c = s->clock;
    bool off = c->behind_ms > CLOCK_MS || c->behind_ms < -CLOCK_MS || c->went_back > 0;
    enum check_result result = off                     ? CHECK_FAILED
                               : s->clock_synchronised ? CHECK_OK
                                                       : CHECK_WARNING;
    if (s->stats->packets == 0 && result == CHECK_WARNING) {
        find(j, "clock", result, "Run NTP or PTP on this host.",
             "the clock is not synchronised; packets' times are not judged (no packets)");
        return;
    }
    if (result != CHECK_WARNING && !judged(j, "clock", result))
        return;
    find(j, "clock", result,
         "Run NTP or PTP on this host, and on the packet broker if it stamps times.",
         "packets' times differ from the clock by up to %" PRId64 " ms, %" PRIu64
         " went back; the clock is %ssynchronised",
         c->behind_ms, c->went_back, s->clock_synchronised ? "" : "not ");
}

static void judge_drops(struct judge *j)
{
    const struct ring_losses *l = &j->s->losses;
    find(j, "drops",
         l->card + l->ring > 0 ? CHECK_FAILED
         : l->card_known       ? CHECK_OK
                               : CHECK_WARNING,
         l->card + l->ring == 0 ? "Let the sensor read /proc/net/dev."
         : l->ring > 0          ? "Raise sensor.ring or sensor.processes, or narrow the mirror."
                       : "Raise the interface's buffers (ethtool -G IFACE rx N), or narrow the "
                         "mirror.",
         "%" PRIu64 " dropped by the interface%s, %" PRIu64 " by the ring", l->card,
         l->card_known ? "" : " (not known)", l->ring);
}

static void judge_declared(struct judge *j)
{
    const char *says = j->s->contradiction;
    enum check_result result = says[0] ? CHECK_FAILED : CHECK_OK;
    if (judged(j, "declared", result))
        find(j, "declared", result, says, "%s",
             says[0] ? "what is seen contradicts the declared leg, nat or port25"
                     : "nothing contradicts the declared leg, nat and port25");
}

static void judge_mail(struct judge *j)
{
    uint64_t n = j->s->stats->mail_flows;
    enum check_result result = n > 0 ? CHECK_OK : CHECK_WARNING;
    // One connection of mail is one, however few packets there were.
    if (n > 0 || judged(j, "mail", CHECK_OK))
        find(j, "mail", result,
             "Look longer, or by day; then check that ports 25, 465, 587 and 2525 are in the "
             "mirror.",
             "%" PRIu64 " mail connections", n);
}

size_t check_judge(const struct check_seen *s, struct check_finding out[static CHECK_FINDINGS_MAX])
{
    struct judge j = {.s = s, .out = out};
    judge_link(&j);
    judge_packets(&j);
    judge_directions(&j);
    judge_prefixes(&j);
    judge_layers(&j);
    judge_vlans(&j);
    judge_doubled(&j);
    judge_frames(&j);
    judge_loss(&j);
    judge_clock(&j);
    judge_drops(&j);
    judge_declared(&j);
    judge_mail(&j);
    return j.count;
}
