// The counts are of the dialogue, not of the packets: every shared capture with mail or SOCKS, mangled in
// every way, gives the counts of the capture as it is; with packets lost it never counts more, and
// says that something is missing where it counts less.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "mangle.h"
#include "sensor.h"

// One object a pair of endpoints: sums of all counters.
static json_t *run(const struct mangle_list *frames)
{
    static struct sensor_conf conf;
    static struct prefix_set *subscribers, *none;
    if (!subscribers) {
        struct conf_section section = {.name = "sensor", .keys = sensor_conf_keys, .out = &conf};
        static const char text[] = "sensor: {flows: 4096, dialogues: 1024, realms: 256, "
                                   "stream_memory: 4M, fragment_memory: 1M}";
        assert_int_equal(conf_load_text("test", ".", text, strlen(text), &section, 1, stderr), 0);
        subscribers = prefix_set_new();
        none = prefix_set_new();
        prefix_set_add_private(subscribers, 0);
        prefix_set_freeze(subscribers);
        prefix_set_freeze(none);
    }
    char *text = NULL;
    size_t len = 0;
    FILE *print = open_memstream(&text, &len);
    struct sensor_setup setup = {.conf = &conf,
                                 .subscribers = subscribers,
                                 .smarthosts = none,
                                 .key = keyed_hash_key_replay(),
                                 .profile = COVERAGE_FULL_ENVELOPE,
                                 .print = print};
    struct sensor *s = sensor_new(&setup);
    assert_non_null(s);
    for (size_t i = 0; i < frames->count; i++) {
        const struct mangle_frame *f = &frames->frame[i];
        struct source_frame frame = {.t_us = f->t_us,
                                     .linktype = f->linktype,
                                     .data = span_of(f->data, f->cap),
                                     .wire = f->wire};
        sensor_frame(s, &frame);
    }
    sensor_finish(s);
    sensor_free(s);
    fclose(print);
    json_t *sums = json_object();
    for (char *rest = text, *line; rest && (line = strsep(&rest, "\n"));) {
        json_t *flow = *line ? json_loads(line, 0, NULL) : NULL;
        if (!flow)
            continue;
        char key[200];
        json_t *a = json_object_get(flow, "initiator"), *b = json_object_get(flow, "responder");
        snprintf(key, sizeof key, "%s %lld - %s %lld",
                 json_string_value(json_object_get(a, "addr")),
                 json_integer_value(json_object_get(a, "port")),
                 json_string_value(json_object_get(b, "addr")),
                 json_integer_value(json_object_get(b, "port")));
        json_t *sum = json_object_get(sums, key);
        if (!sum) {
            sum = json_pack("{s:i}", "incomplete", 0);
            json_object_set_new(sums, key, sum);
        }
        if (!json_is_true(json_object_get(flow, "complete")))
            json_object_set_new(sum, "incomplete", json_integer(1));
        const char *name;
        json_t *value;
        json_object_foreach(json_object_get(flow, "smtp"), name,
                            value) if (json_is_integer(value) && strcmp(name, "banner_code") != 0)
            json_object_set_new(sum, name,
                                json_integer(json_integer_value(value) +
                                             json_integer_value(json_object_get(sum, name))));
        json_t *socks = json_object_get(flow, "socks");
        if (socks) {
            json_object_set(sum, "socks version", json_object_get(socks, "version"));
            json_object_set(sum, "socks target_port", json_object_get(socks, "target_port"));
        }
        json_decref(flow);
    }
    free(text);
    return sums;
}

// Differences printed; how many.
static int compare(const char *path, enum mangle_mode mode, json_t *truth, json_t *got)
{
    const char *key, *name;
    json_t *want, *value;
    int differ = 0;
    json_object_foreach(truth, key, want)
    {
        json_t *have = json_object_get(got, key);
        bool whole = json_integer_value(json_object_get(have, "incomplete")) == 0;
        json_object_foreach(want, name, value)
        {
            long long w = json_integer_value(value);
            long long h = json_integer_value(json_object_get(have, name));
            if (strcmp(name, "incomplete") == 0)
                continue;
            bool fine = mode == MANGLE_LOSS ? h == w || (h < w && (!have || !whole)) : h == w;
            if (fine)
                continue;
            print_message("%s, %s: %s: %s %lld instead of %lld\n", path, mangle_names[mode], key,
                          name, h, w);
            differ++;
        }
    }
    return differ;
}

static void test_all(void **state)
{
    (void)state;
    char line[4096], path[1024];
    FILE *index = fopen(POSTERN_SHARED_DIR "/captures/index.tsv", "r");
    if (!index) {
        print_message("skipped: no captures in " POSTERN_SHARED_DIR "\n");
        skip();
    }
    const char *only = getenv("MANGLE_ONLY");
    int differ = 0, ran = 0;
    assert_non_null(fgets(line, sizeof line, index));
    while (fgets(line, sizeof line, index)) {
        char *rest = line, *column[7] = {0};
        for (size_t i = 0; i < 7; i++)
            column[i] = strsep(&rest, "\t");
        if (!strstr(column[6], "smtp") && !strstr(column[6], "socks"))
            continue;
        if (only && !strstr(column[2], only))
            continue;
        struct mangle_list frames;
        snprintf(path, sizeof path, POSTERN_SHARED_DIR "/captures/%s", column[2]);
        assert_true(mangle_load(path, &frames));
        json_t *truth = run(&frames);
        for (enum mangle_mode mode = MANGLE_NONE + 1; mode < MANGLE_MODES; mode++) {
            struct mangle_list mangled;
            assert_true(mangle(&frames, mode, 1, &mangled));
            json_t *got = run(&mangled);
            differ += compare(column[2], mode, truth, got);
            json_decref(got);
            mangle_free(&mangled);
            ran++;
        }
        json_decref(truth);
        mangle_free(&frames);
    }
    fclose(index);
    print_message("%d mangled captures\n", ran);
    assert_true(ran > 0);
    assert_int_equal(differ, 0);
}

int main(void)
{
    log_open("test");
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
