// See mail_text.h.
#include "maillog/mail_text.h"

#include "common/record.h"
#include "proto/blocklist.h"

size_t mail_text_find(struct span s, size_t from, const char *what)
{
    if (from > s.len || s.len == 0)
        return MAIL_TEXT_NONE;
    const uint8_t *p = memmem(s.data + from, s.len - from, what, strlen(what));
    return p ? (size_t)(p - s.data) : MAIL_TEXT_NONE;
}

size_t mail_text_find_last(struct span s, const char *what)
{
    size_t n = strlen(what);
    for (size_t at = s.len; at >= n; at--)
        if (memcmp(s.data + at - n, what, n) == 0)
            return at - n;
    return MAIL_TEXT_NONE;
}

bool mail_text_has(struct span s, const char *what)
{
    size_t n = strlen(what);
    for (size_t at = 0; at + n <= s.len; at++)
        if ((s.data[at] | 0x20) == (what[0] | 0x20) && span_begins(span_cut(s, at, n), what))
            return true;
    return false;
}

bool mail_text_between(struct span s, const char *key, const char *end, struct span *out)
{
    size_t at = mail_text_find(s, 0, key);
    if (at == MAIL_TEXT_NONE)
        return false;
    at += strlen(key);
    size_t stop = mail_text_find(s, at, end);
    *out = span_cut(s, at, stop == MAIL_TEXT_NONE ? s.len : stop - at);
    return true;
}

bool mail_text_address(struct span s, struct ip_addr *out)
{
    char text[IP_TEXT_MAX];
    if (span_begins(s, "IPv6:"))
        s = span_cut(s, 5, s.len);
    if (s.len == 0 || s.len >= sizeof text)
        return false;
    memcpy(text, s.data, s.len);
    text[s.len] = '\0';
    return strlen(text) == s.len && ip_parse(text, out) == 0;
}

size_t mail_text_number(struct span s, uint32_t *out)
{
    uint64_t v = 0;
    size_t n = 0;
    for (; n < s.len && s.data[n] >= '0' && s.data[n] <= '9'; n++)
        v = v > UINT32_MAX ? v : v * 10 + (s.data[n] - (unsigned)'0');
    *out = v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
    return n;
}

size_t mail_text_client(struct span s, struct ip_addr *addr, uint16_t *port)
{
    // A host name has no blank and no bracket.
    size_t open = 0;
    while (open < s.len && s.data[open] != '[' && s.data[open] != ' ')
        open++;
    const uint8_t *close = open < s.len && s.data[open] == '['
                               ? memchr(s.data + open, ']', s.len - open)
                               : NULL;
    if (!close)
        return 0;
    size_t end = (size_t)(close - s.data);
    *addr = (struct ip_addr){0};
    mail_text_address(span_cut(s, open + 1, end - open - 1), addr);
    *port = 0;
    end++;
    if (end < s.len && s.data[end] == ':') {
        uint32_t number;
        size_t n = mail_text_number(span_cut(s, end + 1, 6), &number);
        if (n > 0 && number <= UINT16_MAX) {
            *port = (uint16_t)number;
            end += n + 1;
        }
    }
    return end;
}

uint16_t mail_text_reply(struct span s)
{
    uint32_t code;
    size_t n = mail_text_number(s, &code);
    if (n == 3 && code >= 200 && code <= 599)
        return (uint16_t)code;
    if (n == 1 && s.len > 3 && s.data[1] == '.' && (code == 2 || code == 4 || code == 5))
        return (uint16_t)(code * 100 + 50);
    return 0;
}

uint8_t mail_text_filter(struct span s)
{
    static const struct {
        const char *word;
        uint8_t filter;
    } words[] = {
        {"virus", RECORD_FILTER_VIRUS},
        {"infected", RECORD_FILTER_VIRUS},
        {"malware", RECORD_FILTER_VIRUS},
        {"clamav", RECORD_FILTER_VIRUS},
        {"phish", RECORD_FILTER_SPAM},
        {"rate limit", RECORD_FILTER_RATE},
        {"too much mail", RECORD_FILTER_RATE},
        {"too many", RECORD_FILTER_RATE},
        {"quota exceeded", RECORD_FILTER_RATE},
        {"limit exceeded", RECORD_FILTER_RATE},
        {"ratelimit", RECORD_FILTER_RATE},
        {"spamhaus", RECORD_FILTER_POLICY},
        {"blocked using", RECORD_FILTER_POLICY},
        {"spam", RECORD_FILTER_SPAM},
        {"gtube", RECORD_FILTER_SPAM},
        {"banned", RECORD_FILTER_POLICY},
        {"content rejected", RECORD_FILTER_POLICY},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (mail_text_has(s, words[i].word))
            return words[i].filter;
    return RECORD_FILTER_NONE;
}

uint8_t mail_text_blocklist(struct span s)
{
    static const struct ip_addr nobody;
    struct blocklist_finding finding = {0};
    blocklist_look(&finding, s, &nobody);
    switch (blocklist_kind(&finding)) {
    case BLOCKLIST_POLICY: return 1;
    case BLOCKLIST_EXPLOIT: return 2;
    case BLOCKLIST_UNKNOWN: return 3;
    case BLOCKLIST_NONE:
    default: return 0;
    }
}
