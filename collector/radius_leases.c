// One packet: the time it is of, the access router's name, the party, then its leases.
#include "radius_leases.h"

#include <string.h>

#include "lease_index.h"

// A time the packet tells is believed within these bounds; outside, the packet's arrival counts.
#define AHEAD_MAX_MS  2000
#define BEHIND_MAX_MS (7 * INT64_C(86400000))
// Whole seconds on the wire: so much more than practice's 2 s is a difference for sure.
#define DIFFERS_MS 3000
#define IN_A_ROW   3
// Starts of one session and address so near are one, sent again with another delay.
#define SAME_START_MS 10000

struct apply {
    struct lease_store *store;
    const struct radius_accounting *a;
    struct lease lease; // what all leases of the packet share
    int64_t t_ms;
    int rc;
};

// ---- Time

static int64_t event_time(const struct radius_accounting *a, int64_t now_ms)
{
    int64_t arrived = now_ms - 1000 * (int64_t)a->delay_s;
    int64_t t = a->event_s ? 1000 * a->event_s : arrived;
    if (t > now_ms + AHEAD_MAX_MS || t < now_ms - BEHIND_MAX_MS)
        t = arrived < now_ms - BEHIND_MAX_MS ? now_ms : arrived;
    return t < now_ms ? t : now_ms;
}

static void watch_clock(struct lease_store *store, struct radius_clocks *c,
                        const struct radius_accounting *a, const char *nas, int64_t now_ms)
{
    if (a->event_s == 0)
        return;
    uint64_t h = session_hash("", nas);
    size_t i = h % RADIUS_CLOCKS;
    if (c->at[i].nas != h) {
        c->differing -= c->at[i].differs;
        memset(&c->at[i], 0, sizeof c->at[i]);
        c->at[i].nas = h;
    }
    int64_t off = 1000 * a->event_s - (now_ms - 1000 * (int64_t)a->delay_s);
    bool wrong = off > DIFFERS_MS || off < -DIFFERS_MS;
    c->at[i].wrong = wrong ? (uint8_t)(c->at[i].wrong + (c->at[i].wrong < IN_A_ROW)) : 0;
    c->at[i].right = wrong ? 0 : (uint8_t)(c->at[i].right + (c->at[i].right < IN_A_ROW));
    bool differs = c->at[i].differs ? c->at[i].right < IN_A_ROW : c->at[i].wrong >= IN_A_ROW;
    if (differs == c->at[i].differs)
        return;
    c->at[i].differs = differs;
    c->differing = differs ? c->differing + 1 : c->differing - 1;
    leases_clock(store->leases, nas, differs);
}

// ---- Names

static void name_nas(const struct radius_accounting *a, const struct ip_addr *source,
                     char out[static LEASE_NAME_MAX])
{
    char text[IP_TEXT_MAX];
    if (radius_text(a->nas_identifier, out, LEASE_NAME_MAX))
        return;
    ip_format(a->nas_addr.family != IP_NONE ? &a->nas_addr : source, text);
    snprintf(out, LEASE_NAME_MAX, "%s", text);
}

static bool name_party(const struct radius_accounting *a, enum radius_party from, struct party *out)
{
    const struct span spans[] = {
        [RADIUS_PARTY_USER] = a->user_name,
        [RADIUS_PARTY_CALLING_STATION] = a->calling_station,
        [RADIUS_PARTY_CLASS] = a->class_,
        [RADIUS_PARTY_REMOTE_ID] = a->remote_id,
        [RADIUS_PARTY_CIRCUIT_ID] = a->circuit_id,
        [RADIUS_PARTY_NAS_PORT] = a->nas_port_id,
    };
    char id[PARTY_ID_MAX], text[PARTY_TEXT_MAX];
    if (!radius_text(spans[from], id, sizeof id))
        return false;
    snprintf(text, sizeof text, "line:%s", id);
    return party_parse(text, out) == 0;
}

// ---- Leases

static void put(struct apply *x, const struct lease *lease)
{
    int rc = lease_store_put(x->store, lease);
    if (x->rc == 0)
        x->rc = rc;
}

static void end_lease(struct apply *x, struct lease *lease)
{
    lease->end_ms = x->t_ms > lease->start_ms ? x->t_ms : lease->start_ms;
    if (lease->last_seen_ms < lease->end_ms)
        lease->last_seen_ms = lease->end_ms;
    else
        lease->end_ms = lease->last_seen_ms; // was seen later than it ended: clocks, or disorder
    put(x, lease);
}

static bool same_key(const struct lease *a, const struct lease *b)
{
    return prefix_compare(&a->key.prefix, &b->key.prefix) == 0 &&
           memcmp(&a->key.realm, &b->key.realm, sizeof a->key.realm) == 0;
}

static bool in_packet(const struct apply *x, const struct lease *lease)
{
    for (size_t i = 0; i < x->a->prefixes; i++)
        if (prefix_compare(&x->a->prefix[i], &lease->key.prefix) == 0)
            return true;
    return false;
}

