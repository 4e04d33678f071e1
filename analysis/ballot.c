// Votes, shares and the jump. See ballot.h.
#include "ballot.h"

#include "window.h"

#define MINUTE_MS         60000
#define HOLD_MINUTES      2
#define AVERAGE_WEIGHT    (1.0 / 60)
#define PROVIDERS_MIN     3    // fail at once: one that is down is no failure of the site
#define NORMAL_MINUTES    1440 // what lasts a day without a pause is how things are
#define NEW_PROVIDERS_MAX 6    // in an hour, of a household that may vote
#define HOUR_S            3600

bool ballot_trusts(const struct window *w, int64_t now_ms, bool household)
{
    if (window_scans(w, now_ms))
        return false;
    return !household || window_sum(w, FEATURE_FIRST_CONTACTS, now_ms, HOUR_S) <= NEW_PROVIDERS_MAX;
}

static bool is_live(uint32_t stamp, uint32_t now)
{
    return stamp != 0 && stamp <= now && now - stamp < BALLOT_MINUTES;
}

static struct ballot_bucket *bucket_of(struct ballot_tally *t, uint32_t stamp)
{
    struct ballot_bucket *b = &t->bucket[stamp % BALLOT_MINUTES];
    if (b->stamp > stamp)
        return NULL; // late
    if (b->stamp < stamp)
        *b = (struct ballot_bucket){.stamp = stamp};
    return b;
}

// Voters that count now, and those of them that fail.
static void count(const struct ballot_tally *t, uint32_t now, double *voters, double *failing)
{
    *voters = *failing = 0;
    for (size_t i = 0; i < BALLOT_MINUTES; i++) {
        const struct ballot_bucket *b = &t->bucket[i];
        if (!is_live(b->stamp, now))
            continue;
        *voters += (double)b->vote[BALLOT_WELL] + b->vote[BALLOT_FAILING];
        *failing += b->vote[BALLOT_FAILING];
    }
}

static size_t providers_failing(const struct ballot_tally *t, uint32_t now)
{
    size_t n = 0;
    for (size_t i = 0; i < BALLOT_PROVIDERS; i++)
        n += is_live(t->provider[i].stamp, now);
    return n;
}

static void note_provider(struct ballot_tally *t, uint32_t hash, uint32_t stamp)
{
    size_t place = 0;
    for (size_t i = 0; i < BALLOT_PROVIDERS; i++) {
        if (t->provider[i].stamp != 0 && t->provider[i].hash == hash) {
            place = i;
            break;
        }
        if (t->provider[i].stamp < t->provider[place].stamp)
            place = i;
    }
    t->provider[place].hash = hash;
    if (stamp > t->provider[place].stamp)
        t->provider[place].stamp = stamp;
}

// A party's earlier vote gives way to its new one, so each counts once.
static void vote(struct ballot_tally *t, uint16_t *minute, uint8_t *paper, uint8_t v,
                 uint32_t stamp)
{
    uint16_t age = (uint16_t)((uint16_t)stamp - *minute);
    if (*paper != BALLOT_NONE && age < BALLOT_MINUTES && age < stamp) {
        struct ballot_bucket *old = &t->bucket[(stamp - age) % BALLOT_MINUTES];
        if (old->stamp == stamp - age && old->vote[*paper] > 0)
            old->vote[*paper]--;
    }
    *paper = BALLOT_NONE;
    struct ballot_bucket *b = bucket_of(t, stamp);
    if (!b || v == BALLOT_NONE)
        return;
    b->vote[v]++;
    *minute = (uint16_t)stamp;
    *paper = v;
}

static bool is_answered(const struct contact *c)
{
    return c->kind == CONTACT_FIRST_ANSWERED || c->kind == CONTACT_AGAIN_ANSWERED ||
           c->kind == CONTACT_CORRECTED;
}

static uint8_t vote_port25(struct ballot_tally *t, const struct window_contacts *contacts,
                           uint32_t stamp, bool counts)
{
    size_t answered = 0, failed = 0;
    for (size_t i = 0; i < contacts->count; i++) {
        const struct contact *c = &contacts->contact[i];
        answered += is_answered(c);
        if (!c->failed || !c->answered_since || !(c->silent || c->refused))
            continue;
        failed++;
        if (counts)
            note_provider(t, c->provider, stamp);
    }
    return failed > answered ? BALLOT_FAILING : answered > 0 ? BALLOT_WELL : BALLOT_NONE;
}

static bool leaves(const struct minute_digest *d)
{
    return d->direction == MINUTE_OUT && d->role != MINUTE_SMARTHOST &&
           (d->flags & MINUTE_DIGEST_OUTCOME) && !(d->flags & MINUTE_DIGEST_SCAN);
}

static bool is_known(const struct ballot_paper *p, uint16_t hash)
{
    for (size_t i = 0; i < BALLOT_KNOWN; i++) {
        if (p->known[i] == hash)
            return true;
    }
    return false;
}

