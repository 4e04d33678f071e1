// Folds the feed of changes into tickets. The feed may come from another machine, so a line that
// cannot be read is counted and passed over.
#include "command/ticket_list.h"

#include <errno.h>
#include <stdlib.h>

enum { LINE_MAX_OCTETS = 1 << 20 };

static struct ticket_entry *find(struct ticket_list *l, int64_t number)
{
    // Changes come mostly for the newest tickets.
    for (size_t i = l->count; i > 0; i--) {
        if (l->item[i - 1].ticket.number == number)
            return &l->item[i - 1];
    }
    return NULL;
}

static struct ticket_entry *append(struct ticket_list *l, size_t *room)
{
    if (l->count == *room) {
        size_t more = *room ? *room * 2 : 16;
        struct ticket_entry *item = realloc(l->item, more * sizeof *item);
        if (!item)
            return NULL;
        l->item = item;
        *room = more;
    }
    struct ticket_entry *e = &l->item[l->count++];
    *e = (struct ticket_entry){0};
    return e;
}

// Is the first to be shown in place of the second? What names the class's own mark is, before what scores higher.
static bool says_more(const struct verdict *a, const struct verdict *b)
{
    bool tells = verdict_tells_class(a), told = verdict_tells_class(b);
    return tells == told ? a->score > b->score : tells;
}

static void take(struct ticket_entry *e, const struct ticket_change *c)
{
    e->ticket = c->ticket;
    if (c->verdict.evidence_count > 0 &&
        (e->verdict.evidence_count == 0 || says_more(&c->verdict, &e->verdict)))
        e->verdict = c->verdict;
    // The sentence names the numbers of the evidence that is shown, not those of a later, weaker one.
    if (e->verdict.evidence_count > 0)
        verdict_sentence(&e->verdict, e->ticket.sentence);
}

static int by_detection(const void *a, const void *b)
{
    const struct ticket *x = &((const struct ticket_entry *)a)->ticket;
    const struct ticket *y = &((const struct ticket_entry *)b)->ticket;
    if (x->detected_ms != y->detected_ms)
        return x->detected_ms < y->detected_ms ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

int ticket_list_read(struct ticket_list *l, FILE *feed)
{
    *l = (struct ticket_list){0};
    struct ticket_change *change = malloc(sizeof *change);
    size_t room = 0;
    int rc = change ? 0 : -ENOMEM;
    while (rc == 0) {
        json_t *line;
        char error[160];
        int got = json_read_line(feed, LINE_MAX_OCTETS, &line, error);
        if (got == 0)
            break;
        if (got == -EINVAL) {
            l->broken_lines++;
            continue;
        }
        if (got < 0) {
            rc = got;
            break;
        }
        if (ticket_change_from_json(line, change, error) == 0) {
            struct ticket_entry *e = find(l, change->ticket.number);
            if (!e)
                e = append(l, &room);
            if (e)
                take(e, change);
            else
                rc = -ENOMEM;
        } else {
            l->broken_lines++;
        }
        json_decref(line);
    }
    free(change);
    if (rc == 0 && ferror(feed))
        rc = -EIO;
    if (l->count > 1)
        qsort(l->item, l->count, sizeof *l->item, by_detection);
    return rc;
}

void ticket_list_free(struct ticket_list *l)
{
    free(l->item);
    *l = (struct ticket_list){0};
}
