// Octets make tokens, tokens make statements (ended by ; { or }), statements fill the block they stand in.
#include "dhcp_isc.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TOKENS_MAX 12
#define DEPTH_MAX  64

enum block { BLOCK_OTHER, BLOCK_LEASE, BLOCK_IA, BLOCK_ADDRESS };
enum reading { BETWEEN, IN_WORD, IN_QUOTES, IN_COMMENT };

struct token {
    uint16_t len;
    bool quoted;
    char octet[DHCP_ID_MAX + 1]; // zero behind the last
};

struct fields { // of a lease or an address
    struct dhcp_lease lease;
    bool active, has_state, has_end;
    int64_t start_ms;
};

struct dhcp_isc {
    dhcp_isc_fn fn;
    void *ctx;
    enum reading reading;
    uint8_t escape; // 1: behind a backslash; 2, 3: so many octal digits less one were read
    unsigned escape_value;
    struct token token[TOKENS_MAX];
    size_t tokens;
    bool cut; // a token or a statement was too long
    uint8_t block[DEPTH_MAX];
    size_t depth;
    struct fields outer; // lease, or what an ia block says for all its addresses
    struct fields inner; // iaaddr, iaprefix
    uint64_t broken;
};

struct dhcp_isc *dhcp_isc_new(dhcp_isc_fn fn, void *ctx)
{
    struct dhcp_isc *d = calloc(1, sizeof *d);
    if (d) {
        d->fn = fn;
        d->ctx = ctx;
    }
    return d;
}

void dhcp_isc_free(struct dhcp_isc *d)
{
    free(d);
}

void dhcp_isc_begin(struct dhcp_isc *d)
{
    d->reading = BETWEEN;
    d->escape = 0;
    d->tokens = d->depth = 0;
    d->cut = false;
}

uint64_t dhcp_isc_broken(const struct dhcp_isc *d)
{
    return d->broken;
}

// ---- Values

static const char *word(const struct dhcp_isc *d, size_t i)
{
    return i < d->tokens ? d->token[i].octet : "";
}

static bool is_word(const struct dhcp_isc *d, size_t i, const char *text)
{
    return i < d->tokens && !d->token[i].quoted && strcasecmp(d->token[i].octet, text) == 0;
}

// `count` numbers of at most `digits` digits, `between` between them, and nothing else.
static bool read_numbers(const char *text, char between, size_t count, size_t digits, int64_t *out)
{
    for (size_t i = 0; i < count; i++) {
        size_t n = strspn(text, "0123456789");
        if (n == 0 || n > digits)
            return false;
        out[i] = 0;
        for (const char *end = text + n; text < end; text++)
            out[i] = out[i] * 10 + (*text - '0');
        if (i + 1 < count && *text++ != between)
            return false;
    }
    return *text == '\0';
}

// "4 2026/11/22 05:52:00", "epoch 1795326720", "never". UTC.
static bool read_time(const struct dhcp_isc *d, size_t at, int64_t *out)
{
    int64_t date[3], hour[3], epoch;
    if (is_word(d, at, "never")) {
        *out = 0;
        return true;
    }
    if (is_word(d, at, "epoch")) {
        if (!read_numbers(word(d, at + 1), ' ', 1, 12, &epoch))
            return false;
        *out = 1000 * epoch;
        return true;
    }
    if (!read_numbers(word(d, at + 1), '/', 3, 4, date) ||
        !read_numbers(word(d, at + 2), ':', 3, 2, hour) || date[0] < 1970 || date[1] < 1 ||
        date[1] > 12 || date[2] < 1 || date[2] > 31)
        return false;
    struct tm tm = {.tm_year = (int)date[0] - 1900,
                    .tm_mon = (int)date[1] - 1,
                    .tm_mday = (int)date[2],
                    .tm_hour = (int)hour[0],
                    .tm_min = (int)hour[1],
                    .tm_sec = (int)hour[2]};
    *out = 1000 * (int64_t)timegm(&tm);
    return true;
}

