// The whole sensor, from captures to the file of records: every record is possible, identities have no
// gaps, nothing comes behind its watermark, a flow begins and ends once, and twice the same input
// gives twice the same octets.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "recipe.h"
#include "scratch.h"
#include "sensor.h"

static struct sensor_conf conf;
static struct prefix_set *subscribers, *none;
static char folder[SCRATCH_MAX];

static void set_up(void)
{
    struct conf_section section = {.name = "sensor", .keys = sensor_conf_keys, .out = &conf};
    static const char text[] = "sensor: {domain: 1, flows: 4096, dialogues: 1024, realms: 256, "
                               "stream_memory: 4M, fragment_memory: 1M}";
    assert_int_equal(conf_load_text("test", ".", text, strlen(text), &section, 1, stderr), 0);
    subscribers = prefix_set_new();
    none = prefix_set_new();
    prefix_set_add_private(subscribers, 0);
    prefix_set_freeze(subscribers);
    prefix_set_freeze(none);
    assert_int_equal(scratch_make(folder), 0);
}

static struct sensor *open_sensor(struct sink *sink)
{
    struct sensor_setup setup = {.conf = &conf,
                                 .subscribers = subscribers,
                                 .smarthosts = none,
                                 .key = keyed_hash_key_replay(),
                                 .profile = COVERAGE_FULL_ENVELOPE,
                                 .sink = sink};
    struct sensor *s = sensor_new(&setup);
    assert_non_null(s);
    return s;
}

static void run(const char *capture, const char *records)
{
    struct sink sink;
    struct source source;
    struct source_frame frame;
    const char *failed;
    assert_int_equal(sink_file_open(records, 1, &sink), 0);
    assert_int_equal(source_files_open(&capture, 1, &source, &failed), 0);
    struct sensor *s = open_sensor(&sink);
    while (source_next(&source, &frame) == SOURCE_FRAME)
        sensor_frame(s, &frame);
    sensor_finish(s);
    assert_int_equal(sensor_error(s), 0);
    sensor_free(s);
    source_close(&source);
    assert_int_equal(sink_close(&sink), 0);
}

// ---- Reading back.

#define FLOWS_MAX 4096

struct told {
    uint64_t hash;
    int64_t start_ms;
    bool ended;
};

static void check_flow(const struct record_flow *f, int64_t watermark, struct told *told,
                       size_t *flows, const char *name)
{
    size_t i = 0;
    while (i < *flows && (told[i].hash != f->flow_hash || told[i].start_ms != f->flow_start_ms))
        i++;
    if (f->flags & RECORD_START) {
        assert_true(*flows < FLOWS_MAX);
        // A subscriber's flow begins before the coverage that closes its minute.
        if (f->side != RECORD_SIDE_NONE)
            assert_true(f->flow_start_ms >= watermark - watermark % 60000);
        told[(*flows)++] = (struct told){.hash = f->flow_hash, .start_ms = f->flow_start_ms};
        i = *flows - 1;
    } else if (i == *flows) {
        fail_msg("%s: a record continues a flow that never began", name);
    }
    if (told[i].ended)
        fail_msg("%s: a record behind its flow's end", name);
    told[i].ended = f->flags & RECORD_END;
    assert_true(f->end_ms >= watermark);
}

