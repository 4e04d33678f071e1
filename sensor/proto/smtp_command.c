// See smtp_command.h.
#include "proto/smtp_command.h"

#include <endian.h>

// What must follow a verb.
enum need { NEED_NOTHING, NEED_ARGUMENT, NEED_FROM, NEED_TO };

// The most usual first.
#define VERBS(X)                                 \
    X("MAIL", SMTP_MAIL, NEED_FROM)              \
    X("RCPT", SMTP_RCPT, NEED_TO)                \
    X("DATA", SMTP_DATA, NEED_NOTHING)           \
    X("QUIT", SMTP_QUIT, NEED_NOTHING)           \
    X("EHLO", SMTP_EHLO, NEED_NOTHING)           \
    X("HELO", SMTP_HELO, NEED_NOTHING)           \
    X("STARTTLS", SMTP_STARTTLS, NEED_NOTHING)   \
    X("RSET", SMTP_RSET, NEED_NOTHING)           \
    X("LHLO", SMTP_LHLO, NEED_NOTHING)           \
    X("BDAT", SMTP_BDAT, NEED_ARGUMENT)          \
    X("AUTH", SMTP_AUTH, NEED_ARGUMENT)          \
    X("NOOP", SMTP_NOOP, NEED_NOTHING)           \
    X("VRFY", SMTP_VRFY, NEED_ARGUMENT)          \
    X("EXPN", SMTP_EXPN, NEED_ARGUMENT)          \
    X("HELP", SMTP_HELP, NEED_NOTHING)           \
    X("XCLIENT", SMTP_XCLIENT, NEED_ARGUMENT)    \
    X("XFORWARD", SMTP_XFORWARD, NEED_ARGUMENT)  \
    X("ETRN", SMTP_OTHER, NEED_ARGUMENT)         \
    X("TURN", SMTP_TURN, NEED_NOTHING)           \
    X("ATRN", SMTP_TURN, NEED_NOTHING)           \
    X("SEND", SMTP_OTHER, NEED_FROM)             \
    X("SOML", SMTP_OTHER, NEED_FROM)             \
    X("SAML", SMTP_OTHER, NEED_FROM)             \
    X("BURL", SMTP_OTHER, NEED_ARGUMENT)         \
    X("XEXCH50", SMTP_OTHER, NEED_ARGUMENT)      \
    X("X-EXPS", SMTP_OTHER, NEED_ARGUMENT)       \
    X("XADR", SMTP_OTHER, NEED_ARGUMENT)         \
    X("XSTA", SMTP_OTHER, NEED_ARGUMENT)         \
    X("X-LINK2STATE", SMTP_OTHER, NEED_ARGUMENT) \
    X("VERB", SMTP_OTHER, NEED_NOTHING)

#define FOUR(a, b, c, d)                                                                   \
    ((uint32_t)((a)&0xdf) << 24 | (uint32_t)((b)&0xdf) << 16 | (uint32_t)((c)&0xdf) << 8 | \
     (uint32_t)((d)&0xdf))

// The first four letters tell nearly all of them apart, and are all that most have: the first eight fill a line.
static const struct verb {
    uint32_t four; // as first_four reads them
    uint8_t len, verb, need;
} verbs[] = {
#define X(name, verb, need) \
    {FOUR((name)[0], (name)[1], (name)[2], (name)[3]), sizeof(name) - 1, verb, need},
    VERBS(X)
#undef X
};

static const char *const verb_name[] = {
#define X(name, verb, need) name,
    VERBS(X)
#undef X
};

// Case does not count; fewer than four are no verb.
static uint32_t first_four(const uint8_t *p, size_t len)
{
    uint32_t four;
    if (len < 4)
        return 0;
    memcpy(&four, p, sizeof four);
    return be32toh(four) & 0xdfdfdfdf;
}

static bool is_blank(uint8_t o)
{
    return o == ' ' || o == '\t';
}

static struct span skip_blanks(struct span s)
{
    size_t n = 0;
    while (n < s.len && is_blank(s.data[n]))
        n++;
    return span_cut(s, n, s.len);
}

struct span smtp_word(struct span *text)
{
    if (text->len == 0) // it may have no data to count from
        return (struct span){0};
    const uint8_t *at = text->data, *begin = at, *end = at + text->len;
    while (at < end && !is_blank(*at))
        at++;
    const uint8_t *behind = at;
    while (at < end && is_blank(*at))
        at++;
    *text = span_of(at, (size_t)(end - at));
    return span_of(begin, (size_t)(behind - begin));
}

static struct span trim_end(struct span s)
{
    while (s.len > 0 && (is_blank(s.data[s.len - 1]) || s.data[s.len - 1] == '\r'))
        s.len--;
    return s;
}

static bool has_need(struct span args, uint8_t need)
{
    switch (need) {
    case NEED_NOTHING: return true;
    case NEED_FROM: return first_four(args.data, args.len) == FOUR('F', 'R', 'O', 'M');
    case NEED_TO:
        return args.len >= 2 && (args.data[0] & 0xdf) == 'T' && (args.data[1] & 0xdf) == 'O';
    default: return args.len > 0;
    }
}

