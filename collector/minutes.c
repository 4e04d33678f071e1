// Buckets of open minutes in order, a list of amendments, and a list of subscribers with a slice due.
#include "minutes.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "log_merge.h"
#include "minute_cover.h"

// Amendments wait for the next minute's close, but not for more than this.
#define AMENDMENTS_MAX    1024
#define AMENDMENT_SECONDS 60
// So many rows are committed in one block at most.
#define COMMIT_ROWS_MAX 100000
#define FINISH_AHEAD_MS INT64_C(3600000)

struct bucket {
    struct bucket *next; // the next later minute
    int64_t minute;
    bool begun;      // closed, but for the rows of who is `behind`
    uint64_t behind; // processes
    struct acc *first, **last;
    struct covers covers;
};

struct minutes {
    struct minutes_options options;
    struct journal_writer *journal;
    const struct leases *leases;
    struct watermark *watermark;
    struct acc_limits *limits;
    struct bucket *open; // earliest first
    int64_t closed_through;
    struct acc *amend, **amend_last;
    size_t amend_count;
    struct covers late; // coverage of closed minutes
    struct covers_known known;
    unsigned ticks; // coverage records since amendments began to wait
    struct active **due;
    size_t due_count, due_cap;
    struct site *site;
    int64_t sliced_at_s; // second of the last early slices
    int64_t mark_ms;
    bool mark_set, uncommitted;
    size_t rows_put;
    struct minute_row row; // being written; all zero between
    struct minutes_stats stats;
};

struct minutes *minutes_new(const struct minutes_options *options, struct journal_writer *journal,
                            const struct leases *leases, struct watermark *watermark,
                            struct acc_limits *limits)
{
    struct minutes *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->options = *options;
    m->journal = journal;
    m->leases = leases;
    m->watermark = watermark;
    m->limits = limits;
    m->closed_through = INT64_MIN;
    m->sliced_at_s = INT64_MIN;
    m->amend_last = &m->amend;
    m->site = site_new(leases);
    if (m->site)
        return m;
    free(m);
    return NULL;
}

void minutes_free(struct minutes *m)
{
    if (!m)
        return;
    while (m->open) {
        struct bucket *next = m->open->next;
        covers_clear(&m->open->covers);
        free(m->open);
        m->open = next;
    }
    covers_clear(&m->late);
    free(m->known.item);
    free(m->due);
    site_free(m->site);
    free(m);
}

static struct bucket **place_of(struct minutes *m, int64_t minute)
{
    struct bucket **link = &m->open;
    while (*link && (*link)->minute < minute)
        link = &(*link)->next;
    return link;
}

static struct bucket *find_bucket(struct minutes *m, int64_t minute)
{
    struct bucket *b = *place_of(m, minute);
    return b && b->minute == minute ? b : NULL;
}

static struct bucket *bucket_of(struct minutes *m, int64_t minute)
{
    struct bucket **link = place_of(m, minute);
    if (*link && (*link)->minute == minute)
        return *link;
    struct bucket *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->minute = minute;
    b->last = &b->first;
    b->next = *link;
    *link = b;
    return b;
}

bool minutes_closed(const struct minutes *m, int64_t minute)
{
    return minute <= m->closed_through;
}

static int64_t end_of(int64_t minute)
{
    return (minute + 1) * 60000;
}

// The closed minute's bucket in which a subscriber's row is still awaited, for a process that tells of it is behind.
static struct bucket *held_bucket(struct minutes *m, const struct active *a, int64_t minute)
{
    if (minute <= (int64_t)a->closed_minute ||
        !(a->processes & watermark_behind(m->watermark, end_of(minute))))
        return NULL;
    return find_bucket(m, minute);
}

// ---- Accumulators

static struct acc *new_acc(struct minutes *m, struct active *a, int64_t minute)
{
    struct bucket *b = minutes_closed(m, minute) ? held_bucket(m, a, minute) : NULL;
    bool amends = minutes_closed(m, minute) && !b;
    if (!amends && !b)
        b = bucket_of(m, minute);
    struct acc *acc = amends || b ? acc_new(m->limits) : NULL;
    if (!acc)
        return NULL;
    acc->active = a;
    acc->minute = minute;
    acc->amends = amends;
    if (amends) {
        *m->amend_last = acc;
        m->amend_last = &acc->of_minute;
        m->amend_count++;
    } else {
        *b->last = acc;
        b->last = &acc->of_minute;
    }
    struct acc **link = &a->acc;
    while (*link && (*link)->minute < minute)
        link = &(*link)->of_key;
    acc->of_key = *link;
    *link = acc;
    return acc;
}

