// The API: what the pages show, as JSON. Errors are RFC 9457 problem details.
//   /api/v1/tickets?state=open&class=C&subscriber=S&before=N&limit=N
//   /api/v1/tickets/N
//   /api/v1/feed?after=N&limit=N            changes in order: what a walled garden reads
//   /api/v1/series/KIND?name=S&range=day    or from=, to=; step=60|600|3600|86400
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/timefmt.h"
#include "web/web.h"

enum { STEPS_MAX = 1500 }; // as many as a range has when it chooses for itself

static void put_json(struct http_answer *a, json_t *value)
{
    char *text = value ? json_canonical(value) : NULL;
    json_decref(value);
    if (!text) {
        a->status = 500;
        buf_text(&a->body, "{\"status\":500,\"title\":\"out of memory\"}\n");
        return;
    }
    buf_text(&a->body, text);
    buf_text(&a->body, "\n");
    free(text);
}

static void problem(struct http_answer *a, unsigned status, const char *title, const char *detail)
{
    a->status = status;
    a->type = "application/problem+json";
    buf_clear(&a->body);
    put_json(a, json_pack("{s:i,s:s,s:s,s:s}", "status", (int)status, "title", title, "detail",
                          detail, "type", "about:blank"));
}

// A parameter that is a number from 0 to `high`; `otherwise` when absent, -1 when it is none.
static int64_t number_in(const struct http_request *r, const char *name, int64_t high,
                         int64_t otherwise)
{
    const char *text = http_query(r, name);
    char *end;
    if (!text)
        return otherwise;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    return errno != 0 || end == text || *end || n < 0 || n > high ? -1 : n;
}

static int add_ticket(const struct ticket *t, const struct verdict *v, void *ctx)
{
    return json_array_append_new(ctx, ticket_to_json(t, v));
}

static void tickets(const struct web *w, const struct http_request *r, struct http_answer *a)
{
    const char *class_name = http_query(r, "class"), *state = http_query(r, "state");
    int64_t before = number_in(r, "before", INT64_MAX, 0), limit = number_in(r, "limit", 1000, 100);
    struct ticket_query q = {.class_ = -1,
                             .subscriber = http_query(r, "subscriber"),
                             .before_number = before,
                             .limit = (uint32_t)limit};
    if (!web_ticket_state(state, &q.open_only)) {
        problem(a, 400, "No such state", "state: use open or all");
        return;
    }
    if (class_name && (q.class_ = verdict_class_parse(class_name)) < 0) {
        problem(a, 400, "No such class", "class: use one such as spambot-direct");
        return;
    }
    if (before < 0 || limit <= 0) {
        problem(a, 400, "Bad parameter", "before and limit are numbers; limit is at most 1000");
        return;
    }
    json_t *list = json_array();
    if (w->store && ticket_store_each(w->store, &q, add_ticket, list) < 0) {
        json_decref(list);
        problem(a, 500, "Ticket store", "The ticket store could not be read.");
        return;
    }
    put_json(a, json_pack("{s:i,s:o}", "v", TICKET_VERSION, "tickets", list));
}

static void ticket(const struct web *w, const char *text, struct http_answer *a)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    json_t *list = json_array();
    struct ticket_query q = {.class_ = -1, .number = number, .limit = 1};
    if (errno == 0 && !*end && number > 0 && w->store)
        ticket_store_each(w->store, &q, add_ticket, list);
    json_t *one = json_incref(json_array_get(list, 0));
    json_decref(list);
    if (one)
        put_json(a, one);
    else
        problem(a, 404, "No such ticket", "There is no ticket of this number.");
}

static int add_change(const struct ticket_change *c, void *ctx)
{
    return json_array_append_new(ctx, ticket_change_to_json(c));
}

static void feed(const struct web *w, const struct http_request *r, struct http_answer *a)
{
    int64_t after = number_in(r, "after", INT64_MAX, 0), limit = number_in(r, "limit", 1000, 1000);
    if (after < 0 || limit <= 0) {
        problem(a, 400, "Bad parameter", "after and limit are numbers; limit is at most 1000");
        return;
    }
    json_t *list = json_array();
    if (w->store && ticket_store_changes(w->store, after, (uint32_t)limit, add_change, list) < 0) {
        json_decref(list);
        problem(a, 500, "Ticket store", "The ticket store could not be read.");
        return;
    }
    put_json(a, json_pack("{s:i,s:o}", "v", TICKET_VERSION, "changes", list));
}