static bool same_party(const struct lease *a, const struct lease *b)
{
    return a->party.kind == b->party.kind && strcmp(a->party.id, b->party.id) == 0;
}

// What the session holds already and this start cannot mean: its stop was lost.
static void end_earlier(struct apply *x, struct lease *open, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool again = in_packet(x, &open[i]) && same_party(&open[i], &x->lease) &&
                     x->t_ms - open[i].start_ms < SAME_START_MS;
        if (!again && x->a->prefixes > 0 && open[i].start_ms < x->t_ms)
            end_lease(x, &open[i]);
    }
}

static void put_seen(struct apply *x, const struct lease *open, size_t count)
{
    for (size_t i = 0; i < x->a->prefixes; i++) {
        struct lease lease = x->lease;
        lease.key.prefix = x->a->prefix[i];
        bool known = false;
        for (size_t o = 0; o < count && !known; o++) {
            // A start long after began something new, an interim never does.
            bool far = x->a->status == RADIUS_START && x->t_ms - open[o].start_ms >= SAME_START_MS;
            known = same_key(&open[o], &lease) && same_party(&open[o], &lease) && !far;
            if (known)
                lease.start_ms = open[o].start_ms;
        }
        if (!known && x->a->status == RADIUS_INTERIM && count == 0)
            lease.start_ms = x->t_ms - 1000 * (int64_t)x->a->session_s;
        if (lease.start_ms > lease.last_seen_ms)
            lease.start_ms = lease.last_seen_ms;
        put(x, &lease);
    }
}

static void put_stop(struct apply *x, struct lease *open, size_t count)
{
    for (size_t i = 0; i < count; i++)
        end_lease(x, &open[i]);
    if (count > 0)
        return;
    // Its start was never heard of: the session still stands in the history, for who asks later.
    for (size_t i = 0; i < x->a->prefixes; i++) {
        struct lease lease = x->lease;
        lease.key.prefix = x->a->prefix[i];
        lease.start_ms = x->t_ms - 1000 * (int64_t)x->a->session_s;
        lease.end_ms = x->t_ms;
        put(x, &lease);
    }
}

static int end_open(const struct lease *lease, void *ctx)
{
    struct apply *x = ctx;
    struct lease copy = *lease;
    end_lease(x, &copy);
    return x->rc;
}

static enum radius_refusal apply_session(struct apply *x, const struct radius_naming *naming)
{
    const struct radius_accounting *a = x->a;
    struct lease open[LEASES_SESSION_MAX];
    radius_text(a->session_id, x->lease.session_id, sizeof x->lease.session_id);
    radius_text(a->user_name, x->lease.user_name, sizeof x->lease.user_name);
    radius_mac(a->calling_station, x->lease.mac);
    x->lease.interim_ms = a->interim_s > 0 && a->interim_s <= 31536000
                              ? 1000 * (int64_t)a->interim_s
                              : naming->interim_ms;
    size_t count = leases_session(x->store->leases, x->lease.nas, x->lease.session_id, open);
    bool named = name_party(a, naming->party, &x->lease.party);
    if (!named && !(a->status == RADIUS_STOP && count > 0))
        return RADIUS_REFUSED_PARTY;
    if (a->status == RADIUS_START)
        end_earlier(x, open, count);
    if (a->status == RADIUS_STOP)
        put_stop(x, open, count);
    else
        put_seen(x, open, count);
    return RADIUS_TAKEN;
}

enum radius_refusal radius_apply(struct lease_store *store, struct radius_clocks *clocks,
                                 const struct radius_naming *naming,
                                 const struct radius_accounting *a, const struct ip_addr *source,
                                 int64_t now_ms)
{
    struct apply x = {.store = store, .a = a, .t_ms = event_time(a, now_ms)};
    x.lease = (struct lease){.source = LEASE_RADIUS, .start_ms = x.t_ms, .last_seen_ms = x.t_ms};
    x.lease.key = (struct subscriber_key){
        .kind = SUBSCRIBER_ADDRESS, .port_last = 65535, .realm = naming->realm};
    name_nas(a, source, x.lease.nas);
    snprintf(x.lease.pop, sizeof x.lease.pop, "%s", naming->pop);
    snprintf(x.lease.network_class, sizeof x.lease.network_class, "%s", naming->network_class);
    watch_clock(store, clocks, a, x.lease.nas, now_ms);
    enum radius_refusal result = RADIUS_TAKEN;
    switch (a->status) {
    case RADIUS_START:
    case RADIUS_INTERIM:
    case RADIUS_STOP: result = apply_session(&x, naming); break;
    case RADIUS_ON:
    case RADIUS_OFF:
        x.rc = leases_each_open(store->leases, x.lease.nas, x.t_ms, end_open, &x);
        break;
    default: break; // tunnels, links: nothing of an address
    }
    return x.rc < 0 ? RADIUS_REFUSED_KEPT : result;
}
