// Messages of RFC 5322's form: the text says nothing, some lines begin with a dot or look like a
// command, as they do in life.
#include <stdio.h>

#include "smtp.h"

enum { LINE_WORDS = 11, BASE64_LINE = 76 };

static const char *const words[] = {
    "about",  "again",    "all",   "and",    "answer", "are",   "at",     "before", "between",
    "book",   "call",     "can",   "change", "come",   "could", "date",   "day",    "did",
    "each",   "even",     "find",  "first",  "for",    "from",  "give",   "good",   "have",
    "hear",   "help",     "here",  "house",  "how",    "just",  "know",   "last",   "learn",
    "letter", "like",     "line",  "little", "long",   "look",  "made",   "make",   "many",
    "may",    "more",     "most",  "need",   "next",   "now",   "number", "off",    "one",
    "order",  "other",    "our",   "over",   "page",   "part",  "people", "place",  "point",
    "price",  "question", "right", "said",   "same",   "see",   "should", "small",  "some",
    "still",  "such",     "take",  "than",   "thank",  "that",  "them",   "then",   "these",
    "thing",  "this",     "time",  "today",  "under",  "until", "very",   "want",   "water",
    "week",   "well",     "what",  "when",   "where",  "which", "who",    "will",   "with",
    "word",   "work",     "would", "write",  "year",   "you"};
static const char *const odd_lines[] = {".",
                                        ".. and so on",
                                        ".hidden is the name of the file",
                                        "QUIT",
                                        "MAIL FROM:<nobody@example.org>",
                                        "RCPT TO: was the answer",
                                        "From here it is a short walk",
                                        "250 people came",
                                        "DATA"};
static const char *const subjects[4][4] = {
    {"Re: the order", "Question about the invoice", "Saturday", "Fwd: photos"},
    {"Our news in March", "Spring offers", "Your weekly summary", "Members' letter"},
    {"You have won", "Account notice", "Cheap watches for you", "Final reminder: open invoice"},
    {"Undelivered Mail Returned to Sender", "Delivery Status Notification (Failure)",
     "failure notice", "Mail delivery failed: returning message to sender"}};

static const char *word(struct rng *r)
{
    return words[rng_below(r, sizeof words / sizeof *words)];
}

static void line(struct buf *out, const char *text, bool stuff)
{
    if (stuff && text[0] == '.')
        buf_text(out, ".");
    buf_text(out, text);
    buf_text(out, "\r\n");
}

static void prose(struct buf *out, struct rng *r, bool stuff)
{
    if (rng_chance(r, 0.03)) {
        line(out, odd_lines[rng_below(r, sizeof odd_lines / sizeof *odd_lines)], stuff);
        return;
    }
    for (unsigned i = 0, n = 4 + rng_below(r, LINE_WORDS - 4); i < n; i++)
        buf_printf(out, "%s%s", i ? " " : "", word(r));
    buf_text(out, "\r\n");
}

static void base64_line(struct buf *out, struct rng *r)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[BASE64_LINE + 2];
    for (size_t i = 0; i < BASE64_LINE; i += 8) {
        uint64_t v = rng_u64(r);
        for (size_t k = i; k < i + 8 && k < BASE64_LINE; k++, v >>= 6)
            text[k] = alphabet[v & 63];
    }
    text[BASE64_LINE] = '\r';
    text[BASE64_LINE + 1] = '\n';
    buf_bytes(out, text, sizeof text);
}

static void header(struct buf *out, struct rng *r, const struct smtp_message *m,
                   const char *boundary)
{
    const char *from = m->sender[0] ? m->sender : "MAILER-DAEMON@example.org";
    buf_printf(out, "Message-ID: <%016llx@%s>\r\n", (unsigned long long)rng_u64(r),
               strchr(from, '@') ? strchr(from, '@') + 1 : "localhost");
    buf_printf(out, "Date: Mon, 2 Mar 2026 %02u:%02u:%02u +0000\r\n", rng_below(r, 24),
               rng_below(r, 60), rng_below(r, 60));
    buf_printf(out, "From: %s\r\nTo: %s\r\nSubject: %s\r\nMIME-Version: 1.0\r\n", from,
               m->rcpts ? m->rcpt[0].address : "undisclosed-recipients:;",
               subjects[m->body][rng_below(r, 4)]);
    if (boundary)
        buf_printf(out, "Content-Type: multipart/mixed; boundary=\"%s\"\r\n\r\n--%s\r\n", boundary,
                   boundary);
    buf_text(out,
             "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n");
}

void smtp_write_body(struct buf *out, struct rng *r, const struct smtp_message *m, bool stuff)
{
    char boundary[40];
    bool parts = m->octets > 4096; // the rest of a long letter is an attachment
    snprintf(boundary, sizeof boundary, "=_%016llx", (unsigned long long)rng_u64(r));
    size_t start = out->len;
    header(out, r, m, parts ? boundary : NULL);
    size_t text_end = parts ? 1500 : m->octets;
    do
        prose(out, r, stuff);
    while (out->len - start < text_end);
    if (!parts)
        return;
    buf_printf(out,
               "--%s\r\nContent-Type: application/octet-stream\r\n"
               "Content-Transfer-Encoding: base64\r\n\r\n",
               boundary);
    while (out->len - start < m->octets && !out->failed)
        base64_line(out, r);
    buf_printf(out, "--%s--\r\n", boundary);
}