struct acc *minutes_acc(struct minutes *m, struct active *a, int64_t minute, int process)
{
    struct acc *acc = a->acc;
    while (acc && acc->minute != minute)
        acc = acc->of_key;
    a->processes |= watermark_bit(process);
    if (!acc && !(acc = new_acc(m, a, minute)))
        return NULL;
    acc->processes |= watermark_bit(process);
    return acc;
}

static void forget_acc(struct minutes *m, struct acc *acc)
{
    struct acc **link = &acc->active->acc;
    while (*link != acc)
        link = &(*link)->of_key;
    *link = acc->of_key;
    acc_free(acc, m->limits);
}

static bool is_due(const struct minutes *m, const struct acc *acc)
{
    return acc->early_socks || acc->early_outcomes >= m->options.early_outcomes ||
           acc->early_connections >= m->options.early_connections;
}

void minutes_weigh(struct minutes *m, struct acc *acc, int64_t t_ms)
{
    struct active *a = acc->active;
    if (acc->amends || a->due_ms != INT64_MAX || !is_due(m, acc))
        return;
    if (m->due_count == m->due_cap) {
        size_t cap = m->due_cap ? 2 * m->due_cap : 64;
        struct active **more = realloc(m->due, cap * sizeof *more);
        if (!more)
            return; // the minute's close will tell
        m->due = more;
        m->due_cap = cap;
    }
    a->due_ms = t_ms;
    m->due[m->due_count++] = a;
}

// ---- Coverage

static bool has_amendments(const struct minutes *m)
{
    return m->amend_count > 0 || m->late.count > 0;
}

void minutes_coverage(struct minutes *m, int process, const struct coverage *c)
{
    int64_t minute = cover_minute(c);
    struct bucket *b = minutes_closed(m, minute) ? find_bucket(m, minute) : bucket_of(m, minute);
    const struct cover *told = b ? covers_find(&b->covers, process, minute) : NULL;
    struct cover *cover = covers_get(b && !(told && told->put) ? &b->covers : &m->late, process,
                                     minute);
    if (cover)
        cover_add(cover, c);
    m->ticks += has_amendments(m);
    covers_remember(&m->known, process, c);
}

// ---- Rows

static int commit(struct minutes *m, int64_t mark_ms)
{
    if (m->mark_set && mark_ms < m->mark_ms)
        mark_ms = m->mark_ms;
    m->mark_ms = mark_ms;
    m->mark_set = true;
    m->uncommitted = true;
    int rc = journal_commit(m->journal, mark_ms);
    if (rc < 0)
        return rc;
    m->uncommitted = false;
    m->rows_put = 0;
    m->stats.commits++;
    return 0;
}

static void set_party(const struct minutes *m, const struct acc *acc, struct minute_row *r)
{
    const struct lease_answer *a = &acc->active->lease;
    r->key = acc->active->key;
    r->doubts = acc->doubts;
    r->confidence = a->lease == LEASES_NONE ? a->confidence : acc->confidence;
    if (r->key.kind == SUBSCRIBER_MAILBOX) {
        char text[SUBSCRIBER_TEXT_MAX]; // key and party have one
        subscriber_key_format(&r->key, text);
        party_parse(text, &r->party);
        return;
    }
    if (a->lease == LEASES_NONE) {
        r->party.kind = PARTY_PROVISIONAL; // its text is the key's: written once, in the key
        return;
    }
    struct identity id = leases_identity(m->leases, a, &acc->active->key);
    r->party = id.party;
    memcpy(r->network_class, id.network_class, sizeof r->network_class);
    memcpy(r->pop, id.pop, sizeof r->pop);
    r->lease_unseen = leases_unseen_min(m->leases, a, r->cut_ms);
    if (id.lease_start_ms >= acc->minute * 60000 && id.lease_start_ms < (acc->minute + 1) * 60000)
        r->flags |= MINUTE_LEASE_START;
}

