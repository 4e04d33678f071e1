// Mail under TLS. See unread.h.
#include "unread.h"

#include <stdio.h>

#include "common/minute.h"

#define HOUR_S        3600
#define DAY_S         86400
#define SENTENCE_MAX  1024
#define DETECTOR_NONE "none that works here"

static const struct way {
    const char *with;
    unsigned role;
    enum feature established, tls;
    int32_t window_s;
} ways[] = {
    {"mail servers", MINUTE_MX, FEATURE_MX_ESTABLISHED, FEATURE_MX_TLS, DAY_S},
    {"submission servers", MINUTE_SUBMISSION, FEATURE_OTHER_ESTABLISHED, FEATURE_OTHER_TLS, HOUR_S},
    {"the smarthost", MINUTE_SMARTHOST, FEATURE_OWN_ESTABLISHED, FEATURE_OWN_TLS, HOUR_S},
};

#define WAYS (sizeof ways / sizeof ways[0])

struct seen {
    uint64_t sessions, tls;
};

static struct seen look(const struct window *w, const struct way *way, int64_t now_ms)
{
    struct seen s = {0};
    bool log = window_sources(w, now_ms - (int64_t)way->window_s * 1000) & VERDICT_FROM_LOG;
    if (way->role == MINUTE_SMARTHOST && log)
        return s;
    s.tls = window_sum(w, way->tls, now_ms, way->window_s);
    s.sessions = window_sum(w, way->established, now_ms, way->window_s);
    // A session that began before the window may have gone to TLS within.
    if (s.sessions < s.tls)
        s.sessions = s.tls;
    return s;
}

// Of those that work here: what is off is said to be off.
static json_t *blind(const struct engine *e, uint32_t roles)
{
    json_t *list = json_array();
    for (size_t i = 0; detectors[i]; i++) {
        if ((detectors[i]->reads & roles) && engine_works(e, i))
            json_array_append_new(list, json_string(detectors[i]->name));
    }
    return list;
}

static size_t name_all(const json_t *list, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(list) && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", i ? ", " : "",
                              json_string_value(json_array_get(list, i)));
    return n;
}

json_t *unread_to_json(const struct engine *e, const struct party_state *p, int64_t now_ms,
                       bool *most)
{
    char text[SENTENCE_MAX], names[SENTENCE_MAX / 2] = DETECTOR_NONE, span[DETECTOR_SPAN_MAX];
    json_t *sessions = json_array();
    struct seen all = {0};
    uint32_t roles = 0;
    size_t n = 0;
    *most = false;
    for (size_t i = 0; i < WAYS; i++) {
        const struct way *way = &ways[i];
        struct seen s = look(&p->window, way, now_ms);
        all.sessions += s.sessions;
        all.tls += s.tls;
        if (s.tls == 0)
            continue;
        n += (size_t)snprintf(
            text + n, sizeof text - n, "%s%.0f of %.0f sessions with %s in %s (%.0f %%)",
            roles ? ", " : "Under TLS and not read: ", (double)s.tls, (double)s.sessions, way->with,
            detector_span(way->window_s, span), 100.0 * (double)s.tls / (double)s.sessions);
        roles |= 1u << way->role;
        json_array_append_new(sessions,
                              json_pack("{s:s, s:i, s:I, s:I}", "role", minute_role_name(way->role),
                                        "window_s", way->window_s, "sessions",
                                        (json_int_t)s.sessions, "under_tls", (json_int_t)s.tls));
    }
    if (roles == 0) {
        json_decref(sessions);
        return json_null();
    }
    *most = all.tls * 2 > all.sessions;
    json_t *list = blind(e, roles);
    name_all(list, names, sizeof names);
    snprintf(text + n, sizeof text - n, "; not visible under TLS: %s.", names);
    return json_pack("{s:s, s:o, s:o}", "sentence", text, "sessions", sessions, "detectors", list);
}
