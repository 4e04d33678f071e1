// Storage of the flow table: a chained hash over a fixed array, three lists by age, eviction.
//
// Chains are short (one to two heads a flow) and a flow's key stands in the first of its cache
// lines, so a look-up costs two memory accesses. The hash is keyed: live, nobody outside can aim
// at one chain.
#include "flow.h"

#include <assert.h>
#include <stdlib.h>

#include "flow_key.h"
#include "path.h"
#include "table.h"

struct flow_table *flow_table_new(const struct flow_config *config, struct stats *stats,
                                  flow_report_fn report, void *ctx)
{
    struct flow_table *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    size_t heads = 1;
    while (heads < config->flows)
        heads *= 2;
    t->config = *config;
    // Words that nobody outside knows, out of the seed (the finaliser of splitmix64).
    for (unsigned i = 0; i < FLOW_HASH_WORDS; i++) {
        uint64_t z = config->hash_seed + (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        t->hash_key[i] = z ^ z >> 31;
    }
    t->mask = heads - 1;
    t->flow = table_new(config->flows, sizeof *t->flow, TABLE_FROM_THE_FRONT);
    t->mac = table_new(config->flows, sizeof *t->mac, TABLE_FROM_THE_FRONT);
    t->head = table_new(heads, sizeof *t->head, TABLE_SCATTERED);
    t->wheel = wheel_new(config->flows);
    t->realms = intern_new(config->realms);
    t->paths = intern_new(config->realms);
    t->mirror = mirror_new(config->mirror_entries, config->duplicate_us);
    t->dialogues = dialogues_new(config->dialogues, &config->stream);
    t->carriers = carriers_new(config->flows);
    if (!t->flow || !t->mac || !t->head || !t->wheel || !t->realms || !t->paths || !t->mirror ||
        !t->dialogues || !t->carriers) {
        flow_table_free(t);
        return NULL;
    }
    memset(t->head, 0xff, heads * sizeof *t->head);
    wheel_fetches(t->wheel, t->flow, sizeof *t->flow);
    t->free = FLOW_NONE;
    for (size_t i = 0; i < FLOW_LISTS; i++)
        t->list[i].oldest = t->list[i].newest = FLOW_NONE;
    t->minute_first = FLOW_NONE;
    t->stats = stats;
    t->report = report;
    t->report_ctx = ctx;
    return t;
}

void flow_table_free(struct flow_table *t)
{
    if (!t)
        return;
    carriers_free(t->carriers);
    dialogues_free(t->dialogues);
    mirror_free(t->mirror);
    intern_free(t->paths);
    intern_free(t->realms);
    wheel_free(t->wheel);
    table_free(t->head);
    table_free(t->mac);
    table_free(t->flow);
    free(t);
}

static bool is_subscriber(const struct flow_table *t, const struct packet *p, unsigned end)
{
    struct ip_addr a = p->family == IP_V4 ? ip_from_v4(p->addr[end] + 12)
                                          : ip_from_v6(p->addr[end]);
    return prefix_set_find(t->config.subscribers, &a, NULL);
}

uint32_t flow_realm(struct flow_table *t, const struct packet *p)
{
    struct intern_value value;
    unsigned ends = 0;
    if (t->config.realm_layers == 0)
        return 0;
    if (p->has & PACKET_HAS_OUTER)
        ends = (is_subscriber(t, p, 0) ? 1u : 0) | (is_subscriber(t, p, 1) ? 2u : 0);
    if (!path_realm(p, t->config.realm_layers, ends, &value))
        return 0;
    uint32_t realm = intern_get(t->realms, &value);
    t->stats->realms_refused += realm == 0;
    return realm;
}

void flow_addr_into(const struct flow *f, unsigned dir, struct ip_addr *out)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    const uint8_t *a = f->key.addr[flow_end(f, dir)];
    if (memcmp(a, mapped, sizeof mapped) == 0) {
        out->family = IP_V4;
        memcpy(out->octet, a + 12, 4);
        memset(out->octet + 4, 0, 12);
    } else {
        out->family = IP_V6;
        memcpy(out->octet, a, 16);
    }
}

struct ip_addr flow_addr(const struct flow *f, unsigned dir)
{
    struct ip_addr a;
    flow_addr_into(f, dir, &a);
    return a;
}

// ---- Lists by age.

static unsigned list_of(uint8_t state)
{
    switch (state) {
    case FLOW_SYN_SENT: return FLOW_LIST_OPENING;
    case FLOW_DONE: return FLOW_LIST_DONE;
    default: return FLOW_LIST_LIVE;
    }
}

