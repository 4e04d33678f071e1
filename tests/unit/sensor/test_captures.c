// Every shared capture through decapsulation and flow table, with the encapsulations named as the
// captures' index says. Skips, and says so, where the captures are not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "decap/decap.h"
#include "flow.h"
#include "path.h"
#include "source.h"

#define NAMES_MAX 512

struct seen {
    char names[NAMES_MAX]; // "+vlan+pppoes+"
    unsigned flows;
};

// The index words what tshark shows somewhere in a frame; these are no layers but facts about the
// packets themselves.
static bool is_fact(const char *word)
{
    static const char *const facts[] = {"ipv6", "ip6mix", "ipip"};
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        if (strcmp(word, facts[i]) == 0)
            return true;
    return false;
}

static void note(void *ctx, struct flow_table *t, struct flow *f, unsigned flags, int64_t t_us)
{
    struct seen *s = ctx;
    (void)t;
    (void)f;
    (void)flags;
    (void)t_us;
    s->flows++;
}

static void note_path(struct seen *s, const struct packet *p)
{
    char text[64], wanted[70];
    struct intern_value path;
    path_of(p, &path);
    path_encap_text(&path, text, sizeof text);
    snprintf(wanted, sizeof wanted, "+%s+", text);
    size_t used = strlen(s->names);
    if (text[0] && !strstr(s->names, wanted) && used + sizeof wanted < sizeof s->names)
        snprintf(s->names + used, sizeof s->names - used, "%s", wanted + 1);
}

static void read_capture(const char *path, struct seen *seen, char skipped[static 512])
{
    static struct decap decap;
    static uint64_t counters[PROTO_COUNTER_N];
    struct keyed_hash_key key = keyed_hash_key_replay();
    struct prefix_set *subscribers = prefix_set_new(), *none = prefix_set_new();
    prefix_set_add_private(subscribers, 0);
    prefix_set_freeze(subscribers);
    prefix_set_freeze(none);
    struct stats stats = {0};
    struct flow_config config = {
        .flows = 4096,
        .dialogues = 1024,
        .realms = 256,
        .mirror_entries = 1024,
        .stream = {.memory = 1 << 20, .flow_memory = 1 << 18, .gap_us = 500000},
        .syn_timeout_us = 4000000,
        .half_open_us = 70000000,
        .early_us = 10000000,
        .idle_us = 900000000,
        .closing_us = 60000000,
        .linger_us = 1000000,
        .done_us = 10000000,
        .datagram_idle_us = 60000000,
        .dns_idle_us = 5000000,
        .duplicate_us = 5000,
        .subscribers = subscribers,
        .smarthosts = none,
        .proto = {.key = &key, .profile = COVERAGE_FULL_ENVELOPE, .counters = counters}};
    struct frag *frag = frag_new(256, 1 << 20, 30000000);
    struct flow_table *table = flow_table_new(&config, &stats, note, seen);
    const char *failed;
    struct source source;
    struct source_frame frame;
    int64_t now = 0;
    assert_int_equal(source_files_open(&path, 1, &source, &failed), 0);
    decap_init(&decap, frag);
    seen->names[0] = '+';
    while (source_next(&source, &frame) == SOURCE_FRAME) {
        struct packet p = {.t_us = frame.t_us > now ? frame.t_us : now};
        now = p.t_us;
        flow_run(table, now);
        if (decap_frame(&decap, frame.linktype, frame.data, frame.wire, &p) != DECAP_PACKET)
            continue;
        note_path(seen, &p);
        flow_packet(table, &p);
    }
    flow_finish(table, now);
    // Nothing is left behind.
    assert_int_equal(table->in_use, 0);
    assert_int_equal(dialogues_in_use(table->dialogues), 0);
    assert_int_equal(stream_pool_in_use(dialogues_stream_pool(table->dialogues)), 0);
    assert_int_equal(proto_pool_in_use(dialogues_proto_pool(table->dialogues)), 0);
    snprintf(skipped, 512, "%llu layers skipped", (unsigned long long)decap.skipped.total);
    source_close(&source);
    flow_table_free(table);
    frag_free(frag);
    prefix_set_free(subscribers);
    prefix_set_free(none);
}

// Is this layer of the index among those seen? Two tags count as a stack wherever they stand, and
// 802.11 is named by its frames, not by the radio's header.
static bool has_layer(const struct seen *seen, const char *word)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "+%s+", strcmp(word, "wlan_radio") == 0 ? "wlan" : word);
    if (strstr(seen->names, wanted))
        return true;
    const char *tag = strcmp(word, "qinq") == 0 ? strstr(seen->names, "+vlan+") : NULL;
    return tag && strstr(tag + 1, "+vlan+");
}

static int compare(const char *path, char *special, const struct seen *seen, const char *skipped)
{
    char *enc = strstr(special, "enc=");
    int missing = 0;
    if (!enc)
        return 0;
    enc += 4;
    enc[strcspn(enc, "; \t")] = '\0';
    for (char *word; (word = strsep(&enc, "+"));) {
        if (*word == '\0' || is_fact(word) || has_layer(seen, word))
            continue;
        missing++;
        print_message("%s: %s expected, seen %s (%u flows, %s)\n", path, word, seen->names,
                      seen->flows, skipped);
    }
    return missing;
}

static void test_index(void **state)
{
    (void)state;
    char line[4096], path[1024];
    FILE *index = fopen(POSTERN_SHARED_DIR "/captures/index.tsv", "r");
    if (!index) {
        print_message("skipped: no captures in " POSTERN_SHARED_DIR "\n");
        skip();
    }
    assert_non_null(fgets(line, sizeof line, index));
    int missing = 0, rows = 0;
    while (fgets(line, sizeof line, index)) {
        char *rest = line, *column[8] = {0}, skipped[512];
        for (size_t i = 0; i < 8; i++)
            column[i] = strsep(&rest, "\t");
        assert_non_null(column[7]);
        struct seen seen = {0};
        snprintf(path, sizeof path, POSTERN_SHARED_DIR "/captures/%s", column[2]);
        read_capture(path, &seen, skipped);
        missing += compare(column[2], column[7], &seen, skipped);
        rows++;
    }
    fclose(index);
    print_message("%d captures read\n", rows);
    assert_true(rows > 200);
    assert_int_equal(missing, 0);
}

int main(void)
{
    log_open("test");
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_index)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
