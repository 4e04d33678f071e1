// See smtp_command.h.
#include "proto/smtp_command.h"

struct verb {
    const char *name;
    uint8_t verb;
    const char
        *keyword; // what must follow, "" for an argument of any kind, NULL for nothing needed
};

static const struct verb verbs[] = {
    {"HELO", SMTP_HELO, NULL},         {"EHLO", SMTP_EHLO, NULL},
    {"LHLO", SMTP_LHLO, NULL},         {"MAIL", SMTP_MAIL, "FROM"},
    {"RCPT", SMTP_RCPT, "TO"},         {"DATA", SMTP_DATA, NULL},
    {"BDAT", SMTP_BDAT, ""},           {"AUTH", SMTP_AUTH, ""},
    {"STARTTLS", SMTP_STARTTLS, NULL}, {"RSET", SMTP_RSET, NULL},
    {"QUIT", SMTP_QUIT, NULL},         {"NOOP", SMTP_NOOP, NULL},
    {"VRFY", SMTP_VRFY, ""},           {"EXPN", SMTP_EXPN, ""},
    {"HELP", SMTP_HELP, NULL},         {"XCLIENT", SMTP_XCLIENT, ""},
    {"XFORWARD", SMTP_XFORWARD, ""},   {"ETRN", SMTP_OTHER, ""},
    {"TURN", SMTP_TURN, NULL},         {"ATRN", SMTP_TURN, NULL},
    {"SEND", SMTP_OTHER, "FROM"},      {"SOML", SMTP_OTHER, "FROM"},
    {"SAML", SMTP_OTHER, "FROM"},      {"BURL", SMTP_OTHER, ""},
    {"XEXCH50", SMTP_OTHER, ""},       {"X-EXPS", SMTP_OTHER, ""},
    {"XADR", SMTP_OTHER, ""},          {"XSTA", SMTP_OTHER, ""},
    {"X-LINK2STATE", SMTP_OTHER, ""},  {"VERB", SMTP_OTHER, NULL},
};

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
    size_t n = 0;
    while (n < text->len && !is_blank(text->data[n]))
        n++;
    struct span word = span_cut(*text, 0, n);
    *text = skip_blanks(span_cut(*text, n, text->len));
    return word;
}

static struct span trim_end(struct span s)
{
    while (s.len > 0 && (is_blank(s.data[s.len - 1]) || s.data[s.len - 1] == '\r'))
        s.len--;
    return s;
}

struct smtp_command smtp_command_parse(struct span line)
{
    struct smtp_command c = {.verb = SMTP_UNKNOWN};
    struct span rest = trim_end(skip_blanks(line));
    if (rest.len == 0) {
        c.verb = SMTP_EMPTY;
        return c;
    }
    struct span word = smtp_word(&rest);
    uint8_t second = word.len > 1 ? word.data[1] & 0xdf : 0;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        // The first two letters tell nearly all of them apart.
        const char *name = verbs[i].name;
        if ((word.data[0] & 0xdf) != (name[0] & 0xdf) || second != (name[1] & 0xdf) ||
            !span_equal_text(word, name))
            continue;
        const char *keyword = verbs[i].keyword;
        c.verb = verbs[i].verb;
        c.args = rest;
        c.well_formed = !keyword || (rest.len > 0 && span_begins(rest, keyword));
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
    size_t at = p.address.len;
    for (size_t i = 0; i < p.address.len; i++) {
        uint8_t o = p.address.data[i];
        if (o == '@') {
            p.routed = p.routed || at < p.address.len;
            at = i;
        } else if (o == '%' || o == '!') {
            // In the local part only: a domain has neither.
            p.routed = p.routed || at == p.address.len;
        }
    }
    p.domain = span_cut(p.address, at + 1, p.address.len);
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
