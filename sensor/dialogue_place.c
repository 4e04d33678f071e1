// A fixed number of dialogues in two lists by age, one a class.
#include "dialogue_place.h"

#include <stdlib.h>

#include "table.h"

// When places are short this part is kept for mail, and as much for the rest, so that a flood of one kind
// cannot blind us for the other.
#define SHARE 4
// Looked at in search of a silent dialogue; among that many that speak the oldest has to go.
#define REPRIEVES 64

struct dialogues *dialogues_new(size_t count, const struct stream_limits *limits)
{
    struct dialogues *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->count = count;
    d->dialogue = table_new(count + 1, sizeof *d->dialogue);
    d->blocks = stream_pool_new(limits);
    d->trackers = proto_pool_new(count);
    if (!d->dialogue || !d->blocks || !d->trackers) {
        dialogues_free(d);
        return NULL;
    }
    d->fresh = 1;
    return d;
}

void dialogues_free(struct dialogues *d)
{
    if (!d)
        return;
    stream_pool_free(d->blocks);
    proto_pool_free(d->trackers);
    table_free(d->dialogue);
    free(d);
}

size_t dialogues_in_use(const struct dialogues *d)
{
    return d->in_use;
}

struct proto_pool *dialogues_proto_pool(struct dialogues *d)
{
    return d->trackers;
}

const struct stream_pool *dialogues_stream_pool(const struct dialogues *d)
{
    return d->blocks;
}

struct dialogue *dialogue_of(struct dialogues *d, const struct flow *f)
{
    return f->dialogue ? &d->dialogue[f->dialogue] : NULL;
}

// ---- By age.

void dialogue_list_out(struct dialogues *all, struct dialogue *d)
{
    struct dialogue *older = d->older ? &all->dialogue[d->older] : NULL;
    struct dialogue *newer = d->newer ? &all->dialogue[d->newer] : NULL;
    *(older ? &older->newer : &all->list[d->mail].oldest) = d->newer;
    *(newer ? &newer->older : &all->list[d->mail].newest) = d->older;
    all->list[d->mail].count--;
}

void dialogue_list_in(struct dialogues *all, struct dialogue *d, bool mail)
{
    uint32_t i = (uint32_t)(d - all->dialogue);
    d->mail = mail;
    stream_hush(&d->stream);
    d->newer = 0;
    d->older = all->list[mail].newest;
    *(d->older ? &all->dialogue[d->older].newer : &all->list[mail].oldest) = i;
    all->list[mail].newest = i;
    all->list[mail].count++;
}

// ---- Places.

// The longest silent of a class. One that went on since it was looked at last is spared once.
static struct dialogue *silent(struct dialogues *all, bool mail)
{
    for (unsigned i = 0; i < REPRIEVES; i++) {
        struct dialogue *d = &all->dialogue[all->list[mail].oldest];
        if (!stream_spoke(&d->stream))
            return d;
        dialogue_list_out(all, d);
        dialogue_list_in(all, d, mail);
    }
    return &all->dialogue[all->list[mail].oldest];
}

// Ends the following of one dialogue, of the class that has more than its share. What was gathered is
// told; the flow itself goes on. False: there is none to end.
static bool make_room(struct flow_table *t, bool mail, int64_t t_us)
{
    struct dialogues *all = t->dialogues;
    size_t kept = all->count / SHARE;
    bool of_mail = mail ? all->list[0].count <= kept : all->list[1].count > all->count - kept;
    if (all->list[of_mail].count == 0)
        return false;
    struct flow *f = &t->flow[silent(all, of_mail)->flow];
    t->stats->dialogues_evicted++;
    f->incomplete |= RECORD_NO_MEMORY;
    dialogue_close(t, f, PROTO_END_EVICTED, t_us);
    const struct dialogue *d = dialogue_of(all, f);
    if ((d->proto.out && d->proto.out->fresh) || d->missing[0] || d->missing[1])
        t->report(t->report_ctx, t, f, 0, t_us);
    dialogue_free(t, f);
    f->flags |= FLOW_NO_DIALOGUE;
    return true;
}

static bool is_full(const struct dialogues *all, bool mail)
{
    return all->in_use == all->count ||
           (!mail && all->list[0].count >= all->count - all->count / SHARE);
}

// Facts of the flow that the tracker is told before the first octet.
void dialogue_introduce(struct flow_table *t, const struct flow *f, struct dialogue *d)
{
    d->proto = (struct proto_flow){.context = &t->config.proto,
                                   .addr = {flow_addr(f, 0), flow_addr(f, 1)},
                                   .port = {flow_port(f, 0), flow_port(f, 1)},
                                   .ip_proto = flow_proto(f),
                                   .side = f->side,
                                   .peer_is_smarthost = f->flags & FLOW_SMARTHOST,
                                   .midstream = f->handshake == RECORD_HANDSHAKE_MIDSTREAM};
}

struct dialogue *dialogue_open_place(struct flow_table *t, struct flow *f, int64_t t_us)
{
    struct dialogues *all = t->dialogues;
    bool mail = f->flags & FLOW_MAIL;
    f->flags |= FLOW_NO_DIALOGUE;
    // Of the other profiles proto.c knows what may be looked at with whom.
    if (t->config.proto.profile == COVERAGE_FLOW_ONLY) {
        f->incomplete |= RECORD_FLOW_ONLY;
        return NULL;
    }
    if (is_full(all, mail) && !make_room(t, mail, t_us)) {
        t->stats->dialogues_refused++;
        f->incomplete |= RECORD_NO_MEMORY;
        return NULL;
    }
    f->flags &= (uint16_t)~FLOW_NO_DIALOGUE;
    f->dialogue = all->free ? all->free : (uint32_t)all->fresh++;
    struct dialogue *d = &all->dialogue[f->dialogue];
    if (f->dialogue == all->free)
        all->free = d->next_free;
    all->in_use++;
    t->stats->dialogues++;
    memset(d, 0, sizeof *d);
    d->in_use = true;
    d->flow = flow_index(t, f);
    dialogue_list_in(all, d, mail);
    dialogue_introduce(t, f, d);
    return d;
}

void dialogue_free(struct flow_table *t, struct flow *f)
{
    struct dialogues *all = t->dialogues;
    struct dialogue *d = dialogue_of(all, f);
    if (!d)
        return;
    stream_drop(&d->stream, all->blocks);
    proto_drop(&d->proto, all->trackers);
    dialogue_list_out(all, d);
    d->in_use = false;
    d->next_free = all->free;
    all->free = f->dialogue;
    all->in_use--;
    f->dialogue = 0;
}