static json_t *values_json(const double *v)
{
    json_t *list = json_array();
    for (unsigned s = 0; s < SERIES_SOURCES; s++)
        json_array_append_new(list, isnan(v[s]) ? json_null() : json_number(v[s], 6));
    return list;
}

static json_t *series_json(enum series_kind kind, const struct series_range *range,
                           const struct series_sample *s, size_t count)
{
    json_t *names = json_array(), *list = json_array();
    for (unsigned v = 0; v < SERIES_SOURCES; v++)
        json_array_append_new(names, json_string(series_source_name_of(kind, v)));
    for (size_t i = 0; i < count; i++) {
        char t[TIME_TEXT_MAX];
        json_array_append_new(
            list, json_pack("{s:s,s:o,s:o,s:b,s:b,s:I,s:I,s:I}", "end",
                            time_format(s[i].t_s * 1000, t), "average", values_json(s[i].average),
                            "maximum", values_json(s[i].maximum), "observed", s[i].observed,
                            "others", s[i].others, "minutes", (json_int_t)s[i].minutes, "watched_s",
                            (json_int_t)s[i].watched_s, "loss_ppm", (json_int_t)s[i].loss_ppm));
    }
    return json_pack("{s:i,s:i,s:o,s:o}", "v", SERIES_LAYOUT_VERSION, "step_s", range->step_s,
                     "sources", names, "samples", list);
}

static void series(const struct web *w, const struct http_request *r, const char *kind_name,
                   struct http_answer *a)
{
    char error[160];
    struct web_range range;
    int kind = series_kind_parse(kind_name);
    const char *name = http_query(r, "name");
    if (kind < 0 || !name) {
        problem(a, 400, "Which series?", "Ask for /api/v1/series/subscriber?name=192.0.2.7");
        return;
    }
    if (web_range(w, r, &range, error) != 0) {
        problem(a, 400, "Bad range", error);
        return;
    }
    int64_t step_s = number_in(r, "step", INT32_MAX, 0);
    bool is_step = step_s == 0 && !http_query(r, "step");
    for (size_t i = 0; i < SERIES_ARCHIVES; i++)
        is_step = is_step || step_s == series_archives[SERIES_FULL][i].step_s;
    if (!is_step) {
        problem(a, 400, "Bad parameter", "step: use 60, 600, 3600 or 86400");
        return;
    }
    if (step_s > 0 && (range.end_s - range.start_s) / step_s > STEPS_MAX) {
        problem(a, 400, "Bad parameter",
                "step: too many intervals in this range; use a longer one");
        return;
    }
    struct series_range sr = {.start_s = range.start_s,
                              .end_s = range.end_s,
                              .step_s = (int32_t)step_s,
                              .own_start_s = number_in(r, "own_from", INT64_MAX, 0),
                              .own_end_s = number_in(r, "own_to", INT64_MAX, 0)};
    if (sr.own_start_s < 0 || sr.own_end_s < 0) {
        problem(a, 400, "Bad parameter", "own_from and own_to are epochs");
        return;
    }
    struct series_sample *samples;
    size_t count;
    char why[SERIES_EXPLAIN_MAX];
    int rc = web_fetch(w, (enum series_kind)kind, name, &sr, r->now_ms, &samples, &count, why);
    if (rc == -ENOENT) {
        problem(a, 404, "No such series", "No traffic of this name has been recorded.");
    } else if (rc != 0) {
        problem(a, 500, "The series cannot be read", why);
    } else {
        put_json(a, series_json((enum series_kind)kind, &sr, samples, count));
        free(samples);
    }
}

void api_answer(const struct web *w, const struct http_request *r, const char *path,
                struct http_answer *a)
{
    a->type = "application/json";
    if (strcmp(path, "tickets") == 0)
        tickets(w, r, a);
    else if (strncmp(path, "tickets/", 8) == 0)
        ticket(w, path + 8, a);
    else if (strcmp(path, "feed") == 0)
        feed(w, r, a);
    else if (strncmp(path, "series/", 7) == 0)
        series(w, r, path + 7, a);
    else
        problem(a, 404, "Not found", "There are tickets, tickets/N, feed and series/KIND.");
}