static void check_records(const char *records, const char *name)
{
    static struct told told[FLOWS_MAX];
    struct record_reader *reader;
    struct record r;
    uint64_t sequence = 0, packets = 0;
    int64_t watermark = INT64_MIN;
    size_t flows = 0;
    bool last = false;
    assert_int_equal(record_reader_open(records, &reader), 0);
    while (record_reader_next(reader, &r) == 1) {
        const char *bad = record_check(&r);
        if (bad)
            fail_msg("%s: %s", name, bad);
        assert_int_equal(r.id.sequence, ++sequence);
        assert_false(last);
        if (r.kind == RECORD_COVERAGE) {
            assert_true(r.coverage.t_ms > watermark);
            assert_true(r.coverage.alarms & COVERAGE_REPLAY);
            watermark = r.coverage.t_ms;
            packets += r.coverage.packets;
            last = r.coverage.last;
            continue;
        }
        check_flow(&r.flow, watermark, told, &flows, name);
    }
    const struct record_reader_stats *stats = record_reader_stats(reader);
    assert_int_equal(stats->bad_value + stats->bad_record + stats->bad_set + stats->bad_message, 0);
    assert_false(stats->truncated);
    if (sequence > 0)
        assert_true(last && packets > 0);
    for (size_t i = 0; i < flows; i++)
        if (!told[i].ended)
            fail_msg("%s: a flow never ended", name);
    record_reader_close(reader);
}

static bool same_octets(const char *a, const char *b)
{
    FILE *x = fopen(a, "rb"), *y = fopen(b, "rb");
    int c, d;
    assert_true(x && y);
    do {
        c = fgetc(x);
        d = fgetc(y);
    } while (c == d && c != EOF);
    fclose(x);
    fclose(y);
    return c == d;
}

static void test_captures(void **state)
{
    (void)state;
    char line[4096], capture[1024], first[96], second[96];
    FILE *index = fopen(POSTERN_SHARED_DIR "/captures/index.tsv", "r");
    if (!index) {
        print_message("skipped: no captures in " POSTERN_SHARED_DIR "\n");
        skip();
    }
    snprintf(first, sizeof first, "%s/first", folder);
    snprintf(second, sizeof second, "%s/second", folder);
    assert_non_null(fgets(line, sizeof line, index));
    while (fgets(line, sizeof line, index)) {
        char *rest = line, *column[7] = {0};
        for (size_t i = 0; i < 7; i++)
            column[i] = strsep(&rest, "\t");
        // Years between the packets of some captures make many seconds of coverage and nothing new.
        if (!strstr(column[6], "smtp") && !strstr(column[6], "socks"))
            continue;
        snprintf(capture, sizeof capture, POSTERN_SHARED_DIR "/captures/%s", column[2]);
        run(capture, first);
        check_records(first, column[2]);
        run(capture, second);
        if (!same_octets(first, second))
            fail_msg("%s: two runs differ", column[2]);
    }
    fclose(index);
}

// ---- Time.

static void send(struct sensor *s, const char *words, int64_t t_us)
{
    struct recipe r;
    recipe_make(&r, words);
    struct source_frame frame = {
        .t_us = t_us, .linktype = 1, .data = span_of(r.at, r.len), .wire = r.len};
    sensor_frame(s, &frame);
}

// A coverage record a second, idle seconds too; a long pause is not said to have been watched; time
// that goes back is counted and does not go back.
static void test_time(void **state)
{
    (void)state;
    char path[96];
    struct sink sink;
    struct record_reader *reader;
    struct record r;
    const int64_t second = 1000000, begin = 1700000000 * second;
    snprintf(path, sizeof path, "%s/time", folder);
    assert_int_equal(sink_file_open(path, 1, &sink), 0);
    struct sensor *s = open_sensor(&sink);
    send(s, "eth:0800 v4", begin + 500000);
    send(s, "eth:0800 v4", begin + 10 * second);
    send(s, "eth:0806 x:00", begin + 9 * second);
    assert_int_equal(sensor_stats(s)->clock_back, 1);
    send(s, "eth:0800 v4", begin + 10 * second + 899 * second);
    send(s, "eth:0800 v4", begin + 909 * second + 3600 * second);
    send(s, "eth:0800 v4", begin + 400 * 24 * 3600 * second);
    sensor_finish(s);
    sensor_free(s);
    assert_int_equal(sink_close(&sink), 0);
    assert_int_equal(record_reader_open(path, &reader), 0);
    int64_t expected = 1700000001000;
    uint64_t seconds = 0, not_ip = 0;
    while (record_reader_next(reader, &r) == 1) {
        assert_int_equal(r.id.domain, 1);
        assert_int_equal(r.id.epoch, begin + 500000);
        if (r.kind != RECORD_COVERAGE)
            continue;
        if (++seconds <= 10)
            assert_int_equal(r.coverage.t_ms, expected);
        expected += 1000;
        not_ip += r.coverage.not_ip;
        if (r.coverage.t_ms == 1700000011000)
            assert_true(r.coverage.alarms & COVERAGE_CLOCK);
    }
    assert_int_equal(not_ip, 1);
    // A quarter of an hour is covered (909 seconds ended since the first packet); of the hour that follows, and
    // of four hundred days, the rest of a minute: both begin at its 30th second.
    assert_int_equal(seconds, 909 + 31 + 31 + 1);
    record_reader_close(reader);
}