struct smtp_command smtp_command_parse(struct span line)
{
    struct smtp_command c = {.verb = SMTP_UNKNOWN};
    struct span rest = trim_end(skip_blanks(line));
    if (rest.len == 0) {
        c.verb = SMTP_EMPTY;
        return c;
    }
    struct span word = {0};
    uint32_t four = first_four(rest.data, rest.len);
    if (rest.len == 4 || (rest.len > 4 && rest.data[4] == ' ')) {
        // Nearly all. Should a blank stand within them they are no verb's first four.
        word = span_of(rest.data, 4);
        rest = skip_blanks(span_cut(rest, 4, rest.len));
    } else {
        word = smtp_word(&rest);
        four = first_four(word.data, word.len);
    }
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        const struct verb *v = &verbs[i];
        if (four != v->four || word.len != v->len ||
            (word.len > 4 && !span_equal_text(word, verb_name[i])))
            continue;
        c.verb = v->verb;
        c.args = rest;
        c.well_formed = has_need(rest, v->need);
        break;
    }
    return c;
}

bool smtp_command_looks_like(struct span text)
{
    const uint8_t *lf = text.len ? memchr(text.data, '\n', text.len) : NULL;
    if (lf)
        text.len = (size_t)(lf - text.data);
    struct smtp_command c = smtp_command_parse(text);
    return c.verb != SMTP_UNKNOWN && c.verb != SMTP_EMPTY && c.well_formed;
}

// ---- Paths.

// Up to the closing bracket; one inside a quoted local part is part of the address.
static struct span bracketed(struct span s, bool *complete)
{
    bool quoted = false;
    const uint8_t *end = s.len ? memchr(s.data, '>', s.len) : NULL;
    if (end && !memchr(s.data, '"', (size_t)(end - s.data)))
        return span_cut(s, 0, (size_t)(end - s.data));
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '\\' && quoted)
            i++;
        else if (s.data[i] == '"')
            quoted = !quoted;
        else if (s.data[i] == '>' && !quoted)
            return span_cut(s, 0, i);
    }
    *complete = false;
    return s;
}

// "@a,@b:user@c" is delivered to user@c by way of a and b.
static struct span strip_route(struct span a, bool *routed)
{
    if (a.len == 0 || a.data[0] != '@')
        return a;
    const uint8_t *colon = memchr(a.data, ':', a.len);
    if (!colon)
        return a;
    *routed = true;
    return span_cut(a, (size_t)(colon - a.data) + 1, a.len);
}

static bool has(struct span s, char o)
{
    return s.len > 0 && memchr(s.data, o, s.len);
}

// Behind the last @. More than one, or a % or ! before the first, sends the message on by way of another host.
static struct span domain_of(struct span address, bool *routed)
{
    const uint8_t *first = address.len ? memchr(address.data, '@', address.len) : NULL;
    struct span local = first ? span_cut(address, 0, (size_t)(first - address.data)) : address;
    *routed = *routed || has(local, '%') || has(local, '!');
    if (!first)
        return (struct span){0};
    struct span behind = span_cut(address, local.len + 1, address.len);
    for (const uint8_t *at; behind.len > 0 && (at = memchr(behind.data, '@', behind.len));) {
        *routed = true;
        behind = span_cut(behind, (size_t)(at - behind.data) + 1, behind.len);
    }
    return behind;
}

bool smtp_path_parse(struct span args, struct smtp_path *out)
{
    struct smtp_path p = {.complete = true};
    const uint8_t *colon = args.len ? memchr(args.data, ':', args.len) : NULL;
    if (!colon)
        return false;
    struct span s = skip_blanks(span_cut(args, (size_t)(colon - args.data) + 1, args.len));
    if (s.len > 0 && s.data[0] == '<') {
        p.bracketed = true;
        p.address = trim_end(skip_blanks(bracketed(span_cut(s, 1, s.len), &p.complete)));
        p.null = p.address.len == 0 && p.complete;
    } else {
        p.address = smtp_word(&s);
        if (p.address.len == 0)
            return false;
    }
    p.address = strip_route(p.address, &p.routed);
    p.domain = domain_of(p.address, &p.routed);
    *out = p;
    return true;
}

// ---- BDAT, HELO.

bool smtp_bdat_parse(struct span args, uint64_t *size, bool *last)
{
    struct span rest = args;
    struct span number = smtp_word(&rest);
    uint64_t v = 0;
    if (number.len == 0 || number.len > 18)
        return false;
    for (size_t i = 0; i < number.len; i++) {
        if (number.data[i] < '0' || number.data[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(number.data[i] - '0');
    }
    struct span word = smtp_word(&rest);
    bool is_last = span_equal_text(word, "LAST");
    if (rest.len > 0 || (word.len > 0 && !is_last))
        return false;
    *size = v;
    *last = is_last;
    return true;
}

struct span smtp_helo_name(struct span args, bool *literal, struct ip_addr *addr)
{
    struct span name = smtp_word(&args);
    struct span inner = name;
    *literal = false;
    *addr = (struct ip_addr){0};
    if (inner.len > 1 && inner.data[0] == '[') {
        *literal = true;
        inner = span_cut(inner, 1, inner.len - 1);
        if (inner.data[inner.len - 1] == ']')
            inner.len--;
        if (span_begins(inner, "IPv6:"))
            inner = span_cut(inner, 5, inner.len);
    }
    char text[IP_TEXT_MAX];
    if (inner.len > 0 && inner.len < sizeof text) {
        memcpy(text, inner.data, inner.len);
        text[inner.len] = '\0';
        if (ip_parse(text, addr) == 0)
            *literal = true;
        explicit_bzero(text, sizeof text);
    }
    return name;
}
