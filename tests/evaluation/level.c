// See level.h.
#include "level.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "dialogues.h"
#include "real.h"
#include "rows.h"

#define START_MS 1792360800000LL // 2026-10-18T22:00:00Z
#define DAY_MS   86400000LL

static const char *const outcomes[] = {
    [MINUTE_OUTCOME_PENDING] = "pending",           [MINUTE_OUTCOME_ESTABLISHED] = "established",
    [MINUTE_OUTCOME_GREETED] = "greeted",           [MINUTE_OUTCOME_REFUSED] = "refused",
    [MINUTE_OUTCOME_UNANSWERED] = "unanswered",     [MINUTE_OUTCOME_ICMP] = "icmp",
    [MINUTE_OUTCOME_CLOSED_EARLY] = "closed-early", [MINUTE_OUTCOME_TURNED_AWAY] = "turned-away",
    [MINUTE_OUTCOME_MIDSTREAM] = "midstream"};

static int count_row(const struct minute_row *r, void *ctx)
{
    (void)ctx;
    for (unsigned role = 0; role < MINUTE_ROLES; role++) {
        for (unsigned d = 0; d < MINUTE_DIRECTIONS; d++) {
            const uint64_t *c = r->counter[role][d];
            if (c[MINUTE_octets_up] + c[MINUTE_octets_down] + c[MINUTE_connections] +
                    c[MINUTE_unanswered] + c[MINUTE_refused] + c[MINUTE_established] ==
                0)
                continue;
            printf("%" PRId64 ",%s,%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
                   ",%" PRIu64 "\n",
                   r->minute, minute_role_name(role), d == MINUTE_OUT ? "out" : "in",
                   c[MINUTE_connections], c[MINUTE_unanswered], c[MINUTE_refused],
                   c[MINUTE_established], c[MINUTE_octets_up], c[MINUTE_octets_down]);
        }
    }
    return 0;
}

static void no_mark(int64_t mark_ms, const struct minute_site *site, void *ctx)
{
    (void)mark_ms;
    (void)site;
    (void)ctx;
}

static bool nobody_counts(uint32_t line, void *ctx)
{
    (void)line;
    (void)ctx;
    return false;
}

static void one_line(uint32_t line, int64_t t_ms, void *ctx, struct rows_whose *out)
{
    (void)t_ms;
    (void)ctx;
    *out = (struct rows_whose){.address = line, .confidence = IDENTITY_CERTAIN};
    out->party.kind = PARTY_LINE;
    snprintf(out->party.id, sizeof out->party.id, "%u", line);
}

static const uint8_t compared[] = {MINUTE_connections,
                                   MINUTE_established,
                                   MINUTE_unanswered,
                                   MINUTE_closed_early,
                                   MINUTE_banner_ok,
                                   MINUTE_banner_5xx,
                                   MINUTE_helo,
                                   MINUTE_tls_sessions,
                                   MINUTE_starttls_unasked,
                                   MINUTE_mail,
                                   MINUTE_rcpt,
                                   MINUTE_rcpt_ok,
                                   MINUTE_rcpt_4xx,
                                   MINUTE_rcpt_5xx,
                                   MINUTE_messages_ok,
                                   MINUTE_sessions_550_no_data,
                                   MINUTE_auth,
                                   MINUTE_auth_failed,
                                   MINUTE_quit_missing};

static int say_row(const struct minute_row *r, void *ctx)
{
    (void)ctx;
    for (unsigned role = 0; role < MINUTE_OTHER;
         role++) { // what a relay passes on is told going out
        for (size_t i = 0; i < sizeof compared; i++) {
            uint64_t n = r->counter[role][MINUTE_OUT][compared[i]];
            if (n > 0)
                printf("%s/out %s %" PRIu64 "\n", minute_role_name(role),
                       minute_counter_name(compared[i]), n);
        }
    }
    if (r->gauge[MINUTE_socks_in_granted] > 0)
        printf("gauge socks_in_granted %" PRIu64 "\n", r->gauge[MINUTE_socks_in_granted]);
    for (uint32_t i = 0; i < r->digest_count; i++) {
        const struct minute_digest *d = &r->digest[i];
        const char *role = minute_role_name(d->role);
        if (d->role == MINUTE_OTHER) {
            continue;
        }
        if (d->flags & MINUTE_DIGEST_OUTCOME)
            printf("digest %s/%s 1\n", role, outcomes[d->outcome]);
        printf("digest %s/auth %d\n", role, (d->flags & MINUTE_DIGEST_AUTH) != 0);
        printf("digest %s/auth_failed %d\n", role, (d->flags & MINUTE_DIGEST_AUTH_FAILED) != 0);
        printf("digest %s/rcpt %" PRIu32 "\n", role, d->rcpt);
        printf("digest %s/rcpt_5xx %" PRIu32 "\n", role, d->rcpt_5xx);
        printf("digest %s/messages_ok %" PRIu32 "\n", role, d->messages_ok);
    }
    return 0;
}

