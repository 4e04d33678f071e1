// The line protocol of a control socket without the socket: split anywhere, overlong, hostile.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/control_line.h"

#define BAD(text)                                                                         \
    "{\"error\":{\"code\":\"bad-request\",\"fix\":\"send one line as "                    \
    "{\\\"v\\\":1,\\\"command\\\":\\\"status\\\"}\",\"text\":\"" text "\"},\"ok\":false," \
    "\"v\":1}\n"
#define OK(result) "{\"ok\":true,\"result\":" result ",\"v\":1}\n"
#define TOO_LONG   BAD("the line is longer than 65536 octets")

static char asked[256];

// Echoes what it is told to, or says no.
static json_t *say(void *ctx, const char *command, const json_t *request, int64_t now_ms,
                   struct control_error *error)
{
    (void)ctx;
    snprintf(asked, sizeof asked, "%s at %lld", command, (long long)now_ms);
    if (strcmp(command, "echo") == 0)
        return json_incref(json_object_get(request, "text"));
    if (strcmp(command, "much") == 0) {
        char *text = malloc(CONTROL_LINE_MAX);
        memset(text, 'x', CONTROL_LINE_MAX);
        json_t *j = json_stringn(text, CONTROL_LINE_MAX);
        free(text);
        return j;
    }
    error->code = "unknown-command";
    snprintf(error->text, sizeof error->text, "what is \xff?");
    snprintf(error->fix, sizeof error->fix, "ask for echo");
    return NULL;
}

// Takes all answers that are ready into `out`.
static void take(struct control_line *l, struct buf *out)
{
    struct span left;
    do {
        left = control_line_pending(l);
        buf_bytes(out, left.data, left.len);
        control_line_sent(l, left.len, 7);
    } while (control_line_answer(l, say, NULL, 42));
    assert_false(control_line_broken(l));
}

// Feeds `text` in pieces of `piece` octets; the answers, one behind the other, NUL-terminated.
static char *converse(const char *text, size_t len, size_t piece)
{
    struct control_line l;
    struct buf out;
    control_line_init(&l, 1);
    buf_init(&out, 1 << 22);
    for (size_t at = 0; at < len;) {
        size_t n = len - at < piece ? len - at : piece;
        if (n > control_line_room(&l))
            n = control_line_room(&l);
        assert_true(n > 0);
        control_line_feed(&l, span_of(text + at, n), 5);
        at += n;
        take(&l, &out);
    }
    control_line_fini(&l);
    buf_bytes(&out, "", 1);
    return (char *)out.data;
}

static const struct {
    const char *in, *out;
} cases[] = {
    {"{\"v\":1,\"command\":\"echo\",\"text\":[1,2.0]}\n", OK("[1,2]")},
    {"{\"command\":\"echo\",\"text\":\"a\",\"v\":1}\r\n", OK("\"a\"")},
    {"{\"v\":1,\"command\":\"nothing\"}\n",
     "{\"error\":{\"code\":\"unknown-command\",\"fix\":\"ask for echo\",\"text\":\"what is "
     "??\"},\"ok\":false,\"v\":1}\n"},
    {"{\"v\":1,\"command\":\"echo\",\"text\":1}", ""}, // no line yet
    {"\n", BAD("no JSON: column 0: '[' or '{' expected near end of file")},
    {"[]\n", BAD("a request is an object")},
    {"{\"command\":\"echo\"}\n", BAD("\\\"v\\\" is not 1: another version asks")},
    {"{\"v\":1.0,\"command\":\"echo\"}\n", BAD("\\\"v\\\" is not 1: another version asks")},
    {"{\"v\":2,\"command\":\"echo\"}\n", BAD("\\\"v\\\" is not 1: another version asks")},
    {"{\"v\":1}\n", BAD("\\\"command\\\" is missing or no text")},
    {"{\"v\":1,\"command\":7}\n", BAD("\\\"command\\\" is missing or no text")},
    {"{\"v\":1,\"v\":1,\"command\":\"echo\"}\n",
     BAD("no JSON: column 10: duplicate object key near '\\\"v\\\"'")},
    // Several at once, a bad one between: the conversation goes on.
    {"{\"v\":1,\"command\":\"echo\",\"text\":1}\n]\n{\"v\":1,\"command\":\"echo\",\"text\":2}\n",
     OK("1") BAD("no JSON: column 1: '[' or '{' expected near ']'") OK("2")},
};

