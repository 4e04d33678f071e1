// See dialogue.h.
#include "dialogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define TURNS_MAX 256

struct turn {
    enum proto_side side;
    uint64_t gap; // instead of octets
    uint8_t *octet;
    size_t len;
};

struct script {
    struct turn turn[TURNS_MAX];
    size_t turns;
    size_t octets;
};

enum cut { CUT_TURNS, CUT_LINES, CUT_OCTETS, CUT_AT, CUT_LATE };

static size_t unescape(const char *text, size_t len, uint8_t *out)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '\\' || i + 1 == len) {
            out[n++] = (uint8_t)text[i];
            continue;
        }
        i++;
        switch (text[i]) {
        case 'r': out[n++] = '\r'; break;
        case 'n': out[n++] = '\n'; break;
        case 'x': {
            char hex[3] = {text[i + 1], text[i + 2], 0};
            out[n++] = (uint8_t)strtoul(hex, NULL, 16);
            i += 2;
            break;
        }
        default: out[n++] = (uint8_t)text[i]; break;
        }
    }
    return n;
}

// `merge`: consecutive lines of a side become one turn.
static void parse(struct script *s, const char *text, bool merge)
{
    memset(s, 0, sizeof *s);
    while (*text) {
        size_t len = strcspn(text, "\n");
        const char *next = text + len + (text[len] == '\n');
        if (len < 2 || text[0] == '#') {
            text = next;
            continue;
        }
        enum proto_side side = text[0] == 'C' ? PROTO_INITIATOR : PROTO_RESPONDER;
        char kind = text[1];
        assert_true(kind == ':' || kind == '~' || kind == '!');
        struct turn *t = s->turns ? &s->turn[s->turns - 1] : NULL;
        if (!merge || !t || t->side != side || t->gap || kind == '!') {
            assert_true(s->turns < TURNS_MAX);
            t = &s->turn[s->turns++];
            t->side = side;
        }
        if (kind == '!') {
            t->gap = strtoull(text + 2, NULL, 10);
            text = next;
            continue;
        }
        size_t skip = len > 2 && text[2] == ' ' ? 3 : 2;
        t->octet = realloc(t->octet, t->len + len + 2);
        assert_non_null(t->octet);
        size_t before = t->len;
        t->len += unescape(text + skip, len - skip, t->octet + t->len);
        if (kind == ':') {
            t->octet[t->len++] = '\r';
            t->octet[t->len++] = '\n';
        }
        s->octets += t->len - before;
        text = next;
    }
}

static void script_free(struct script *s)
{
    for (size_t i = 0; i < s->turns; i++)
        free(s->turn[i].octet);
}

// Pieces stand in front of a page that must not be touched, so that a read past the end is seen.
#define GUARDED_MAX 65536

uint8_t *dialogue_guarded(const void *octets, size_t len)
{
    static uint8_t *end;
    if (!end) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        uint8_t *room = mmap(NULL, GUARDED_MAX + page, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(room != MAP_FAILED);
        end = room + GUARDED_MAX;
        assert_int_equal(mprotect(end, page, PROT_NONE), 0);
    }
    assert_true(len <= GUARDED_MAX);
    memcpy(end - len, octets, len);
    return end - len;
}

static void feed_piece(struct dialogue_flow *d, enum proto_side side, const uint8_t *octet,
                       size_t len)
{
    d->t_us += 1000;
    proto_feed(&d->flow, d->pool, side, span_of(dialogue_guarded(octet, len), len), d->t_us);
}

static void feed_turn(struct dialogue_flow *d, const struct turn *t, size_t cut)
{
    if (t->gap) {
        proto_gap(&d->flow, d->pool, t->side, t->gap, d->t_us);
        return;
    }
    for (size_t at = 0; at < t->len; at += cut)
        feed_piece(d, t->side, t->octet + at, t->len - at < cut ? t->len - at : cut);
}

