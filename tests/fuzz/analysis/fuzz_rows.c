// Any rows into the engine: the journal is another program's, and its checksum says only that nobody
// has changed it. What is said of them must be readable again.
#include <stdio.h>
#include <stdlib.h>

#include "engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct verdict *v, void *ctx)
{
    (void)ctx;
    struct verdict *back = malloc(sizeof *back);
    char error[160];
    json_t *j = verdict_to_json(v);
    if (!back || !j || verdict_from_json(j, back, error) != 0)
        abort();
    json_decref(j);
    free(back);
}

// Length, row; length, row; ...
static void feed(struct engine *e, struct cursor *c)
{
    static const struct journal_cursor at = {20261122, 1, 0, 0};
    while (cursor_left(c) > 0) {
        struct cursor one = cursor_of(cursor_take(c, cursor_u16(c)));
        struct minute_row r;
        if (c->failed || minute_row_decode(&one, &r, NULL) != 0)
            return;
        (void)engine_row(e, &r, &at, &at);
        engine_mark(e, r.cut_ms);
        minute_row_fini(&r, NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct conf_site site;
    static struct settings *settings;
    const struct conf_section sections[] = {{"site", conf_site_keys, &site},
                                            {"analysis", settings_keys(), settings}};
    if (!settings) {
        static const char text[] = "analysis: {parties_max: 16}\n";
        settings = calloc(1, settings_size());
        struct conf_section first[] = {sections[0], {"analysis", settings_keys(), settings}};
        if (!settings || conf_load_text("fuzz", ".", text, sizeof text - 1, first, 2, stderr) != 0)
            abort();
    }
    struct engine_options options = {.settings = settings, .site = &site, .conf_hash = "00"};
    struct engine *e = engine_new(&options, check, NULL);
    struct cursor c = cursor_of(span_of(data, size));
    if (!e)
        abort();
    feed(e, &c);
    engine_free(e);
    return 0;
}