static struct flow *dialled(struct flows *out, int64_t t_ms, uint8_t role, uint32_t provider)
{
    struct flow *f = flow_new(out, 0, t_ms);
    f->role = role;
    f->port = role == MINUTE_MX ? 25 : role == MINUTE_SUBMISSION ? 587 : 143;
    f->provider = provider;
    f->outcome = MINUTE_OUTCOME_GREETED;
    f->answer_ms = 200;
    f->lasts_ms = 900;
    return f;
}

static void fill_mail(const struct dialogue *d, struct flow *f)
{
    if (d->login == DIALOGUE_WRONG)
        return;
    f->rcpt_ok = d->rcpt_ok;
    f->rcpt_4xx = d->rcpt_4xx;
    f->rcpt_5xx = d->rcpt_5xx;
    f->messages = d->rcpt_ok > 0;
    f->flags |= d->rcpt_5xx > 0 && d->rcpt_ok == 0 ? (uint32_t)FLOW_NO_DATA : 0;
}

static void play_dialogue(const struct dialogue *d, uint32_t index, struct flows *out)
{
    int64_t t_ms = START_MS + (int64_t)(d->start_s * 1000);
    static const uint8_t roles[DIALOGUE_KINDS] = {[DIALOGUE_SUBMISSION] = MINUTE_SUBMISSION,
                                                  [DIALOGUE_ACCESS] = MINUTE_ACCESS,
                                                  [DIALOGUE_MX] = MINUTE_MX,
                                                  [DIALOGUE_REFUSED] = MINUTE_MX,
                                                  [DIALOGUE_STARTTLS] = MINUTE_MX,
                                                  [DIALOGUE_SOCKS] = MINUTE_MX,
                                                  [DIALOGUE_SOCKS_FAILED] = MINUTE_MX};
    bool relays = d->what == DIALOGUE_SOCKS || d->what == DIALOGUE_SOCKS_FAILED;
    struct flow *f = dialled(out, t_ms + (relays ? 300 : 0), roles[d->what], index);
    fill_mail(d, f);
    if (d->login != DIALOGUE_NONE)
        f->flags |= FLOW_LOGIN | (d->login == DIALOGUE_WRONG ? (uint32_t)FLOW_FAILED : 0);
    if (d->what == DIALOGUE_STARTTLS)
        f->flags |= FLOW_TLS;
    if (d->what == DIALOGUE_REFUSED) {
        f->outcome = MINUTE_OUTCOME_TURNED_AWAY;
        f->flags |= FLOW_LISTED | FLOW_NO_QUIT;
    } else if (d->what == DIALOGUE_SOCKS_FAILED) {
        f->outcome = MINUTE_OUTCOME_UNANSWERED;
        f->answer_ms = f->lasts_ms = 4000;
    }
    if (!relays)
        return;
    struct flow *in = dialled(out, t_ms, MINUTE_OTHER, 5000);
    in->direction = MINUTE_IN;
    in->port = 1080;
    in->lasts_ms = 5000;
    in->flags = d->what == DIALOGUE_SOCKS ? FLOW_SOCKS : 0;
}

static int rows_of(struct flows *flows, rows_fn fn)
{
    struct rows_options options = {.whose = one_line, .address = 0x0a000001u};
    struct rows *rows = rows_new(&options);
    int rc = rows ? rows_day(rows, flows, START_MS + DAY_MS, nobody_counts, fn, no_mark, NULL) : -1;
    rows_free(rows);
    free(flows->item);
    return rc == 0 ? 0 : 1;
}

int level_dialogues(const char *csv)
{
    struct dialogues all;
    struct flows flows = {0};
    int rc = dialogues_load(csv, &all);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < all.count; i++)
        play_dialogue(&all.item[i], (uint32_t)i, &flows);
    dialogues_free(&all);
    return rows_of(&flows, say_row);
}

int level_count(const char *csv)
{
    struct real_bot bot;
    struct flows flows = {0};
    int rc = real_load_one(csv, &bot);
    if (rc != 0)
        return rc;
    real_play(&bot, 0, START_MS, START_MS, START_MS + DAY_MS, &flows);
    real_free_one(&bot);
    return rows_of(&flows, count_row);
}