void dialogue_open(struct dialogue_flow *d, const struct dialogue *how)
{
    // One for all: nDPI's tables take their time to build.
    static struct proto_pool *pool;
    if (!pool)
        pool = proto_pool_new(4);
    assert_non_null(pool);
    memset(d, 0, sizeof *d);
    d->key = keyed_hash_key_replay();
    d->context = (struct proto_context){
        .key = &d->key, .profile = COVERAGE_FULL_ENVELOPE, .counters = d->counters};
    if (how->profile)
        d->context.profile = how->profile;
    if (how->flow_only)
        d->context.profile = COVERAGE_FLOW_ONLY;
    d->pool = pool;
    d->t_us = 1700000000000000;
    d->flow = (struct proto_flow){
        .context = &d->context,
        .addr = {ip_from_v4((uint8_t[]){192, 0, 2, 7}), ip_from_v4((uint8_t[]){198, 51, 100, 25})},
        .port = {40000, how->port ? how->port : 25},
        .ip_proto = 6,
        .midstream = how->flags & DIALOGUE_MIDSTREAM,
        .peer_is_smarthost = how->flags & DIALOGUE_SMARTHOST,
    };
}

void dialogue_feed(struct dialogue_flow *d, const char *text, size_t cut)
{
    struct script s;
    parse(&s, text, true);
    for (size_t i = 0; i < s.turns; i++)
        feed_turn(d, &s.turn[i], cut ? cut : SIZE_MAX / 2);
    script_free(&s);
}

void dialogue_close(struct dialogue_flow *d, struct record_flow *out)
{
    memset(out, 0, sizeof *out);
    proto_close(&d->flow, d->pool, PROTO_END_FIN, d->t_us + 1000000);
    proto_report(&d->flow, out);
    proto_drop(&d->flow, d->pool);
    assert_int_equal(proto_pool_in_use(d->pool), 0);
}

// ---- Expectations.

struct field {
    const char *name;
    uint64_t value;
    bool strict; // zero when it is not named
};

