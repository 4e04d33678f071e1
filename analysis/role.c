// Roles from inbound mail. See role.h.
#include "role.h"

#include "hash.h"

#define DAY_MINUTES   1440
#define ANSWER_OCTETS 300 // headers of a handshake and its end, and a greeting or a command
#define UNREAD_OCTETS \
    3000               // towards a server: more than a TLS handshake and a farewell, so a message
#define FORGET_DAYS 30 // without inbound mail a server is none any more

const char *role_name(unsigned role)
{
    static const char *const names[ROLES] = {"household", "unknown", "mail-server"};
    return role < ROLES ? names[role] : NULL;
}

static void enough(struct role_state *s, uint32_t day)
{
    if (s->last_day == day)
        return;
    s->last_day = day;
    if (s->days < UINT8_MAX)
        s->days++;
}

bool role_is_delivery(const struct minute_digest *d)
{
    if (d->direction != MINUTE_IN || d->role != MINUTE_MX)
        return false;
    if (d->messages_ok > 0)
        return true;
    bool unread = d->outcome == MINUTE_OUTCOME_ESTABLISHED || (d->flags & MINUTE_DIGEST_TLS);
    return unread && d->octets_up >= ANSWER_OCTETS && d->octets_down >= UNREAD_OCTETS;
}

static void delivered(struct role_state *s, const struct ip_addr *peer)
{
    struct ip_prefix network = prefix_of(peer, peer->family == IP_V6 ? 48 : 24);
    uint32_t h = hash_short(
        hash_octets(network.addr.octet, sizeof network.addr.octet, network.addr.family));
    for (unsigned i = 0; i < s->networks; i++) {
        if (s->network[i] == h)
            return;
    }
    if (s->networks < ROLE_NETWORKS)
        s->network[s->networks++] = h;
}

void role_observe(struct role_state *s, const struct minute_row *r, bool named)
{
    s->named = named;
    if (r->minute < 0)
        return;
    uint32_t day = (uint32_t)(r->minute / DAY_MINUTES);
    if (day > s->day) {
        s->day = day;
        s->networks = 0;
    }
    if (s->days > 0 && day > s->last_day + FORGET_DAYS)
        s->days = 0;
    for (uint32_t i = 0; i < r->digest_count; i++) {
        const struct minute_digest *d = &r->digest[i];
        if (role_is_delivery(d))
            delivered(s, &d->peer);
    }
    // What no digest lists: as many networks, and as many messages.
    bool many = r->digests_cut > 0 &&
                r->counter[MINUTE_MX][MINUTE_IN][MINUTE_messages_ok] >= ROLE_NETWORKS &&
                distinct_count(&r->set[MINUTE_SET_networks_in_25]) >= ROLE_NETWORKS;
    if (s->networks >= ROLE_NETWORKS || many)
        enough(s, day);
}

enum role role_of(const struct role_state *s, int64_t now_ms)
{
    if (s->named || s->days >= ROLE_DAYS)
        return ROLE_MAIL_SERVER;
    uint32_t today = (uint32_t)(now_ms / (DAY_MINUTES * 60000LL));
    if (s->days > 0 || (s->networks >= ROLE_NEW_NETWORKS && s->day + 1 >= today))
        return ROLE_UNKNOWN;
    return ROLE_HOUSEHOLD;
}
