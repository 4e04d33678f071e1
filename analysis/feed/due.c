// Timers of tickets. See due.h.
#include "feed/due.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE 256 // a look through the tickets finds so many at most, the earliest

struct due {
    int64_t t_ms, number;
};

struct due_list {
    const struct feed *feed;
    int64_t until_ms;
    size_t count;
    struct due item[AT_ONCE];
};

static int64_t due_ms(const struct feed *f, const struct ticket *t)
{
    int64_t confirm_ms = remedy_confirm_ms(&f->rule.remedy, t);
    return t->expires_ms != 0 && t->expires_ms < confirm_ms ? t->expires_ms : confirm_ms;
}

void due_note(struct feed *f, const struct ticket *t)
{
    int64_t t_ms = due_ms(f, t);
    if (t->state != TICKET_CLOSED && t_ms < f->next_due_ms)
        f->next_due_ms = t_ms;
}

static int note_one(const struct ticket *t, const struct verdict *v, void *ctx)
{
    (void)v;
    due_note(ctx, t);
    return 0;
}

static const struct ticket_query open_tickets = {
    .open_only = true, .class_ = -1, .limit = UINT32_MAX};

int due_find(struct feed *f)
{
    f->next_due_ms = INT64_MAX;
    return ticket_store_each(f->store, &open_tickets, note_one, f);
}

// ---- What is due.

static bool is_before(const struct due *a, const struct due *b)
{
    return a->t_ms != b->t_ms ? a->t_ms < b->t_ms : a->number < b->number;
}

// Keeps the list in order, and of too many the earliest.
static int collect(const struct ticket *t, const struct verdict *v, void *ctx)
{
    (void)v;
    struct due_list *l = ctx;
    struct due due = {due_ms(l->feed, t), t->number};
    if (due.t_ms > l->until_ms || (l->count == AT_ONCE && !is_before(&due, &l->item[AT_ONCE - 1])))
        return 0;
    size_t at = l->count < AT_ONCE ? l->count++ : AT_ONCE - 1;
    for (; at > 0 && is_before(&due, &l->item[at - 1]); at--)
        l->item[at] = l->item[at - 1];
    l->item[at] = due;
    return 0;
}

struct one {
    struct ticket ticket;
    bool found, is_quiet; // its verdict has closed
};

static int keep(const struct ticket *t, const struct verdict *v, void *ctx)
{
    struct one *one = ctx;
    *one = (struct one){.ticket = *t, .found = true, .is_quiet = v && v->event == VERDICT_CLOSED};
    return 0;
}

static int confirm(struct feed *f, struct ticket_change *c)
{
    struct ticket *t = &c->ticket;
    t->state = TICKET_CONFIRMED;
    t->actions = remedy_actions(t->class_, t->party.kind, t->state, t->ceiling);
    t->expires_ms = t->actions ? f->now_ms + f->rule.remedy.ttl_ms : 0;
    f->confirmed++;
    return feed_put(f, c, TICKET_CHANGED, "timer");
}

// With the actions a ticket ends that stayed open for their sake alone.
static int expire(struct feed *f, struct ticket_change *c, bool is_quiet)
{
    c->ticket.actions = 0;
    c->ticket.expires_ms = 0;
    f->expired++;
    if (!is_quiet)
        return feed_put(f, c, TICKET_CHANGED, "timer");
    c->ticket.state = TICKET_CLOSED;
    c->ticket.close_reason = TICKET_CLOSED_QUIET;
    return feed_put(f, c, TICKET_ENDED, "timer");
}

static int happen(struct feed *f, const struct due *due)
{
    struct ticket_query query = {.number = due->number, .class_ = -1, .limit = 1};
    struct ticket_change *c = calloc(1, sizeof *c);
    struct one one = {.found = false};
    int rc = c ? ticket_store_each(f->store, &query, keep, &one) : -ENOMEM;
    if (rc == 0 && one.found) {
        if (due->t_ms > f->now_ms)
            f->now_ms = due->t_ms;
        c->ticket = one.ticket;
        rc = remedy_confirm_ms(&f->rule.remedy, &c->ticket) <= f->now_ms
                 ? confirm(f, c)
                 : expire(f, c, one.is_quiet);
    }
    free(c);
    return rc;
}

static int happen_all(struct feed *f, int64_t until_ms)
{
    struct due_list *l = calloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    l->feed = f;
    l->until_ms = until_ms;
    int rc = ticket_store_each(f->store, &open_tickets, collect, l);
    f->next_due_ms = INT64_MAX;
    // What one of them makes due before the next has its turn first, with another look.
    for (size_t i = 0; rc == 0 && i < l->count && l->item[i].t_ms <= f->next_due_ms; i++)
        rc = happen(f, &l->item[i]);
    free(l);
    return rc == 0 ? due_find(f) : rc;
}

int feed_advance(struct feed *f, int64_t now_ms)
{
    while (now_ms >= f->next_due_ms) {
        int rc = happen_all(f, now_ms);
        if (rc != 0)
            return rc;
    }
    if (now_ms > f->now_ms)
        f->now_ms = now_ms;
    return 0;
}