static size_t fields_of(const struct record_flow *r, struct field *out)
{
    size_t n = 0;
#define X(counter, element, text)                                                  \
    out[n++] = (struct field){.name = #counter,                                    \
                              .value = r->smtp.counter,                            \
                              .strict = strcmp(#counter, "message_octets") != 0 && \
                                        strcmp(#counter, "unoffered_pipelining") != 0};
    RECORD_SMTP_COUNTERS(X)
#undef X
#define F(text, from) out[n++] = (struct field){.name = text, .value = (uint64_t)(from)};
    F("app", r->app)
    F("app_source", r->app_source)
    F("groups", r->groups)
    F("incomplete", r->incomplete)
    F("ndpi", r->ndpi_protocol)
    F("hashes", r->hash_count)
    F("banner_code", r->smtp.banner_code)
    F("starttls_state", r->smtp.starttls_state)
    F("early_talker", r->smtp.early_talker)
    F("pipelining_offered", r->smtp.pipelining_offered)
    F("clear_after_tls", r->smtp.clear_after_tls)
    F("helo_is_literal", r->smtp.helo_is_literal)
    F("helo_is_peer", r->smtp.helo_is_peer)
    F("xclient", r->smtp.xclient)
    F("quit_seen", r->smtp.quit_seen)
    F("tls.version", r->tls.version)
    F("tls.handshake_done", r->tls.handshake_done)
    F("tls.alert", r->tls.alert)
    F("socks.version", r->socks.version)
    F("socks.is_4a", r->socks.is_4a)
    F("socks.method", r->socks.method)
    F("socks.auth_failed", r->socks.auth_failed)
    F("socks.command", r->socks.command)
    F("socks.port", r->socks.target_port)
    F("socks.reply", r->socks.reply)
    F("socks.granted", r->socks.granted)
    F("socks.reverse", r->socks.reverse)
    F("socks.relayed0", r->socks.relayed_octets[0])
    F("socks.relayed1", r->socks.relayed_octets[1])
    F("socks.inner_app", r->socks.inner_app)
    F("dns.queries", r->dns.queries)
    F("dns.mx", r->dns.mx_queries)
    F("dns.nxdomain", r->dns.mx_nxdomain)
    F("dns.names", r->dns.mx_names_distinct)
    F("tries", r->login.tries)
    F("failures", r->login.failures)
#undef F
    return n;
}

static bool wanted(const char *expect, const char *name, uint64_t *value)
{
    size_t n = strlen(name);
    for (const char *p = expect; (p = strstr(p, name)); p += n) {
        if ((p == expect || p[-1] == ' ') && p[n] == '=') {
            *value = strtoull(p + n + 1, NULL, 0);
            return true;
        }
    }
    return false;
}

static size_t count_words(const char *text)
{
    size_t n = 0;
    for (const char *p = text; (p = strchr(p, '=')); p++)
        n++;
    return n;
}

static bool depends_on_step(const char *name)
{
    return strcmp(name, "early_talker") == 0 || strcmp(name, "unoffered_pipelining") == 0 ||
           strcmp(name, "helo_is_peer") == 0;
}

static void check(const struct dialogue *d, const char *how, size_t at, const struct record_flow *r)
{
    bool late = strstr(how, "late") != NULL;
    struct field field[96];
    size_t n = fields_of(r, field), named = 0;
    bool good = true;
    for (size_t i = 0; i < n; i++) {
        uint64_t want = 0;
        bool told = wanted(d->expect, field[i].name, &want);
        named += told;
        if (late && depends_on_step(field[i].name))
            continue;
        if ((told || field[i].strict) && field[i].value != want) {
            print_error("%s (%s %zu): %s is %llu, not %llu\n", d->name, how, at, field[i].name,
                        (unsigned long long)field[i].value, (unsigned long long)want);
            good = false;
        }
    }
    if (named != count_words(d->expect)) {
        print_error("%s: an expectation names no field\n", d->name);
        good = false;
    }
    assert_true(good);
}

// ---- Cuts.

// Splits the transcript once, behind `at` octets.
static void run_split(struct dialogue_flow *d, const struct script *s, size_t at)
{
    for (size_t i = 0; i < s->turns; i++) {
        const struct turn *t = &s->turn[i];
        if (t->gap || at == 0 || at >= t->len) {
            feed_turn(d, t, SIZE_MAX / 2);
            at = t->gap || at == 0 ? at : at - t->len;
            if (at == 0 && !t->gap)
                continue;
        } else {
            feed_piece(d, t->side, t->octet, at);
            feed_piece(d, t->side, t->octet + at, t->len - at);
            at = 0;
        }
    }
}

// The responder is seen one turn late, as if the initiator never waited for it.
static void run_late(struct dialogue_flow *d, const struct script *s)
{
    const struct turn *held = NULL;
    for (size_t i = 0; i < s->turns; i++) {
        const struct turn *t = &s->turn[i];
        if (t->side == PROTO_RESPONDER) {
            if (held)
                feed_turn(d, held, SIZE_MAX / 2);
            held = t;
            continue;
        }
        feed_turn(d, t, SIZE_MAX / 2);
        if (held)
            feed_turn(d, held, SIZE_MAX / 2);
        held = NULL;
    }
    if (held)
        feed_turn(d, held, SIZE_MAX / 2);
}

static void run_one(const struct dialogue *how, const struct script *s, enum cut cut, size_t at)
{
    static const char *const name[] = {"turns", "lines", "octets", "split behind", "server late"};
    struct dialogue_flow d;
    struct record_flow r;
    dialogue_open(&d, how);
    if (cut == CUT_AT)
        run_split(&d, s, at);
    else if (cut == CUT_LATE)
        run_late(&d, s);
    else
        for (size_t i = 0; i < s->turns; i++)
            feed_turn(&d, &s->turn[i], cut == CUT_OCTETS ? 1 : SIZE_MAX / 2);
    dialogue_close(&d, &r);
    check(how, name[cut], at, &r);
}

void dialogue_run(const struct dialogue *table, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct script turns, lines;
        parse(&turns, table[i].script, true);
        parse(&lines, table[i].script, false);
        run_one(&table[i], &turns, CUT_TURNS, 0);
        run_one(&table[i], &lines, CUT_LINES, 0);
        run_one(&table[i], &turns, CUT_OCTETS, 0);
        size_t step = turns.octets > 1500 ? turns.octets / 400 : 1;
        for (size_t at = 1; at < turns.octets; at += step)
            run_one(&table[i], &turns, CUT_AT, at);
        if (!(table[i].flags & DIALOGUE_IN_STEP))
            run_one(&table[i], &turns, CUT_LATE, 0);
        script_free(&turns);
        script_free(&lines);
    }
}
