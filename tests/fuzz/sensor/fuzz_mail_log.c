// Any octets as a mail server's log, cut into pieces at any place: joined and told within bounds, and every
// record that comes of them is a possible one. The first octet chooses the form of the lines.
#include <stdio.h>
#include <stdlib.h>

#include "maillog/mail_lines.h"
#include "maillog/mail_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int put(void *state, const struct record *r)
{
    (void)state;
    const char *wrong = record_check(r);
    if (wrong) {
        fprintf(stderr, "impossible record: %s\n", wrong);
        abort();
    }
    return 0;
}

static void on_line(void *ctx, struct span line)
{
    mail_log_line(ctx, line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sink_kind kind = {.name = "fuzz", .put = put};
    static struct mail_lines lines;
    static struct prefix_set *all;
    static struct network_file *networks;
    static struct keyed_hash_key key;
    struct sink sink = {.kind = &kind};
    if (size < 2)
        return 0;
    if (!all) {
        static const struct ip_prefix v4 = {.addr = {.family = IP_V4}},
                                      v6 = {.addr = {.family = IP_V6}};
        all = prefix_set_new();
        prefix_set_add(all, &v4, 0);
        prefix_set_add(all, &v6, 0);
        prefix_set_freeze(all);
        network_file_load(NULL, stderr, &networks);
        key = keyed_hash_key_replay();
    }
    struct mail_log_config config = {
        .join = {.key = &key,
                 .subscribers = all,
                 .mailbox_domain = "example.net",
                 .messages = 8,
                 .sessions = 8,
                 .profile = COVERAGE_FULL_ENVELOPE},
        .emit = {.sink = &sink,
                 .networks = networks,
                 .declared = {.sensor = "mx", .sampling = 1},
                 .domain = 1},
        .format = data[0] % 4,
        .now_ms = 1795338000000,
    };
    struct mail_log *log = mail_log_new(&config);
    if (!log)
        return 0;
    size_t step = 1 + data[1] % 200u;
    for (size_t at = 2; at < size; at += step)
        mail_lines_feed(&lines, span_cut(span_of(data, size), at, step), on_line, log);
    mail_lines_end(&lines, on_line, log);
    mail_log_finish(log);
    mail_log_free(log);
    return 0;
}
