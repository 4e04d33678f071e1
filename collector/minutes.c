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

struct bucket {
    struct bucket *next; // the next later minute
    int64_t minute;
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
    struct covers late;     // coverage of closed minutes
    struct coverage *known; // last coverage of each process; `packets`: of the last that had any
    size_t known_count;
    unsigned ticks; // coverage records since amendments began to wait
    struct active **due;
    size_t due_count, due_cap;
    struct site *site;
    int64_t sliced_at_s; // second of the last early slices
    int64_t mark_ms;
    bool mark_set, uncommitted;
    size_t rows_put;
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
    free(m->known);
    free(m->due);
    site_free(m->site);
    free(m);
}

static struct bucket *bucket_of(struct minutes *m, int64_t minute)
{
    struct bucket **link = &m->open;
    while (*link && (*link)->minute < minute)
        link = &(*link)->next;
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

// ---- Accumulators

static struct acc *new_acc(struct minutes *m, struct active *a, int64_t minute)
{
    bool amends = minutes_closed(m, minute);
    struct bucket *b = amends ? NULL : bucket_of(m, minute);
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
    if (!acc && !(acc = new_acc(m, a, minute)))
        return NULL;
    acc->processes |= (uint64_t)1 << (process < 63 ? process : 63);
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

static void remember(struct minutes *m, int process, const struct coverage *c)
{
    size_t need = (size_t)process + 1;
    if (need > m->known_count) {
        struct coverage *more = realloc(m->known, need * sizeof *more);
        if (!more)
            return;
        memset(more + m->known_count, 0, (need - m->known_count) * sizeof *more);
        m->known = more;
        m->known_count = need;
    }
    uint64_t packets = m->known[process].packets; // has it ever seen any? A mail log has not
    m->known[process] = *c;
    if (c->packets == 0)
        m->known[process].packets = packets;
}

void minutes_coverage(struct minutes *m, int process, const struct coverage *c)
{
    int64_t minute = cover_minute(c);
    struct bucket *b = minutes_closed(m, minute) ? NULL : bucket_of(m, minute);
    struct cover *cover = covers_get(b ? &b->covers : &m->late, process, minute);
    if (cover)
        cover_add(cover, c);
    m->ticks += has_amendments(m);
    remember(m, process, c);
}

// Silent processes were expected: their minute stands in the journal as not watched.
static void add_silent(struct minutes *m, struct bucket *b)
{
    for (size_t p = 0; p < m->known_count; p++) {
        if (!m->known[p].sensor[0] || !watermark_is_silent(m->watermark, (int)p))
            continue;
        struct cover *cover = covers_get(&b->covers, (int)p, b->minute);
        if (!cover)
            continue;
        if (cover->seconds == 0) {
            struct coverage none = m->known[p];
#define X(name, element, text) none.name = 0;
            COVERAGE_COUNTERS(X)
#undef X
            none.alarms = 0;
            cover->row.sum = none;
        }
        cover->row.closed_by_timeout = true;
    }
}

static int put_covers(struct minutes *m, const struct covers *covers)
{
    for (size_t i = 0; i < covers->count; i++) {
        int rc = journal_put_coverage(m->journal, &covers->item[i].row);
        if (rc < 0)
            return rc;
    }
    return 0;
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

// Who watched the accumulator's minute: seconds, loss, and whether a sensor fell silent.
static void observe(const struct minutes *m, const struct acc *acc, const struct covers *covers,
                    struct minute_row *r)
{
    uint64_t seconds = 0;
    for (size_t i = 0; i < covers->count; i++) {
        const struct cover *c = &covers->item[i];
        if (!(acc->processes >> (c->process < 63 ? c->process : 63) & 1))
            continue;
        seconds |= c->seconds;
        if (c->row.loss_ppm > r->loss_ppm)
            r->loss_ppm = c->row.loss_ppm;
        if (watermark_is_silent(m->watermark, c->process))
            r->flags |= MINUTE_UNOBSERVED;
    }
    r->observed_s = (uint8_t)__builtin_popcountll(seconds);
}

// Which sensors the row rests on. What a mail log says of an address is no sight of its traffic.
static void name_sensors(const struct minutes *m, const struct acc *acc, struct minute_row *r)
{
    bool mailbox = acc->active->key.kind == SUBSCRIBER_MAILBOX;
    for (size_t p = 0; p < m->known_count && p < 63; p++)
        if (acc->processes >> p & 1 && (mailbox || m->known[p].packets > 0))
            minute_row_add_sensor(r, m->known[p].sensor);
    if (acc->processes >> 63)
        minute_row_add_sensor(r, MINUTE_SENSORS_ALL);
}

// A mailbox's key and party have one text.
static void set_mailbox(const struct subscriber_key *key, struct party *party)
{
    char text[SUBSCRIBER_TEXT_MAX];
    subscriber_key_format(key, text);
    party_parse(text, party);
}

static void set_party(const struct minutes *m, const struct acc *acc, struct minute_row *r)
{
    const struct lease_answer *a = &acc->active->lease;
    r->key = acc->active->key;
    r->doubts = acc->doubts;
    r->confidence = a->lease == LEASES_NONE ? a->confidence : acc->confidence;
    if (r->key.kind == SUBSCRIBER_MAILBOX) {
        set_mailbox(&r->key, &r->party);
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
    if (id.lease_start_ms >= acc->minute * 60000 && id.lease_start_ms < (acc->minute + 1) * 60000)
        r->flags |= MINUTE_LEASE_START;
}

static int put_row(struct minutes *m, struct acc *acc, const struct covers *covers, uint32_t flag,
                   int64_t cut_ms)
{
    struct minute_row r = {.minute = acc->minute, .cut_ms = cut_ms, .flags = acc->flags | flag};
    struct active *a = acc->active;
    if (covers)
        observe(m, acc, covers, &r);
    name_sensors(m, acc, &r);
    set_party(m, acc, &r);
    if (flag != MINUTE_EARLY)
        log_merge_settle(acc, m->limits);
    acc_cut(acc, &r, m->limits);
    for (unsigned s = 0; s < ACC_SWEEPS && flag != MINUTE_AMENDMENT; s++) {
        uint32_t open = a->open[s];
        r.gauge[s == ACC_SWEEP_MX ? MINUTE_concurrent_mx : MINUTE_concurrent_socks] = acc_peak(
            acc, s, &open);
        if (flag == MINUTE_CLOSING)
            a->open[s] = open;
    }
    int rc = journal_put_row(m->journal, &r);
    if (rc == -EMSGSIZE && (rc = commit(m, m->mark_ms)) == 0)
        rc = journal_put_row(m->journal, &r);
    m->stats.rows += rc == 0;
    m->stats.early += rc == 0 && flag == MINUTE_EARLY;
    m->stats.amendments += rc == 0 && flag == MINUTE_AMENDMENT;
    m->stats.unobserved += rc == 0 && (r.flags & MINUTE_UNOBSERVED);
    minute_row_fini(&r, &m->limits->budget);
    if (rc == 0 && ++m->rows_put >= COMMIT_ROWS_MAX)
        rc = commit(m, m->mark_ms);
    return rc;
}

static int give_site(const struct minute_site *s, void *ctx)
{
    struct minutes *m = ctx;
    return journal_put_site(m->journal, s);
}

// Writes the earliest bucket and takes it away.
static int close_first(struct minutes *m, int64_t cut_ms)
{
    struct bucket *b = m->open;
    uint64_t number = 0;
    if (!m->mark_set) {
        m->mark_ms = b->minute * 60000;
        m->mark_set = true;
    }
    add_silent(m, b);
    int rc = put_covers(m, &b->covers);
    for (struct acc *acc = b->first; acc; acc = acc->of_minute)
        site_add(m->site, acc, &acc->active->lease, number++);
    int given = site_close(m->site, b->minute, give_site, m);
    if (rc == 0)
        rc = given;
    for (struct acc *acc = b->first, *next; acc; acc = next) {
        next = acc->of_minute;
        int put = put_row(m, acc, &b->covers, MINUTE_CLOSING, cut_ms);
        if (rc == 0)
            rc = put;
        forget_acc(m, acc);
    }
    m->open = b->next;
    m->closed_through = b->minute;
    m->stats.minutes++;
    covers_clear(&b->covers);
    free(b);
    return rc;
}

static int cut_amendments(struct minutes *m, int64_t cut_ms)
{
    int rc = put_covers(m, &m->late);
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
    *closed = false;
    while (m->open && (m->open->minute + 1) * 60000 <= now_ms) {
        int64_t end_ms = (m->open->minute + 1) * 60000;
        int rc = close_first(m, now_ms);
        *closed = true;
        bool more = m->open && (m->open->minute + 1) * 60000 <= now_ms;
        if (rc == 0 && more)
            rc = commit(m, end_ms);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int minutes_advance(struct minutes *m)
{
    int64_t now_ms = watermark_now(m->watermark);
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
    int64_t now_ms = watermark_now(m->watermark);
    bool write = has_amendments(m) || m->open;
    int64_t mark_ms = now_ms;
    while (rc == 0 && m->open) {
        mark_ms = (m->open->minute + 1) * 60000;
        rc = close_first(m, now_ms);
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
