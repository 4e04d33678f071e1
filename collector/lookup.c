// The question's text, the answer's words. What the numbers mean stands in common/identity.h.
#include "lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "common/json.h"
#include "common/log.h"
#include "common/timefmt.h"
#include "common/utf8.h"

static const char *const confidences[] = {"unknown", "ambiguous", "stale", "likely", "certain"};

static const struct doubt {
    uint32_t bit;
    const char *name, *text;
} doubts[] = {
    {IDENTITY_NEAR_CHANGE, "near-change", "within 2 minutes of a change of hands"},
    {IDENTITY_CLOCKS_DIFFER, "clocks-differ",
     "the lease source's clock and ours differ by more than 2 s"},
    {IDENTITY_BNG_REBOOT, "bng-reboot",
     "more than 5 % of the POP's leases began anew within 5 minutes, at most 15 minutes before"},
    {IDENTITY_NO_PORT, "no-port", "shared by port blocks (CGNAT), and no source port was given"},
    {IDENTITY_OVERLAP, "overlap", "two leases claim the address at that time"},
    {IDENTITY_LOST_STOP, "lost-stop", "nobody reported the end; the next start ended it"},
};

// ---- The question

static int wrong(char error[static 200], const char *what, const char *text)
{
    snprintf(error, 200, "'%.60s' is no %s", text, what);
    return -EINVAL;
}

static bool parse_port(const char *text, uint16_t *out)
{
    unsigned v = 0;
    size_t n = strlen(text);
    if (n == 0 || n > 5 || strspn(text, "0123456789") != n)
        return false;
    for (; *text; text++)
        v = v * 10 + (unsigned)(*text - '0');
    *out = (uint16_t)v;
    return v > 0 && v <= 65535;
}

// "ADDRESS", "IPV4:PORT", "[IPV6]:PORT".
static int parse_place(char *text, struct lookup *q, char error[static 200])
{
    char *colon = strrchr(text, ':'), *close = strchr(text, ']'), *addr = text;
    bool bracket = text[0] == '[';
    bool port = bracket ? close && close[1] == ':' : colon && strchr(text, ':') == colon;
    if (port) {
        if (!parse_port(colon + 1, &q->port))
            return wrong(error, "port; write 1 to 65535", colon + 1);
        *colon = '\0';
    }
    if (bracket && (close = strchr(text, ']')) && close[1] == '\0') {
        *close = '\0';
        addr++;
    }
    if (ip_parse(addr, &q->addr) != 0)
        return wrong(error, "address; write 192.0.2.7, 192.0.2.7:4711 or [2001:db8::7]:4711", addr);
    return 0;
}

int lookup_parse(const char *text, struct lookup *out, char error[static 200])
{
    struct lookup q = {.window_ms = LOOKUP_WINDOW_DEFAULT_MS};
    char copy[160];
    size_t n = strlen(text);
    if (n == 0 || n >= sizeof copy)
        return wrong(error, "address", text);
    memcpy(copy, text, n + 1);
    char *at = strchr(copy, '@');
    if (at) {
        *at++ = '\0';
        if (time_parse(at, &q.t_ms) != 0 || q.t_ms <= 0)
            return wrong(error, "time; write it as 2026-11-22T05:52:00Z", at);
    }
    char *place = copy, *slash = strrchr(copy, '/');
    if (slash) {
        *slash = '\0';
        place = slash + 1;
        const char *why = realm_check(copy);
        if (why) {
            snprintf(error, 200, "the realm %.47s %s", copy, why);
            return -EINVAL;
        }
        (void)realm_parse(copy, &q.realm);
    }
    int rc = parse_place(place, &q, error);
    if (rc == 0)
        *out = q;
    return rc;
}

