// Is a dialogue SMTP? By what both sides say first, on any port; on mail ports (25, 465, 587, 2525)
// less is enough, because there hardly anything else speaks in lines. FTP greets with 220, too.
#include "ident.h"
#include "proto/smtp.h"

bool smtp_begins_reply(struct span s)
{
    return s.len >= 3 && s.data[0] >= '2' && s.data[0] <= '5' && s.data[1] >= '0' &&
           s.data[1] <= '9' && s.data[2] >= '0' && s.data[2] <= '9' &&
           (s.len == 3 || s.data[3] == ' ' || s.data[3] == '-' || s.data[3] == '\r' ||
            s.data[3] == '\n');
}

// EHLO, HELO or LHLO: the whole word, or what may become one.
static enum proto_match greets(struct span c)
{
    static const char *const words[] = {"EHLO", "HELO", "LHLO"};
    while (c.len > 0 && (c.data[0] == '\r' || c.data[0] == '\n' || c.data[0] == ' '))
        c = span_cut(c, 1, c.len);
    for (size_t i = 0; i < 3; i++) {
        if (c.len <= 4 && strncasecmp((const char *)c.data, words[i], c.len) == 0)
            return PROTO_MAYBE;
        if (c.len > 4 && span_begins(c, words[i]))
            return c.data[4] <= ' ' ? PROTO_YES : PROTO_NO;
    }
    return PROTO_NO;
}

static struct span next_line(struct span *rest)
{
    const uint8_t *lf = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;
    size_t len = lf ? (size_t)(lf - rest->data) : rest->len;
    struct span line = span_cut(*rest, 0, len);
    *rest = span_cut(*rest, lf ? len + 1 : len, rest->len);
    return line;
}

// Is one of these lines an SMTP command that nothing else could be?
static bool has_command(struct span c, bool any_verb)
{
    while (c.len > 0) {
        struct span line = next_line(&c);
        struct smtp_command command = smtp_command_parse(line);
        bool envelope = command.verb == SMTP_MAIL || command.verb == SMTP_RCPT;
        if (command.well_formed && envelope)
            return true;
        if (any_verb && smtp_command_looks_like(line) && command.verb != SMTP_DATA)
            return true;
    }
    return false;
}

static bool line_has(struct span line, const char *word)
{
    for (size_t i = 0; i < line.len; i++)
        if (span_begins(span_cut(line, i, line.len), word))
            return true;
    return false;
}

// An FTP server's name may contain "smtp"; the other way round the client's word is awaited.
static bool names_smtp(struct span greeting)
{
    struct span line = next_line(&greeting);
    return (line_has(line, "SMTP") || line_has(line, "LMTP")) && !line_has(line, "FTP");
}

static enum proto_match match_mail_port(struct span c, struct span s)
{
    if (smtp_begins_reply(s) && s.len > 3)
        return PROTO_YES;
    if (has_command(c, true))
        return PROTO_YES;
    // Something else answered, or both have said what they had to say.
    if (s.len > 8 && c.len > 8)
        return PROTO_NO;
    return PROTO_MAYBE;
}

enum proto_match smtp_match(const struct proto_peek *p)
{
    struct span c = p->first[PROTO_INITIATOR], s = p->first[PROTO_RESPONDER];
    if (p->ip_proto != 6 || ident_common_app(p) != RECORD_APP_UNKNOWN)
        return PROTO_NO;
    enum proto_match hello = c.len > 0 ? greets(c) : PROTO_MAYBE;
    if (hello == PROTO_YES)
        return PROTO_YES;
    if (ident_is_mail_port(p->port[PROTO_RESPONDER]))
        return match_mail_port(c, s);
    if (p->midstream && has_command(c, false))
        return PROTO_YES;
    if (s.len == 0)
        return hello;
    if (span_begins(s, "220") && (s.len == 3 || smtp_begins_reply(s)))
        return names_smtp(s) ? PROTO_YES : hello;
    // Behind another reply the client's word tells, once it is whole.
    return s.len < 3 || c.len > 0 ? hello : PROTO_NO;
}