static int put_row(struct minutes *m, struct acc *acc, const struct covers *covers, uint32_t flag,
                   int64_t cut_ms)
{
    struct minute_row *r = &m->row;
    struct active *a = acc->active;
    r->minute = acc->minute;
    r->cut_ms = cut_ms;
    r->flags = acc->flags | flag;
    if (covers)
        covers_observe(covers, m->watermark, acc->processes, r);
    covers_name_sensors(&m->known, acc->processes, acc->active->key.kind == SUBSCRIBER_MAILBOX, r);
    set_party(m, acc, r);
    if (flag != MINUTE_EARLY)
        log_merge_settle(acc, m->limits);
    acc_cut(acc, r, m->limits);
    for (unsigned s = 0; s < ACC_SWEEPS && flag != MINUTE_AMENDMENT; s++) {
        uint32_t open = a->open[s];
        r->gauge[s == ACC_SWEEP_MX ? MINUTE_concurrent_mx : MINUTE_concurrent_socks] = acc_peak(
            acc, s, &open);
        if (flag == MINUTE_CLOSING)
            a->open[s] = open;
    }
    int rc = journal_put_row(m->journal, r);
    if (rc == -EMSGSIZE && (rc = commit(m, m->mark_ms)) == 0)
        rc = journal_put_row(m->journal, r);
    if (flag == MINUTE_CLOSING && acc->minute > (int64_t)a->closed_minute)
        a->closed_minute = (uint32_t)acc->minute;
    m->stats.rows += rc == 0;
    m->stats.early += rc == 0 && flag == MINUTE_EARLY;
    m->stats.amendments += rc == 0 && flag == MINUTE_AMENDMENT;
    m->stats.unobserved += rc == 0 && (r->flags & MINUTE_UNOBSERVED);
    acc_cut_clear(r, m->limits);
    if (rc == 0 && ++m->rows_put >= COMMIT_ROWS_MAX)
        rc = commit(m, m->mark_ms);
    return rc;
}

static int give_site(const struct minute_site *s, void *ctx)
{
    struct minutes *m = ctx;
    return journal_put_site(m->journal, s);
}

// A stamp far ahead, of whoever is gone when all is closed, must not take the journal's time there.
static bool is_far(const struct minutes *m, int64_t minute)
{
    int64_t now_ms = watermark_front(m->watermark);
    return now_ms != WATERMARK_NONE && end_of(minute) - now_ms > FINISH_AHEAD_MS;
}

// The minute is closed for the site: who is behind adds rows to it, and nothing to the site's.
static int begin_closing(struct minutes *m, struct bucket *b)
{
    uint64_t number = 0;
    if (!m->mark_set) {
        m->mark_ms = b->minute * 60000;
        m->mark_set = true;
    }
    for (struct acc *acc = b->first; acc; acc = acc->of_minute)
        site_add(m->site, acc, &acc->active->lease, number++);
    b->begun = true;
    if (b->minute > m->closed_through && !is_far(m, b->minute))
        m->closed_through = b->minute;
    m->stats.minutes++;
    return site_close(m->site, b->minute, give_site, m);
}

// Writes the rows of a bucket, but for those of whom somebody `behind` tells.
static int close_rows(struct minutes *m, struct bucket *b, uint64_t behind, int64_t cut_ms)
{
    struct acc *acc = b->first;
    int rc = 0;
    b->first = NULL;
    b->last = &b->first;
    for (struct acc *next; acc; acc = next) {
        next = acc->of_minute;
        actives_fetch_row(acc);
        if (acc->active->processes & behind) {
            acc->of_minute = NULL;
            *b->last = acc;
            b->last = &acc->of_minute;
            continue;
        }
        int put = put_row(m, acc, &b->covers, MINUTE_CLOSING, cut_ms);
        if (rc == 0)
            rc = put;
        forget_acc(m, acc);
    }
    return rc;
}

// Writes what of the bucket is complete; takes it away when all of it is.
static int close_bucket(struct minutes *m, struct bucket **link, uint64_t behind, int64_t cut_ms)
{
    struct bucket *b = *link;
    covers_add_silent(&b->covers, b->minute, &m->known, m->watermark);
    int rc = covers_put(&b->covers, m->journal, behind);
    int given = b->begun ? 0 : begin_closing(m, b);
    int put = close_rows(m, b, behind, cut_ms);
    b->behind = behind;
    if (behind == 0) {
        *link = b->next;
        covers_clear(&b->covers);
        free(b);
    }
    return rc < 0 ? rc : given < 0 ? given : put;
}

