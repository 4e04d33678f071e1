// What tests of the joiner share: a log whose records are written as text, a line each, and a session to begin with.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "maillog/mail_log.h"

static struct prefix_set *subscribers;
static struct network_file *networks;
static struct keyed_hash_key key;

// ---- A sink that writes what it gets as text, a line a record.

static char told[65536];
static size_t told_len, coverages;
static uint64_t last_sequence;
static int64_t watermark;

static const char *name_of(const struct keyed_hash *h)
{
    static const struct {
        enum keyed_hash_kind kind;
        const char *text;
    } known[] = {
        {KEYED_HASH_MAILBOX, "bob@example.net"},    {KEYED_HASH_MAILBOX, "eve@example.net"},
        {KEYED_HASH_RECIPIENT, "c@d.example"},      {KEYED_HASH_RECIPIENT, "e@f.example"},
        {KEYED_HASH_SENDER, "bob@example.net"},     {KEYED_HASH_AUTH_USER, "carol"},
        {KEYED_HASH_RECIPIENT_DOMAIN, "d.example"}, {KEYED_HASH_RECIPIENT_DOMAIN, "f.example"},
        {KEYED_HASH_SENDER_DOMAIN, "example.net"},  {KEYED_HASH_HELO, "pc"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct keyed_hash one = keyed_hash(&key, known[i].kind, span_of_text(known[i].text));
        if (one.kind == h->kind && one.value == h->value)
            return known[i].text;
    }
    return "?";
}

static void put_mail(const struct record_mail *m)
{
    static const char *const events[] = {"",     "connect",  "message", "reject",
                                         "auth", "delivery", "bounce"};
    static const char *const filters[] = {"", " spam", " virus", " policy", " rate"};
    char ip[IP_TEXT_MAX];
    if (sizeof told - told_len < 1024) // enough was seen
        return;
    FILE *out = fmemopen(told + told_len, sizeof told - told_len, "w");
    fprintf(out, "%s %s:%u>%u", events[m->event], ip_format(&m->client, ip), m->client_port,
            m->server_port);
    if (m->mailbox.kind)
        fprintf(out, " %s", name_of(&m->mailbox));
    fprintf(out, "%s%s%s", m->tls ? " tls" : "", m->auth_failed ? " failed" : "",
            filters[m->filter]);
    if (m->reply_code)
        fprintf(out, " %u", m->reply_code);
    if (m->recipients + m->recipients_4xx + m->recipients_5xx)
        fprintf(out, " rcpt=%u/%u/%u", m->recipients, m->recipients_4xx, m->recipients_5xx);
    if (m->message_octets)
        fprintf(out, " size=%u", m->message_octets);
    if (m->blocklist)
        fprintf(out, " list=%u", m->blocklist);
    if (m->client_asn)
        fprintf(out, " as%u%s", m->client_asn, m->client_country);
    for (unsigned i = 0; i < m->hash_count; i++)
        fprintf(out, " %u:%s", m->hash[i].kind, name_of(&m->hash[i]));
    fputc('\n', out);
    told_len += (size_t)ftell(out);
    fclose(out);
}

static int put(void *state, const struct record *r)
{
    (void)state;
    assert_int_equal(r->id.sequence, last_sequence + 1);
    last_sequence++;
    assert_null(record_check(r));
    if (r->kind == RECORD_COVERAGE) {
        coverages++;
        assert_true(r->coverage.t_ms > watermark);
        watermark = r->coverage.t_ms;
    } else {
        assert_true(r->mail.t_ms >= watermark);
        put_mail(&r->mail);
    }
    return 0;
}

static const struct sink_kind sink_kind = {.name = "test", .put = put};
static struct sink sink = {.kind = &sink_kind};

static inline struct mail_log *open_log(uint32_t messages, uint8_t profile)
{
    struct mail_log_config config = {
        .join = {.key = &key,
                 .subscribers = subscribers,
                 .mailbox_domain = "example.net",
                 .profile = profile,
                 .messages = messages,
                 .sessions = messages},
        .emit = {.sink = &sink,
                 .networks = networks,
                 .declared = {.sensor = "mx1", .sampling = 1},
                 .domain = 9},
        .now_ms = 1795338000000,
    };
    told_len = coverages = 0;
    told[0] = '\0';
    last_sequence = 0;
    watermark = 0;
    struct mail_log *l = mail_log_new(&config);
    assert_non_null(l);
    return l;
}

// "SECONDS PROGRAM[PID] MESSAGE", a line each.
static inline void feed(struct mail_log *l, const char *text)
{
    char line[1024];
    while (*text) {
        size_t len = strcspn(text, "\n");
        unsigned s = (unsigned)strtoul(text, NULL, 10);
        const char *rest = strchr(text, ' ') + 1;
        int n = snprintf(line, sizeof line, "2026-11-22T09:%02u:%02uZ mx1 %.*s", s / 60, s % 60,
                         (int)(len - (size_t)(rest - text)), rest);
        mail_log_line(l, span_of(line, (size_t)n));
        text += len + (text[len] == '\n');
    }
}

static inline void check(const char *lines, const char *expected)
{
    struct mail_log *l = open_log(64, COVERAGE_FULL_ENVELOPE);
    feed(l, lines);
    mail_log_finish(l);
    mail_log_free(l);
    assert_string_equal(told, expected);
}

#define SESSION                                                                                    \
    "0 postfix/submission/smtpd[7]: connect from a[10.0.0.7]:99\n"                                 \
    "0 postfix/submission/smtpd[7]: Anonymous TLS connection established from a[10.0.0.7]:99: X\n" \
    "1 postfix/submission/smtpd[7]: AB12CD34EF: client=a[10.0.0.7]:99, sasl_method=PLAIN, "        \
    "sasl_username=bob\n"                                                                          \
    "1 postfix/cleanup[8]: AB12CD34EF: message-id=<x@y>\n"
#define QUEUED \
    "1 postfix/qmgr[9]: AB12CD34EF: from=<bob@example.net>, size=50, nrcpt=2 (queue active)\n"
#define ACCEPTED                                                                              \
    QUEUED "1 postfix/submission/smtpd[7]: disconnect from a[10.0.0.7]:99 ehlo=2 starttls=1 " \
           "auth=1 mail=1 rcpt=2 data=1 quit=1 commands=8\n"
#define TOLD_SESSION "connect 10.0.0.7:99>587 tls\nauth 10.0.0.7:99>587 bob@example.net tls\n"
#define TOLD_INNER   "delivery 10.0.0.7:99>587 bob@example.net tls 250 1:c@d.example 8:d.example\n"
#define TOLD_MESSAGE                                                                        \
    "message 10.0.0.7:99>587 bob@example.net tls 250 rcpt=2/0/0 size=50 2:bob@example.net " \
    "3:example.net\n"

static inline int set_up(void **state)
{
    (void)state;
    char path[] = "/tmp/postern-test-XXXXXX";
    static const char text[] = "203.0.113.0/24 64500 DE\n";
    int fd = mkstemp(path);
    key = keyed_hash_key_replay();
    subscribers = prefix_set_new();
    prefix_set_add_private(subscribers, 0);
    prefix_set_freeze(subscribers);
    if (fd < 0 || write(fd, text, sizeof text - 1) != sizeof text - 1 || close(fd) != 0)
        return -1;
    int rc = network_file_load(path, stderr, &networks);
    unlink(path);
    return rc;
}

static inline int tear_down(void **state)
{
    (void)state;
    prefix_set_free(subscribers);
    network_file_free(networks);
    return 0;
}
