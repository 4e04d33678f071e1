// Verdicts to tickets. See feed.h.
#include "feed/feed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feed/case_code.h"
#include "feed/due.h"

#define CODE_ATTEMPTS 4

int feed_init(struct feed *f, struct ticket_store *store, const struct feed_rule *rule,
              const struct keyed_hash_key *key)
{
    *f = (struct feed){.store = store, .rule = *rule, .key = *key};
    return due_find(f);
}

int feed_set_rule(struct feed *f, const struct feed_rule *rule)
{
    f->rule = *rule;
    return due_find(f);
}

int feed_put(struct feed *f, struct ticket_change *c, enum ticket_change_kind kind, const char *by)
{
    c->kind = (uint8_t)kind;
    c->t_ms = c->ticket.changed_ms = f->now_ms;
    snprintf(c->by, sizeof c->by, "%s", by);
    int rc = ticket_store_put(f->store, c);
    if (rc != 0)
        return rc;
    due_note(f, &c->ticket);
    if (kind == TICKET_OPENED)
        f->opened++;
    else if (kind == TICKET_CHANGED)
        f->changed++;
    else
        f->ended++;
    return 0;
}

struct offences {
    int64_t since_ms;
    unsigned class_;
    uint32_t count;
};

static int count_offence(const struct ticket *t, const struct verdict *v, void *ctx)
{
    (void)v;
    struct offences *o = ctx;
    // What was told as another class is an offence of that one.
    bool real = t->close_reason != TICKET_CLOSED_FALSE && t->close_reason != TICKET_CLOSED_EXEMPT &&
                t->close_reason != TICKET_CLOSED_MERGED;
    if (t->class_ == o->class_ && real && t->detected_ms >= o->since_ms)
        o->count++;
    return 0;
}

// What a ticket takes over from its verdict each time.
static void follow(const struct feed *f, const struct verdict *v, struct ticket *t)
{
    t->key = v->key;
    memcpy(t->pop, v->pop, sizeof t->pop);
    memcpy(t->network_class, v->network_class, sizeof t->network_class);
    t->ceiling = v->ceiling;
    t->last_seen_ms = v->last_ms;
    t->score = v->score;
    if (v->first_ms < t->first_seen_ms)
        t->first_seen_ms = v->first_ms;
    if (t->sentence[0] == '\0' || verdict_tells_class(v))
        verdict_sentence(v, t->sentence);
    // What people have set (notified, released, ...) is not taken back here.
    if (t->state == TICKET_SUSPECT)
        t->state = (uint8_t)remedy_state(&f->rule.remedy, v, t->detected_ms);
    if (t->state == TICKET_SUSPECT || t->state == TICKET_CONFIRMED)
        t->actions = remedy_actions(t->class_, t->party.kind, t->state, t->ceiling);
    t->expires_ms = t->actions ? f->now_ms + f->rule.remedy.ttl_ms : 0;
}

static int open_ticket(struct feed *f, const struct verdict *v, struct ticket_change *c)
{
    struct ticket *t = &c->ticket;
    char party[PARTY_TEXT_MAX];
    struct offences offences = {.since_ms = v->made_ms - f->rule.offence_ms, .class_ = v->class_};
    struct ticket_query earlier = {
        .class_ = v->class_, .subscriber = party_format(&v->party, party), .limit = UINT32_MAX};
    int rc = ticket_store_each(f->store, &earlier, count_offence, &offences);
    if (rc != 0)
        return rc;
    t->class_ = v->class_;
    t->party = v->party;
    memcpy(t->verdict_id, v->id, sizeof t->verdict_id);
    t->first_seen_ms = v->first_ms;
    t->detected_ms = v->made_ms;
    t->offence = offences.count + 1;
    follow(f, v, t);
    rc = -EEXIST;
    for (unsigned i = 0; rc == -EEXIST && i < CODE_ATTEMPTS; i++) {
        case_code_make(&f->key, v->id, i, t->case_code);
        rc = feed_put(f, c, TICKET_OPENED, "analysis");
        if (rc == -EEXIST)
            t->number = 0;
    }
    return rc;
}

static int close_ticket(struct feed *f, const struct verdict *v, struct ticket_change *c,
                        enum ticket_close_reason reason)
{
    c->ticket.state = TICKET_CLOSED;
    c->ticket.close_reason = (uint8_t)reason;
    c->ticket.actions = 0;
    c->ticket.expires_ms = 0;
    c->ticket.last_seen_ms = v->last_ms;
    return feed_put(f, c, TICKET_ENDED, "analysis");
}

// The verdict has closed. A lock stays until its time is up (due.c): that nobody sends any more is its own work.
static int end_quiet(struct feed *f, const struct verdict *v, struct ticket_change *c)
{
    if (v->other_class != 0)
        verdict_sentence(v, c->ticket.sentence);
    if (!remedy_outlasts_quiet(&c->ticket))
        return close_ticket(f, v, c, v->other_class ? TICKET_CLOSED_MERGED : TICKET_CLOSED_QUIET);
    c->ticket.last_seen_ms = v->last_ms;
    c->verdict = *v;
    return feed_put(f, c, TICKET_CHANGED, "analysis");
}

static int take(struct feed *f, const struct verdict *v, struct ticket_change *c)
{
    int found = ticket_store_find_open(f->store, &v->party, v->class_, &c->ticket);
    if (found < 0)
        return found;
    if (v->event == VERDICT_CLOSED)
        return found ? end_quiet(f, v, c) : 0;
    c->verdict = *v;
    if (v->ceiling == VERDICT_OBSERVE) { // shown, no ticket
        f->observed++;
        return found ? close_ticket(f, v, c, TICKET_CLOSED_EXEMPT) : 0;
    }
    if (!found)
        return open_ticket(f, v, c);
    follow(f, v, &c->ticket);
    return feed_put(f, c, TICKET_CHANGED, "analysis");
}

int feed_take(struct feed *f, const struct verdict *v)
{
    int advanced = feed_advance(f, v->made_ms);
    if (advanced != 0)
        return advanced;
    struct ticket_change *c = calloc(1, sizeof *c);
    int rc = c ? take(f, v, c) : -ENOMEM;
    free(c);
    return rc;
}