// Whatever leaves the network. What answered on port 25 is remembered elsewhere and votes here too.
static uint8_t vote_border(struct ballot_tally *t, struct ballot_paper *p,
                           const struct minute_row *r, uint32_t stamp, bool counts, uint8_t port25)
{
    size_t answered = 0, failed = 0;
    for (uint32_t i = 0; i < r->digest_count; i++) {
        const struct minute_digest *d = &r->digest[i];
        if (!leaves(d))
            continue;
        uint32_t provider = providers_hash(d);
        uint16_t hash = (uint16_t)(provider | 1);
        bool silent = d->outcome == MINUTE_OUTCOME_UNANSWERED || d->outcome == MINUTE_OUTCOME_ICMP;
        if (d->outcome == MINUTE_OUTCOME_ESTABLISHED || d->outcome == MINUTE_OUTCOME_GREETED ||
            d->outcome == MINUTE_OUTCOME_TURNED_AWAY) {
            answered++;
            if (d->role != MINUTE_MX && !is_known(p, hash))
                p->known[p->known_next++ % BALLOT_KNOWN] = hash;
        } else if (silent && d->role != MINUTE_MX && is_known(p, hash)) {
            failed++;
            if (counts)
                note_provider(t, provider, stamp);
        }
    }
    if (answered > 0)
        return BALLOT_WELL;
    return failed > 0 || port25 == BALLOT_FAILING ? BALLOT_FAILING : BALLOT_NONE;
}

static bool has_jumped(const struct ballot *b, const struct ballot_tally *t, uint32_t now)
{
    double voters, failing;
    count(t, now, &voters, &failing);
    return voters >= (double)b->rule.parties_min && failing >= b->rule.share * voters &&
           failing >= (t->average + b->rule.jump) * voters &&
           providers_failing(t, now) >= PROVIDERS_MIN;
}

// Holds the state on while a jump lasts, but for a day.
static void look(struct ballot *b, struct ballot_tally *t, int64_t minute)
{
    uint32_t now = (uint32_t)minute + 1;
    if (!has_jumped(b, t, now)) {
        if (t->jumped_min != 0 && minute >= b->failing_until)
            t->jumped_min = 0;
        return;
    }
    if (t->jumped_min == 0)
        t->jumped_min = minute;
    if (minute - t->jumped_min >= NORMAL_MINUTES) {
        double voters, failing;
        count(t, now, &voters, &failing);
        t->average = failing / voters;
        t->jumped_min = 0;
        return;
    }
    // The votes that tell of it are as old as the ballot at most.
    if (minute >= b->failing_until)
        b->failing_since = minute - BALLOT_MINUTES + 1;
    if (minute + 1 + HOLD_MINUTES > b->failing_until)
        b->failing_until = minute + 1 + HOLD_MINUTES;
}

bool ballot_take(struct ballot *b, struct ballot_paper *paper, const struct minute_row *r,
                 const struct window_contacts *contacts, bool may_vote)
{
    if (r->minute < BALLOT_MINUTES || r->minute >= UINT32_MAX)
        return false;
    uint32_t stamp = (uint32_t)r->minute + 1;
    // Without a vote nothing is said: an earlier one stands until it is too old.
    uint8_t votes[BALLOT_QUESTIONS];
    votes[BALLOT_PORT25] = vote_port25(&b->tally[BALLOT_PORT25], contacts, stamp, may_vote);
    votes[BALLOT_BORDER] = vote_border(&b->tally[BALLOT_BORDER], paper, r, stamp, may_vote,
                                       votes[BALLOT_PORT25]);
    for (size_t q = 0; q < BALLOT_QUESTIONS; q++) {
        if (may_vote && votes[q] == BALLOT_NONE)
            continue;
        vote(&b->tally[q], &paper->minute[q], &paper->vote[q], may_vote ? votes[q] : BALLOT_NONE,
             stamp);
        look(b, &b->tally[q], r->minute);
    }
    return ballot_failing(b, r->cut_ms);
}

void ballot_minute(struct ballot *b, int64_t minute)
{
    uint32_t now = (uint32_t)minute + 1;
    if (minute < 0 || minute >= UINT32_MAX || now <= b->learnt_stamp)
        return;
    b->learnt_stamp = now;
    for (size_t q = 0; q < BALLOT_QUESTIONS; q++) {
        struct ballot_tally *t = &b->tally[q];
        double voters, failing;
        look(b, t, minute);
        count(t, now, &voters, &failing);
        if (t->jumped_min == 0 && voters >= (double)b->rule.parties_min)
            t->average += (failing / voters - t->average) * AVERAGE_WEIGHT;
    }
    if (ballot_failing(b, minute * MINUTE_MS))
        b->failing_minutes++;
}

bool ballot_failing(const struct ballot *b, int64_t now_ms)
{
    int64_t minute = now_ms / MINUTE_MS;
    return b->failing_until > 0 && minute >= b->failing_since && minute <= b->failing_until;
}
