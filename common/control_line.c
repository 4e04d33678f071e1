// The line protocol of control_line.h. Each octet is looked at once; a line without its end is no
// request, however complete it looks.
#include "common/control_line.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define FIX_REQUEST "send one line as {\"v\":1,\"command\":\"status\"}"

void control_line_init(struct control_line *l, int64_t now_ms)
{
    *l = (struct control_line){.last_ms = now_ms};
    buf_init(&l->in, CONTROL_LINE_MAX + 1); // and its newline
    buf_init(&l->out, CONTROL_LINE_MAX + 1);
}

void control_line_fini(struct control_line *l)
{
    buf_fini(&l->in);
    buf_fini(&l->out);
}

size_t control_line_room(const struct control_line *l)
{
    return l->in.max - (l->in.len - l->start);
}

bool control_line_waits(const struct control_line *l)
{
    return l->overlong || l->scanned < l->in.len;
}

bool control_line_idle(struct control_line *l, int64_t now_ms)
{
    if (now_ms < l->last_ms)
        l->last_ms = now_ms;
    return now_ms - l->last_ms >= CONTROL_IDLE_MS;
}

bool control_line_broken(const struct control_line *l)
{
    return l->in.failed || l->out.failed;
}

struct span control_line_pending(const struct control_line *l)
{
    return span_cut(buf_span(&l->out), l->sent, l->out.len);
}

void control_line_sent(struct control_line *l, size_t octets, int64_t now_ms)
{
    assert(octets <= l->out.len - l->sent);
    l->sent += octets;
    l->last_ms = now_ms;
    if (l->sent == l->out.len) {
        buf_clear(&l->out);
        l->sent = 0;
    }
}

// Moves `scanned` on to the first newline, or to the end. A line that fills the buffer without one is
// dropped up to where its end will be.
static void scan(struct control_line *l)
{
    size_t left = l->in.len - l->scanned;
    const uint8_t *end = left > 0 ? memchr(l->in.data + l->scanned, '\n', left) : NULL;
    l->scanned = end ? (size_t)(end - l->in.data) : l->in.len;
    if (!l->skipping && (end || l->in.len - l->start <= CONTROL_LINE_MAX))
        return;
    l->overlong = end != NULL;
    l->skipping = end == NULL;
    l->scanned += end != NULL;
    l->start = l->scanned;
}

void control_line_feed(struct control_line *l, struct span data, int64_t now_ms)
{
    assert(data.len <= control_line_room(l));
    bool waited = control_line_waits(l);
    buf_consume(&l->in, l->start);
    l->scanned -= l->start;
    l->start = 0;
    buf_bytes(&l->in, data.data, data.len);
    l->last_ms = now_ms;
    if (!waited)
        scan(l);
}

// The answer as one line; what does not fit, or cannot be written, is answered with an error that does.
static void put_answer(struct control_line *l, json_t *answer)
{
    char *text = answer ? json_canonical(answer) : NULL;
    json_decref(answer);
    if (text && strlen(text) <= CONTROL_LINE_MAX)
        buf_text(&l->out, text);
    else
        buf_text(&l->out, text ? "{\"error\":{\"code\":\"failed\",\"fix\":\"ask for less at once\","
                                 "\"text\":\"the answer is longer than a line may be\"},"
                                 "\"ok\":false,\"v\":1}"
                               : "{\"error\":{\"code\":\"failed\",\"fix\":\"ask again later\","
                                 "\"text\":\"out of memory\"},\"ok\":false,\"v\":1}");
    buf_text(&l->out, "\n");
    free(text);
}

static json_t *error_answer(const struct control_error *e)
{
    return json_pack("{s:i, s:b, s:{s:s, s:o, s:o}}", "v", CONTROL_VERSION, "ok", 0, "error",
                     "code", e->code ? e->code : "failed", "text", control_text(e->text), "fix",
                     control_text(e->fix));
}

static json_t *refused(struct control_error *e, const char *what)
{
    e->code = "bad-request";
    snprintf(e->text, sizeof e->text, "%s", what);
    snprintf(e->fix, sizeof e->fix, FIX_REQUEST);
    return NULL;
}

// The result of one request, or NULL with `*error`.
static json_t *ask(struct span line, control_fn fn, void *ctx, int64_t now_ms,
                   struct control_error *error)
{
    json_error_t why;
    json_t *result = NULL,
           *request = json_loadb((const char *)line.data, line.len, JSON_REJECT_DUPLICATES, &why);
    const json_t *version = json_object_get(request, "v");
    const char *command = json_string_value(json_object_get(request, "command"));
    if (!request) {
        char text[200];
        snprintf(text, sizeof text, "no JSON: column %d: %.140s", why.column, why.text);
        refused(error, text);
    } else if (!json_is_object(request)) {
        refused(error, "a request is an object");
    } else if (!json_is_integer(version) || json_integer_value(version) != CONTROL_VERSION) {
        refused(error, "\"v\" is not 1: another version asks");
    } else if (!command) {
        refused(error, "\"command\" is missing or no text");
    } else {
        result = fn(ctx, command, request, now_ms, error);
    }
    json_decref(request);
    return result;
}

bool control_line_answer(struct control_line *l, control_fn fn, void *ctx, int64_t now_ms)
{
    struct control_error error = {0};
    if (l->out.len > 0 || !control_line_waits(l))
        return false;
    if (l->overlong) {
        l->overlong = false;
        refused(&error, "the line is longer than 65536 octets");
        put_answer(l, error_answer(&error));
    } else {
        struct span line = span_of(l->in.data + l->start, l->scanned - l->start);
        json_t *result = ask(line, fn, ctx, now_ms, &error);
        put_answer(l, result ? json_pack("{s:i, s:b, s:o}", "v", CONTROL_VERSION, "ok", 1, "result",
                                         result)
                             : error_answer(&error));
        l->start = ++l->scanned;
    }
    scan(l);
    return true;
}
