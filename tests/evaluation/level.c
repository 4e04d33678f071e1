// See level.h.
#include "level.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "real.h"
#include "rows.h"

#define START_MS 1792360800000LL // 2026-10-18T22:00:00Z
#define DAY_MS   86400000LL

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

int level_count(const char *csv)
{
    struct real_bot bot;
    struct flows flows = {0};
    int rc = real_load_one(csv, &bot);
    if (rc != 0)
        return rc;
    real_play(&bot, 0, START_MS, START_MS, START_MS + DAY_MS, &flows);
    struct rows_options options = {.whose = one_line, .address = 0x0a000001u};
    struct rows *rows = rows_new(&options);
    rc = rows ? rows_day(rows, &flows, START_MS + DAY_MS, nobody_counts, count_row, no_mark, NULL)
              : -1;
    rows_free(rows);
    free(flows.item);
    real_free_one(&bot);
    return rc == 0 ? 0 : 1;
}