// ---- However frames come.

#define DOUBLED 8000

// Every packet again 4.9 ms later, faster and slower: what falls out of the memory of doubled packets.
static uint64_t copies_found(size_t at_once)
{
    static uint8_t octets[DOUBLED][42];
    static struct source_frame frames[DOUBLED];
    static const uint8_t head[] = {2,    0, 0,   0,  0, 2, 2, 0, 0,    0,  0, 1, 8,    0,
                                   0x45, 0, 0,   28, 0, 0, 0, 0, 0x40, 17, 0, 0, 10,   0,
                                   0,    7, 192, 0,  2, 1, 0, 9, 0,    9,  0, 8, 0x12, 0x34};
    struct sink sink;
    char path[96];
    static int64_t sent[DOUBLED / 2];
    int64_t t_us = INT64_C(1700000000000000);
    for (size_t i = 0; i < DOUBLED / 2; i++)
        sent[i] = t_us += i / 500 % 3 == 0 ? 400 : i / 500 % 3 == 1 ? 9 : 90;
    for (size_t n = 0, first = 0, again = 0; n < DOUBLED; n++) {
        bool copy = first == DOUBLED / 2 || sent[again] + 4900 < sent[first];
        size_t i = copy ? again++ : first++;
        memcpy(octets[n], head, sizeof head);
        octets[n][18] = (uint8_t)(i >> 8);
        octets[n][19] = (uint8_t)i;
        frames[n] = (struct source_frame){.t_us = sent[i] + (copy ? 4900 : 0),
                                          .linktype = 1,
                                          .data = span_of(octets[n], 42),
                                          .wire = 42};
    }
    snprintf(path, sizeof path, "%s/first", folder);
    assert_int_equal(sink_file_open(path, 1, &sink), 0);
    struct sensor *s = open_sensor(&sink);
    for (size_t i = 0; i < DOUBLED; i += at_once)
        sensor_frames(s, frames + i, DOUBLED - i < at_once ? DOUBLED - i : at_once);
    sensor_finish(s);
    uint64_t found = sensor_stats(s)->duplicates;
    sensor_free(s);
    assert_int_equal(sink_close(&sink), 0);
    return found;
}

// The same packets count the same, whether they come one by one (a pipe) or by the block.
static void test_batches(void **state)
{
    (void)state;
    static const size_t at_once[] = {7, 32, 50, 1000};
    uint64_t found = copies_found(1);
    assert_true(found > DOUBLED / 3);
    for (size_t i = 0; i < sizeof at_once / sizeof at_once[0]; i++)
        assert_int_equal(copies_found(at_once[i]), found);
}

static void tear_down(void)
{
    scratch_remove(folder);
    prefix_set_free(subscribers);
    prefix_set_free(none);
    conf_free(sensor_conf_keys, &conf);
}

int main(void)
{
    log_open("test");
    set_up();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_captures), cmocka_unit_test(test_time),
                                       cmocka_unit_test(test_batches)};
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    tear_down();
    return rc;
}
