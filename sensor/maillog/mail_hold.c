// See mail_hold.h. Few records wait at a time, so they stand in a row, the oldest first.
#include "maillog/mail_hold.h"

#include <stdlib.h>

#include "maillog/mail_tell.h"

#define MESSAGES_WALKED 64 // of a session whose messages are not in the queue yet

struct held {
    uint64_t session;
    struct record_mail record;
};

struct mail_hold {
    unsigned count;
    struct held held[MAIL_HOLD_RECORDS];
};

struct mail_hold *mail_hold_new(void)
{
    return calloc(1, sizeof(struct mail_hold));
}

void mail_hold_free(struct mail_hold *h)
{
    free(h);
}

static void tell_at(struct mail_join *j, unsigned i, uint32_t most, int64_t t_ms)
{
    struct mail_hold *h = j->hold;
    j->record = h->held[i].record;
    h->count--;
    memmove(&h->held[i], &h->held[i + 1], (h->count - i) * sizeof h->held[0]);
    j->record.recipients = j->record.recipients < most ? j->record.recipients : most;
    j->record.t_ms = t_ms > j->record.t_ms ? t_ms : j->record.t_ms;
    mail_tell(j);
}

void mail_hold_put(struct mail_join *j, uint64_t session)
{
    struct mail_hold *h = j->hold;
    struct record_mail record = j->record;
    if (h->count == MAIL_HOLD_RECORDS)
        tell_at(j, 0, UINT32_MAX, record.t_ms);
    h->held[h->count++] = (struct held){.session = session, .record = record};
}

// Each has one recipient at least, so the others leave it so many at most.
static uint32_t share(uint32_t left, uint32_t others)
{
    return left > others ? left - others : 1;
}

void mail_hold_settle(struct mail_join *j, struct mail_entry *session, uint32_t given, int64_t t_ms)
{
    struct mail_hold *h = j->hold;
    uint32_t left = given > session->recipients ? given - session->recipients : 0, waiting = 0;
    for (unsigned i = 0; i < h->count; i++)
        waiting += h->held[i].session == session->key;
    // Messages that the queue manager has yet to speak of.
    uint32_t later = 0, walked = 0;
    struct mail_entry *e;
    for (uint64_t key = session->message; key && walked < MESSAGES_WALKED; key = e->message) {
        e = mail_table_find(j->messages, key);
        if (!e || e->session != session->key)
            break;
        later += !(e->flags & MAIL_ENTRY_TOLD);
        e->session = 0;
        walked++;
    }
    for (unsigned i = 0; i < h->count;) {
        if (h->held[i].session != session->key) {
            i++;
            continue;
        }
        uint32_t most = share(left, --waiting + later), had = h->held[i].record.recipients;
        tell_at(j, i, most, t_ms);
        had = had < most ? had : most;
        left = left > had ? left - had : 0;
    }
    for (uint64_t key = later > 0 ? session->message : 0; key && walked > 0; walked--) {
        e = mail_table_find(j->messages, key);
        if (!e)
            break;
        key = e->message;
        if (!(e->flags & MAIL_ENTRY_TOLD))
            e->recipients = share(left, later - 1);
    }
}

void mail_hold_expire(struct mail_join *j, int64_t t_ms)
{
    while (j->hold->count > 0 && j->hold->held[0].record.t_ms + MAIL_HOLD_MS <= t_ms)
        tell_at(j, 0, UINT32_MAX, t_ms);
}