// Octets of a token: as quoted, or one or two hex digits between colons.
static bool read_octets(const struct dhcp_isc *d, size_t i, struct dhcp_id *out)
{
    out->len = 0;
    if (i >= d->tokens)
        return false;
    const struct token *t = &d->token[i];
    if (t->quoted) {
        memcpy(out->octet, t->octet, t->len);
        out->len = t->len;
        return true;
    }
    for (const char *at = t->octet; *at && out->len < DHCP_ID_MAX;) {
        char *end;
        if (!isxdigit((unsigned char)*at))
            return false;
        unsigned long v = strtoul(at, &end, 16);
        if (v > 255 || end > at + 2 || (*end && *end != ':'))
            return false;
        out->octet[out->len++] = (uint8_t)v;
        at = *end ? end + 1 : end;
    }
    return out->len > 0;
}

// ---- Statements

static void agent_option(const struct dhcp_isc *d, const char *name, size_t at,
                         struct dhcp_lease *l)
{
    bool remote = strcasecmp(name, "agent.remote-id") == 0 || strcasecmp(name, "remote-id") == 0;
    bool circuit = strcasecmp(name, "agent.circuit-id") == 0 ||
                   strcasecmp(name, "circuit-id") == 0 || strcasecmp(name, "interface-id") == 0;
    struct dhcp_id v;
    if ((remote || circuit) && read_octets(d, at, &v))
        *(remote ? &l->remote_id : &l->circuit_id) = v;
}

static void take_statement(struct dhcp_isc *d, struct fields *f)
{
    struct dhcp_lease *l = &f->lease;
    struct dhcp_id v;
    int64_t t;
    if (is_word(d, 0, "starts") && read_time(d, 1, &t)) {
        f->start_ms = t;
    } else if (is_word(d, 0, "cltt") && read_time(d, 1, &t)) {
        l->seen_ms = t;
    } else if (is_word(d, 0, "ends") && read_time(d, 1, &t)) {
        l->end_ms = t;
        f->has_end = true;
    } else if (is_word(d, 0, "binding") && is_word(d, 1, "state")) {
        f->has_state = true;
        f->active = is_word(d, 2, "active");
    } else if (is_word(d, 0, "hardware") && read_octets(d, 2, &v) && v.len == 6) {
        l->has_mac = true;
        memcpy(l->mac, v.octet, 6);
    } else if (is_word(d, 0, "uid") && read_octets(d, 1, &v)) {
        l->client_id = v;
    } else if (is_word(d, 0, "option")) {
        agent_option(d, word(d, 1), 2, l);
    } else if (is_word(d, 0, "set") && is_word(d, 2, "=")) {
        agent_option(d, word(d, 1), 3, l);
    }
}

static int give(struct dhcp_isc *d, struct fields *f)
{
    struct dhcp_lease *l = &f->lease;
    if (l->seen_ms == 0 || (f->start_ms > 0 && f->start_ms > l->seen_ms))
        l->seen_ms = f->start_ms;
    if (!l->has_mac && l->prefix.addr.family == IP_V6)
        l->has_mac = dhcp_duid_mac(&l->client_id, l->mac);
    if (l->prefix.addr.family == IP_NONE || !f->has_end ||
        (f->active && l->end_ms != 0 && l->end_ms < l->seen_ms)) {
        d->broken++;
        return 0;
    }
    l->ended = f->has_state && !f->active;
    if (l->ended && l->seen_ms > l->end_ms && l->end_ms > 0)
        l->seen_ms = l->end_ms;
    if (l->ended && l->end_ms == 0)
        return 0; // free since ever
    return d->fn(l, d->ctx);
}

// ---- Blocks

static uint8_t inside(const struct dhcp_isc *d)
{
    return d->depth > 0 ? d->block[d->depth - 1] : BLOCK_OTHER;
}

static uint8_t begin_block(struct dhcp_isc *d)
{
    struct dhcp_id id;
    if (d->depth == 0 && is_word(d, 0, "lease")) {
        struct ip_addr addr;
        d->outer = (struct fields){.active = true};
        if (ip_parse(word(d, 1), &addr) == 0)
            d->outer.lease.prefix = prefix_of(&addr, addr.family == IP_V4 ? 32 : 128);
        return BLOCK_LEASE;
    }
    if (d->depth == 0 &&
        (is_word(d, 0, "ia-na") || is_word(d, 0, "ia-ta") || is_word(d, 0, "ia-pd"))) {
        d->outer = (struct fields){.active = true};
        // Four octets IAID, then the DUID.
        if (read_octets(d, 1, &id) && id.len > 4) {
            d->outer.lease.client_id.len = (uint16_t)(id.len - 4);
            memcpy(d->outer.lease.client_id.octet, id.octet + 4, id.len - 4u);
        }
        return BLOCK_IA;
    }
    if (inside(d) == BLOCK_IA && (is_word(d, 0, "iaaddr") || is_word(d, 0, "iaprefix"))) {
        d->inner = d->outer;
        d->inner.has_end = false;
        if (prefix_parse(word(d, 1), &d->inner.lease.prefix) != 0)
            d->inner.lease.prefix = (struct ip_prefix){0};
        return BLOCK_ADDRESS;
    }
    return BLOCK_OTHER;
}