static void list_out(struct flow_table *t, struct flow *f)
{
    unsigned l = list_of(f->state);
    if (t->minute_first == flow_index(t, f))
        t->minute_first = f->newer;
    if (f->older != FLOW_NONE)
        t->flow[f->older].newer = f->newer;
    else
        t->list[l].oldest = f->newer;
    if (f->newer != FLOW_NONE)
        t->flow[f->newer].older = f->older;
    else
        t->list[l].newest = f->older;
    t->list[l].count--;
}

static void list_in(struct flow_table *t, struct flow *f)
{
    unsigned l = list_of(f->state);
    uint32_t i = flow_index(t, f);
    f->older = t->list[l].newest;
    f->newer = FLOW_NONE;
    if (f->older != FLOW_NONE)
        t->flow[f->older].newer = i;
    else
        t->list[l].oldest = i;
    t->list[l].newest = i;
    t->list[l].count++;
    if (l == FLOW_LIST_LIVE && t->minute_first == FLOW_NONE)
        t->minute_first = i;
}

void flow_change(struct flow_table *t, struct flow *f, int64_t t_us)
{
    f->flags |= FLOW_CHANGED;
    if (f->packets[0] == 0 && f->packets[1] == 0)
        f->first_ms = (uint32_t)(t_us / 1000 - f->start_us / 1000);
    if (list_of(f->state) == FLOW_LIST_LIVE) {
        list_out(t, f);
        list_in(t, f);
    }
}

void flow_set_state(struct flow_table *t, struct flow *f, uint8_t state, int64_t t_us)
{
    bool moves = list_of(f->state) != list_of(state);
    if (moves)
        list_out(t, f);
    f->state = state;
    if (moves)
        list_in(t, f);
    f->last_us = t_us;
    if (state != FLOW_DONE) {
        flow_arm(t, f);
        return;
    }
    wheel_cancel(t->wheel, flow_index(t, f));
    if (t_us + t->config.done_us < t->quiet_us)
        t->quiet_us = t_us + t->config.done_us;
}

// ---- Places.

// Ended flows go first, then attempts when they fill an eighth of the table (a scan must not push
// out connections), then what was silent longest.
static void evict(struct flow_table *t)
{
    unsigned l = FLOW_LIST_LIVE;
    if (t->list[FLOW_LIST_DONE].count > 0)
        l = FLOW_LIST_DONE;
    else if (t->list[FLOW_LIST_OPENING].count > t->config.flows / 8 ||
             t->list[FLOW_LIST_LIVE].count == 0)
        l = FLOW_LIST_OPENING;
    struct flow *f = &t->flow[t->list[l].oldest];
    if (l != FLOW_LIST_DONE) {
        t->stats->evicted_flows++;
        f->incomplete |= RECORD_EVICTED;
        flow_end_now(t, f, PROTO_END_EVICTED, f->last_us);
    }
    flow_free(t, f);
}

struct flow *flow_new(struct flow_table *t, const struct flow_key *key, uint64_t hash,
                      uint8_t state, int64_t t_us)
{
    // Places never used come last in turn: memory is touched only as it is needed.
    if (t->free == FLOW_NONE && t->fresh == t->config.flows)
        evict(t);
    uint32_t i = t->free != FLOW_NONE ? t->free : (uint32_t)t->fresh++;
    struct flow *f = &t->flow[i];
    if (i == t->free)
        t->free = f->hash_next;
    t->in_use++;
    memset(f, 0, sizeof *f);
    f->key = *key;
    f->hash_next = t->head[hash & t->mask];
    t->head[hash & t->mask] = i;
    f->state = state;
    f->batch = t->batch;
    f->start_us = f->last_us = t_us;
    f->ttl_min = 255;
    f->wscale = 0xff;
    intern_hold(t->realms, key->realm_and_proto >> 8);
    list_in(t, f);
    return f;
}

void flow_free(struct flow_table *t, struct flow *f)
{
    uint32_t i = flow_index(t, f);
    assert(f->state == FLOW_DONE && f->dialogue == 0 && wheel_deadline(t->wheel, i) < 0);
    list_out(t, f);
    uint32_t *link = &t->head[flow_hash(t, &f->key) & t->mask];
    while (*link != i)
        link = &t->flow[*link].hash_next;
    *link = f->hash_next;
    intern_drop(t->realms, f->key.realm_and_proto >> 8);
    intern_drop(t->paths, f->path);
    f->state = FLOW_FREE;
    f->hash_next = t->free;
    t->free = i;
    t->in_use--;
}