bool lookup_window(const char *text, int64_t *out_ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    char *end;
    errno = 0;
    long v = strtol(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || errno || v > 1000000)
        return false;
    for (size_t i = 0; i < 4; i++)
        if (strcmp(end, units[i].unit) == 0 && v * units[i].ms <= LOOKUP_WINDOW_MAX_MS) {
            *out_ms = v * units[i].ms;
            return true;
        }
    return false;
}

// ---- The answer

static void set_text(json_t *o, const char *name, const char *text)
{
    if (text && text[0])
        json_object_set_new(o, name, json_string(text));
}

static void set_time(json_t *o, const char *name, int64_t t_ms)
{
    char text[TIME_TEXT_MAX];
    if (t_ms != 0)
        json_object_set_new(o, name, json_string(time_format(t_ms, text)));
}

struct others {
    json_t *list;
    const struct lease *given; // the answer's own
    bool more;
};

static bool same_lease(const struct lease *a, const struct lease *b)
{
    return a->start_ms == b->start_ms && strcmp(a->party.id, b->party.id) == 0 &&
           prefix_compare(&a->key.prefix, &b->key.prefix) == 0;
}

static int add_other(const struct lease *lease, void *ctx)
{
    struct others *o = ctx;
    char text[PARTY_TEXT_MAX];
    if (o->given && same_lease(o->given, lease))
        return 0;
    if (json_array_size(o->list) == LOOKUP_OTHERS_MAX) {
        o->more = true;
        return -ENOBUFS;
    }
    json_t *entry = json_object();
    set_text(entry, "party", party_format(&lease->party, text));
    set_time(entry, "since", lease->start_ms);
    set_time(entry, "until", lease->end_ms);
    set_text(entry, "prefix", prefix_format(&lease->key.prefix, text));
    json_array_append_new(o->list, entry);
    return 0;
}

static json_t *list_doubts(uint32_t bits)
{
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof doubts / sizeof *doubts; i++)
        if (bits & doubts[i].bit)
            json_array_append_new(
                list, json_pack("{s:s, s:s}", "name", doubts[i].name, "text", doubts[i].text));
    return list;
}

static void add_lease(json_t *o, const struct lease *lease, int64_t t_ms)
{
    char text[PREFIX_TEXT_MAX];
    set_text(o, "prefix", prefix_format(&lease->key.prefix, text));
    set_text(o, "source", lease_source_name(lease->source));
    set_time(o, "since", lease->start_ms);
    set_time(o, "until", lease->end_ms);
    set_time(o, "last_seen", lease->last_seen_ms);
    if (t_ms > lease->last_seen_ms && lease->end_ms == 0)
        json_object_set_new(o, "unseen_s", json_integer((t_ms - lease->last_seen_ms) / 1000));
    if (lease->end_ms == 0 && lease->interim_ms > 0)
        json_object_set_new(o, "stale_after_s", json_integer(2 * lease->interim_ms / 1000));
    set_text(o, "nas", lease->nas);
    set_text(o, "pop", lease->pop);
    set_text(o, "class", lease->network_class);
}

static const char *advice(const struct lease_answer *a)
{
    switch (a->confidence) {
    case IDENTITY_CERTAIN: return "may be acted on";
    case IDENTITY_LIKELY: return "one party; see the doubts before anything is cut off";
    case IDENTITY_STALE: return "not seen for twice its interval: ask the access network first";
    case IDENTITY_AMBIGUOUS: return "more than one party fits: a ticket at most, no quarantine";
    default: return "nobody says: a ticket at most, no quarantine";
    }
}