static void split_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t piece = 1; piece <= strlen(cases[i].in); piece++) {
            char *got = converse(cases[i].in, strlen(cases[i].in), piece);
            assert_string_equal(got, cases[i].out);
            free(got);
        }
    }
    assert_string_equal(asked, "echo at 42");
}

// `len` octets of a line that is a request with a long text, without newline.
static char *long_request(size_t len, size_t *room)
{
    static const char head[] = "{\"v\":1,\"command\":\"echo\",\"pad\":\"",
                      tail[] = "\",\"text\":3}";
    char *line = malloc(len + 200);
    memset(line, 'x', len);
    memcpy(line, head, sizeof head - 1);
    memcpy(line + len - (sizeof tail - 1), tail, sizeof tail - 1);
    *room = len + 200;
    return line;
}

static void long_lines(void **state)
{
    (void)state;
    static const char after[] = "\n{\"v\":1,\"command\":\"echo\",\"text\":4}\n";
    static const struct {
        size_t len;
        const char *out;
    } lines[] = {
        {CONTROL_LINE_MAX - 1, OK("3") OK("4")},      {CONTROL_LINE_MAX, OK("3") OK("4")},
        {CONTROL_LINE_MAX + 1, TOO_LONG OK("4")},     {CONTROL_LINE_MAX + 2, TOO_LONG OK("4")},
        {3 * CONTROL_LINE_MAX + 5, TOO_LONG OK("4")},
    };
    static const size_t pieces[] = {1, 1000, 65535, 65536, 65537, 1 << 20};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        for (size_t k = 0; k < sizeof pieces / sizeof pieces[0]; k++) {
            size_t room;
            char *line = long_request(lines[i].len, &room);
            memcpy(line + lines[i].len, after, sizeof after - 1);
            char *got = converse(line, lines[i].len + sizeof after - 1, pieces[k]);
            assert_string_equal(got, lines[i].out);
            free(got);
            free(line);
        }
    }
}

static void an_answer_that_is_too_long(void **state)
{
    (void)state;
    static const char in[] = "{\"v\":1,\"command\":\"much\"}\n";
    char *got = converse(in, sizeof in - 1, 100);
    assert_string_equal(got, "{\"error\":{\"code\":\"failed\",\"fix\":\"ask for less at once\","
                             "\"text\":\"the answer is longer than a line may be\"},"
                             "\"ok\":false,\"v\":1}\n");
    free(got);
}

// Who sends and never reads: one answer waits, one buffer is full, nothing more is taken.
static void who_never_reads(void **state)
{
    (void)state;
    static const char in[] = "{\"v\":1,\"command\":\"echo\",\"text\":1}\n";
    struct control_line l;
    size_t took = 0;
    control_line_init(&l, 1);
    for (int i = 0; i < 10000; i++) {
        size_t n = sizeof in - 1;
        if (n > control_line_room(&l))
            n = control_line_room(&l);
        control_line_feed(&l, span_of(in, n), 1);
        took += n;
        control_line_answer(&l, say, NULL, 1);
    }
    assert_int_equal(control_line_room(&l), 0);
    assert_in_range(took, CONTROL_LINE_MAX, CONTROL_LINE_MAX + 2 * sizeof in);
    assert_int_equal(control_line_pending(&l).len, strlen(OK("1")));
    assert_false(control_line_broken(&l));
    control_line_fini(&l);
}

static void silence(void **state)
{
    (void)state;
    struct control_line l;
    control_line_init(&l, 1000);
    assert_false(control_line_idle(&l, 1000 + CONTROL_IDLE_MS - 1));
    assert_true(control_line_idle(&l, 1000 + CONTROL_IDLE_MS));
    control_line_feed(&l, span_of("x", 1), 5000);
    assert_false(control_line_idle(&l, 1000 + CONTROL_IDLE_MS));
    assert_false(control_line_idle(&l, 10)); // the clock was set back
    assert_true(control_line_idle(&l, 10 + CONTROL_IDLE_MS));
    control_line_fini(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_anywhere),  cmocka_unit_test(long_lines),
        cmocka_unit_test(who_never_reads), cmocka_unit_test(an_answer_that_is_too_long),
        cmocka_unit_test(silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