static int end_statement(struct dhcp_isc *d, char end)
{
    int rc = 0;
    uint8_t in = inside(d);
    if (d->cut) {
        d->broken++;
        d->cut = false;
        d->tokens = end == '{' ? 0 : d->tokens;
    }
    if (end == '{') {
        uint8_t next = begin_block(d);
        if (d->depth < DEPTH_MAX)
            d->block[d->depth++] = next;
        else
            d->broken++;
    } else if (in == BLOCK_LEASE || in == BLOCK_IA) {
        take_statement(d, &d->outer);
    } else if (in == BLOCK_ADDRESS) {
        take_statement(d, &d->inner);
    }
    if (end == '}') {
        if (in == BLOCK_LEASE)
            rc = give(d, &d->outer);
        else if (in == BLOCK_ADDRESS)
            rc = give(d, &d->inner);
        d->depth -= d->depth > 0;
    }
    d->tokens = 0;
    return rc;
}

// ---- Tokens

static void begin_token(struct dhcp_isc *d, bool quoted)
{
    if (d->tokens == TOKENS_MAX) { // the rest of the statement adds nothing known here
        d->tokens--;
    }
    d->token[d->tokens].len = 0;
    d->token[d->tokens].quoted = quoted;
    d->token[d->tokens].octet[0] = '\0';
    d->tokens++;
}

static void add_octet(struct dhcp_isc *d, unsigned octet)
{
    struct token *t = &d->token[d->tokens - 1];
    if (t->len == DHCP_ID_MAX) {
        d->cut = true;
        return;
    }
    t->octet[t->len++] = (char)octet;
    t->octet[t->len] = '\0';
}

// Within quotes: \" \\ and three octal digits.
static void quoted_octet(struct dhcp_isc *d, uint8_t c)
{
    if (d->escape == 0) {
        if (c == '\\')
            d->escape = 1;
        else if (c == '"')
            d->reading = BETWEEN;
        else
            add_octet(d, c);
        return;
    }
    if (d->escape == 1 && (c < '0' || c > '7')) {
        d->escape = 0;
        add_octet(d, c);
        return;
    }
    if (c < '0' || c > '7') { // fewer digits than three
        d->escape = 0;
        add_octet(d, d->escape_value & 0xff);
        quoted_octet(d, c);
        return;
    }
    d->escape_value = d->escape == 1 ? (unsigned)(c - '0')
                                     : d->escape_value * 8 + (unsigned)(c - '0');
    if (++d->escape == 4) {
        d->escape = 0;
        add_octet(d, d->escape_value & 0xff);
    }
}

static int plain_octet(struct dhcp_isc *d, uint8_t c)
{
    if (c == ';' || c == '{' || c == '}') {
        d->reading = BETWEEN;
        return end_statement(d, (char)c);
    }
    if (c == '#') {
        d->reading = IN_COMMENT;
    } else if (c == '"') {
        begin_token(d, true);
        d->reading = IN_QUOTES;
    } else if (isspace(c) || c == 0) {
        d->reading = BETWEEN;
    } else {
        if (d->reading == BETWEEN)
            begin_token(d, false);
        d->reading = IN_WORD;
        add_octet(d, c);
    }
    return 0;
}

int dhcp_isc_feed(struct dhcp_isc *d, struct span s)
{
    int rc = 0;
    for (size_t i = 0; i < s.len && rc >= 0; i++) {
        if (d->reading == IN_QUOTES)
            quoted_octet(d, s.data[i]);
        else if (d->reading == IN_COMMENT)
            d->reading = s.data[i] == '\n' ? BETWEEN : IN_COMMENT;
        else
            rc = plain_octet(d, s.data[i]);
    }
    return rc < 0 ? rc : 0;
}