static int cut_amendments(struct minutes *m, int64_t cut_ms)
{
    int rc = covers_put(&m->late, m->journal, 0);
    covers_clear(&m->late);
    for (struct acc *acc = m->amend, *next; acc; acc = next) {
        next = acc->of_minute;
        int put = put_row(m, acc, NULL, MINUTE_AMENDMENT, cut_ms);
        if (rc == 0)
            rc = put;
        forget_acc(m, acc);
    }
    m->amend = NULL;
    m->amend_last = &m->amend;
    m->amend_count = 0;
    m->ticks = 0;
    return rc;
}

// Slices of open minutes whose time has come. 1: something was cut; 0: nothing.
static int cut_slices(struct minutes *m, int64_t now_ms)
{
    size_t kept = 0;
    int rc = 0, cut = 0;
    for (size_t i = 0; i < m->due_count; i++) {
        struct active *a = m->due[i];
        if (a->due_ms > now_ms) {
            m->due[kept++] = a;
            continue;
        }
        a->due_ms = INT64_MAX;
        for (struct acc *acc = a->acc; acc; acc = acc->of_key) {
            if (acc->amends || !acc->dirty || !is_due(m, acc))
                continue;
            struct bucket *b = bucket_of(m, acc->minute);
            int put = put_row(m, acc, b ? &b->covers : NULL, MINUTE_EARLY, now_ms);
            if (rc == 0)
                rc = put;
            cut = 1;
        }
    }
    m->due_count = kept;
    return rc < 0 ? rc : cut;
}

// ---- Moving on

static int close_up_to(struct minutes *m, int64_t now_ms, bool *closed)
{
    struct bucket **link = &m->open;
    *closed = false;
    while (*link && end_of((*link)->minute) <= now_ms) {
        struct bucket *b = *link;
        int64_t end_ms = end_of(b->minute);
        uint64_t behind = watermark_behind(m->watermark, end_ms);
        bool again = b->begun && behind == b->behind; // nobody came further
        int rc = again ? 0 : close_bucket(m, link, behind, now_ms);
        *closed = *closed || !again;
        if (behind != 0)
            link = &b->next;
        if (rc == 0 && !again && *link && end_of((*link)->minute) <= now_ms)
            rc = commit(m, end_ms);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int minutes_advance(struct minutes *m)
{
    int64_t now_ms = watermark_front(m->watermark);
    if (m->uncommitted) {
        int rc = commit(m, m->mark_ms);
        if (rc < 0)
            return rc;
    }
    if (now_ms == WATERMARK_NONE)
        return 0;
    bool write;
    int rc = close_up_to(m, now_ms, &write);
    int64_t second = now_ms / 1000;
    if (rc == 0 && second > m->sliced_at_s) {
        m->sliced_at_s = second;
        rc = cut_slices(m, now_ms);
        write = write || rc > 0;
    }
    bool overdue = m->amend_count >= AMENDMENTS_MAX || m->ticks >= AMENDMENT_SECONDS;
    if (rc >= 0 && has_amendments(m) && (write || overdue)) {
        rc = cut_amendments(m, now_ms);
        write = true;
    }
    if (rc >= 0 && write)
        rc = commit(m, now_ms);
    return rc < 0 ? rc : 0;
}

int minutes_finish(struct minutes *m)
{
    int rc = minutes_advance(m);
    int64_t now_ms = watermark_front(m->watermark);
    bool write = has_amendments(m) || m->open;
    int64_t mark_ms = now_ms;
    while (rc == 0 && m->open) {
        if (!is_far(m, m->open->minute))
            mark_ms = end_of(m->open->minute);
        rc = close_bucket(m, &m->open, 0, now_ms);
    }
    if (rc == 0 && has_amendments(m))
        rc = cut_amendments(m, now_ms);
    if (rc == 0 && write && now_ms != WATERMARK_NONE)
        rc = commit(m, mark_ms);
    return rc;
}

const struct minutes_stats *minutes_stats(const struct minutes *m)
{
    return &m->stats;
}
