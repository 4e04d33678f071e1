// Frames of any link through the whole packet path: decapsulation, fragments, flow table, streams,
// trackers, export. Input: link type (an index), then for each frame a time step in units of 16 ms, the
// octets that the snap length cut off, a length of two octets, and the frame.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cursor.h"
#include "common/log.h"
#include "sensor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int linktypes[] = {1, 12, 0, 108, 9, 50, 51, 104, 105, 113, 127, 228, 229, 276};

// A sensor is costly to make and serves many inputs: what one leaves behind may surprise the next.
#define INPUTS_A_SENSOR 1000

static struct sensor_conf conf;
static struct prefix_set *subscribers, *none;
static struct sensor *sensor;
static int64_t now_us;

static void set_up(void)
{
    struct conf_section section = {.name = "sensor", .keys = sensor_conf_keys, .out = &conf};
    static const char text[] =
        "sensor: {flows: 1024, dialogues: 64, realms: 16, duplicate_entries: 1024, "
        "stream_memory: 64k, stream_flow_memory: 4k, fragments: 16, fragment_memory: 64k, "
        "realm_layers: [vlan, qinq, pppoe, mpls, vni, l2tp, gtp, b4]}";
    log_open("fuzz");
    if (conf_load_text("fuzz", ".", text, strlen(text), &section, 1, stderr) != 0)
        abort();
    subscribers = prefix_set_new();
    none = prefix_set_new();
    if (!subscribers || !none || prefix_set_add_private(subscribers, 0) != 0)
        abort();
    prefix_set_freeze(subscribers);
    prefix_set_freeze(none);
}

static void renew(void)
{
    struct sensor_setup setup = {.conf = &conf,
                                 .subscribers = subscribers,
                                 .smarthosts = none,
                                 .key = keyed_hash_key_replay(),
                                 .profile = COVERAGE_FULL_ENVELOPE};
    sensor_free(sensor);
    sensor = sensor_new(&setup);
    now_us = 1700000000000000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor c = cursor_of(span_of(data, size));
    if (!subscribers)
        set_up();
    static unsigned inputs;
    if (inputs++ % INPUTS_A_SENSOR == 0)
        renew();
    if (!sensor)
        return 0;
    struct source_frame frame = {
        .linktype = linktypes[cursor_u8(&c) % (sizeof linktypes / sizeof linktypes[0])]};
    while (cursor_left(&c) > 0) {
        frame.t_us = now_us += cursor_u8(&c) * 16000;
        uint32_t cut = cursor_u8(&c);
        size_t len = cursor_u16(&c);
        if (len > cursor_left(&c))
            len = cursor_left(&c);
        // A copy of its own, so that a read behind the frame is seen.
        struct span part = cursor_take(&c, len);
        uint8_t *copy = malloc(len ? len : 1);
        if (!copy)
            break;
        if (len > 0)
            memcpy(copy, part.data, len);
        frame.data = span_of(copy, len);
        frame.wire = (uint32_t)len + cut;
        sensor_frame(sensor, &frame);
        free(copy);
    }
    sensor_finish(sensor);
    now_us += 60000000;
    return 0;
}