json_t *lookup_answer(const struct leases *l, const struct lookup *q, int64_t now_ms)
{
    int64_t t_ms = q->t_ms ? q->t_ms : now_ms;
    struct lease_answer a = leases_find(l, &q->realm, &q->addr, q->port, t_ms);
    struct ip_prefix host = prefix_of(&q->addr, q->addr.family == IP_V4 ? 32 : 128);
    struct subscriber_key key = subscriber_key_of(&q->realm, &host);
    key.port_first = a.port_first;
    key.port_last = a.port_last;
    struct identity id = leases_identity(l, &a, &key);
    struct lease lease = {0};
    char text[PARTY_TEXT_MAX > SUBSCRIBER_TEXT_MAX ? PARTY_TEXT_MAX : SUBSCRIBER_TEXT_MAX];
    json_t *o = json_object();
    set_text(o, "subscriber", subscriber_key_format(&key, text));
    set_time(o, "time", t_ms);
    set_text(o, "party", party_format(&id.party, text));
    set_text(o, "confidence", confidences[a.confidence]);
    set_text(o, "advice", advice(&a));
    json_object_set_new(o, "doubts", list_doubts(a.doubts));
    if (q->port)
        json_object_set_new(o, "port", json_integer(q->port));
    if (a.lease != LEASES_NONE) {
        leases_get(l, a.lease, &lease);
        add_lease(o, &lease, t_ms);
    }
    // Of an ambiguous answer all candidates stand there, the nearest too.
    bool named = a.lease != LEASES_NONE && a.confidence != IDENTITY_AMBIGUOUS;
    struct others others = {.list = json_array(), .given = named ? &lease : NULL};
    leases_window(l, &q->realm, &q->addr, q->port, t_ms - q->window_ms, t_ms + q->window_ms,
                  add_other, &others);
    json_object_set_new(o, "others", others.list);
    if (others.more)
        json_object_set_new(o, "others_cut", json_true());
    json_object_set_new(o, "window_s", json_integer(q->window_ms / 1000));
    set_text(o, "purpose", q->purpose);
    return o;
}

// ---- Who asks

static int fill(const char *address, const char *window, const char *purpose, struct lookup *q,
                char error[static 200])
{
    if (!purpose || !purpose[0] || strlen(purpose) >= sizeof q->purpose ||
        !utf8_is_clean(purpose)) {
        snprintf(error, 200,
                 "a look-up needs its purpose, a short text: who looks whom up is "
                 "personal data");
        return -EINVAL;
    }
    int rc = address ? lookup_parse(address, q, error) : wrong(error, "address", "");
    if (rc == 0 && window && !lookup_window(window, &q->window_ms))
        rc = wrong(error, "window; write 90s, 30m, 2h or 1d, at most 7d", window);
    if (rc == 0)
        snprintf(q->purpose, sizeof q->purpose, "%s", purpose);
    return rc;
}

json_t *lookup_control(const struct leases *l, const json_t *request, int64_t now_ms,
                       struct control_error *error)
{
    struct lookup q;
    const char *address = json_string_value(json_object_get(request, "address"));
    char why[200];
    if (fill(address, json_string_value(json_object_get(request, "window")),
             json_string_value(json_object_get(request, "purpose")), &q, why) < 0) {
        error->code = "bad-argument";
        snprintf(error->text, sizeof error->text, "%s", why);
        snprintf(error->fix, sizeof error->fix, "send address, purpose and, if wanted, window");
        return NULL;
    }
    log_info("lookup of %s, purpose: %s", address, q.purpose);
    return lookup_answer(l, &q, now_ms);
}

int lookup_job(const struct leases *l, const char *address, const char *window, const char *purpose)
{
    struct lookup q;
    char why[200];
    if (fill(address, window, purpose, &q, why) < 0) {
        log_error("%s", why);
        return EX_USAGE;
    }
    // From files, "now" is a time of no meaning for a replay: the time is asked for.
    if (q.t_ms == 0) {
        log_error("a look-up in files needs a time: write %s@2026-11-22T05:52:00Z", address);
        return EX_USAGE;
    }
    json_t *o = lookup_answer(l, &q, q.t_ms);
    int rc = o ? json_write_line(stdout, o) : -ENOMEM;
    json_decref(o);
    return rc < 0 || fflush(stdout) != 0 ? EX_IOERR : 0;
}
