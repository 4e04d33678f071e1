// The rules, and how many cases each needs before it speaks.
#include "sight.h"

#include <string.h>
#include <time.h>

#define HALF_HOUR_MS INT64_C(1800000)
#define HOUR_MS      INT64_C(3600000)
#define DAY_BEGINS   8 // o'clock, local
#define DAY_ENDS     20

#define CASES_FLOWS     200
#define CASES_ATTEMPTS  20
#define CASES_ANSWERS   20
#define CASES_SILENCE   100
#define CASES_MAIL      50
#define CASES_ADDRESSES 50

void sight_init(struct sight *s, const struct coverage *declared, bool has_smarthosts)
{
    *s = (struct sight){.leg = declared->leg,
                        .nat = declared->nat,
                        .port25 = declared->port25,
                        .has_smarthosts = has_smarthosts};
}

// Ranges that are never routed: 10/8, 172.16/12, 192.168/16, 100.64/10.
static bool is_private(const struct ip_addr *a)
{
    if (a->family != IP_V4)
        return false;
    const uint8_t *v4 = a->octet;
    return v4[0] == 10 || (v4[0] == 172 && (v4[1] & 0xf0) == 16) ||
           (v4[0] == 192 && v4[1] == 168) || (v4[0] == 100 && (v4[1] & 0xc0) == 64);
}

// A reset or an ICMP error is what a block answers with.
static bool was_answered(const struct flow *f)
{
    return f->handshake == RECORD_HANDSHAKE_ESTABLISHED ||
           f->handshake == RECORD_HANDSHAKE_CLOSED_EARLY ||
           f->handshake == RECORD_HANDSHAKE_MIDSTREAM;
}

void sight_flow(struct sight *s, const struct flow *f)
{
    struct sight_sums *n = &s->half[1];
    if (flow_proto(f) != 6)
        return;
    n->flows++;
    if (f->side == RECORD_SIDE_NONE)
        return;
    n->subscriber_flows++;
    struct ip_addr a = flow_addr(f, f->side == RECORD_SIDE_RESPONDER ? 1 : 0);
    if (is_private(&a))
        n->private_subscribers++;
    else
        n->public_subscribers++;
    uint16_t port = flow_port(f, 1);
    bool mail = port == 25 || port == 465 || port == 587 || port == 2525;
    if (f->side != RECORD_SIDE_INITIATOR || !mail)
        return;
    if (f->flags & FLOW_SMARTHOST) {
        n->mail_smarthost++;
        return;
    }
    n->mail_elsewhere++;
    if (port == 25) {
        n->out25++;
        n->out25_answered += was_answered(f);
    }
}

static enum sight_finding judge_port25(const struct sight *s, const struct sight_sums *n)
{
    if (s->port25 == COVERAGE_PORT25_BLOCKED_BEFORE && n->out25 >= CASES_ATTEMPTS)
        return SIGHT_NOT_BLOCKED;
    if (s->port25 == COVERAGE_PORT25_BLOCKED_AFTER && n->out25_answered >= CASES_ANSWERS)
        return SIGHT_BLOCK_LEAKS;
    if (s->port25 == COVERAGE_PORT25_OPEN && n->out25 >= CASES_SILENCE && n->out25_answered == 0)
        return SIGHT_BLOCKED;
    return SIGHT_FINE;
}

static enum sight_finding judge(const struct sight *s)
{
    struct sight_sums n = s->half[0];
    const struct sight_sums *now = &s->half[1];
    n.flows += now->flows;
    n.subscriber_flows += now->subscriber_flows;
    n.private_subscribers += now->private_subscribers;
    n.public_subscribers += now->public_subscribers;
    n.out25 += now->out25;
    n.out25_answered += now->out25_answered;
    n.mail_smarthost += now->mail_smarthost;
    n.mail_elsewhere += now->mail_elsewhere;
    if (n.flows >= CASES_FLOWS && n.subscriber_flows * 50 < n.flows)
        return SIGHT_NO_SUBSCRIBERS;
    if (s->nat == COVERAGE_NAT_OUTSIDE && n.private_subscribers >= CASES_ADDRESSES &&
        n.private_subscribers > n.public_subscribers)
        return SIGHT_NAT_INSIDE;
    enum sight_finding port25 = judge_port25(s, &n);
    if (port25 != SIGHT_FINE)
        return port25;
    uint64_t mail = n.mail_smarthost + n.mail_elsewhere;
    if (!s->has_smarthosts || mail < CASES_MAIL)
        return SIGHT_FINE;
    if (s->leg == COVERAGE_LEG_SMARTHOST && n.mail_smarthost == 0)
        return SIGHT_NO_SMARTHOST;
    if ((s->leg == COVERAGE_LEG_TRANSIT || s->leg == COVERAGE_LEG_PNI) &&
        n.mail_smarthost > n.mail_elsewhere)
        return SIGHT_SMARTHOST_HERE;
    return SIGHT_FINE;
}

static bool by_day(int64_t t_ms)
{
    time_t t = (time_t)(t_ms / 1000);
    struct tm local;
    return localtime_r(&t, &local) && local.tm_hour >= DAY_BEGINS && local.tm_hour < DAY_ENDS;
}

void sight_second(struct sight *s, int64_t t_ms, uint64_t mail_flows)
{
    int64_t half = (t_ms - 1) / HALF_HOUR_MS;
    if (half != s->present) {
        s->half[0] = half == s->present + 1 ? s->half[1] : (struct sight_sums){0};
        s->half[1] = (struct sight_sums){0};
        s->present = half;
    }
    if (mail_flows != s->mail_flows || s->mail_at_ms == 0) {
        s->mail_flows = mail_flows;
        s->mail_at_ms = t_ms;
    }
    // The whole hour has to be day.
    s->no_mail = t_ms - s->mail_at_ms >= HOUR_MS && by_day(t_ms) && by_day(t_ms - HOUR_MS);
    s->finding = judge(s);
}

void sight_pause(struct sight *s, int64_t t_ms)
{
    s->mail_at_ms = t_ms;
}

uint32_t sight_alarms(const struct sight *s)
{
    return (s->no_mail ? COVERAGE_NO_MAIL : 0) |
           (s->finding != SIGHT_FINE ? COVERAGE_LEG_WRONG : 0);
}

const char *sight_text(const struct sight *s)
{
    static const char *const text[SIGHT_FINDINGS] = {
        [SIGHT_FINE] = "",
        [SIGHT_NO_SUBSCRIBERS] =
            "Hardly a connection has a subscriber at an end: name the networks seen "
            "here in site.subscribers, or mirror the port they use.",
        [SIGHT_NAT_INSIDE] =
            "Subscribers are seen with private addresses: set sensor.nat to inside.",
        [SIGHT_NOT_BLOCKED] =
            "Subscribers' attempts on port 25 are seen: set sensor.port25 to open or "
            "blocked-after.",
        [SIGHT_BLOCK_LEAKS] =
            "Subscribers' connections to port 25 are answered: set sensor.port25 to "
            "open, or repair the block.",
        [SIGHT_BLOCKED] =
            "None of the subscribers' attempts on port 25 is answered: set sensor.port25 "
            "to blocked-after.",
        [SIGHT_NO_SMARTHOST] =
            "No mail goes to site.smarthosts here: correct sensor.leg, or the list.",
        [SIGHT_SMARTHOST_HERE] = "Subscribers' mail goes to the smarthost here: set sensor.leg to "
                                 "smarthost or access.",
    };
    return text[s->finding];
}
