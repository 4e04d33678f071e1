// A control conversation: any octets, in pieces of any size, answers taken or left. Every whole line
// gets one answer that is a line of JSON, however it was cut.
#include <stdlib.h>

#include "common/control_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *say(void *ctx, const char *command, const json_t *request, int64_t now_ms,
                   struct control_error *error)
{
    size_t *asked = ctx;
    (void)now_ms;
    (*asked)++;
    if (command[0] == 'e')
        return json_deep_copy(request);
    error->code = "failed";
    error->text[0] = command[0];
    return NULL;
}

// One answer out of `l`; false when there is none.
static bool take(struct control_line *l)
{
    struct span answer = control_line_pending(l);
    if (answer.len == 0)
        return false;
    const uint8_t *end = memchr(answer.data, '\n', answer.len);
    json_error_t why;
    json_t *j = json_loadb((const char *)answer.data, answer.len, 0, &why);
    if (end != answer.data + answer.len - 1 || answer.len > CONTROL_LINE_MAX + 1 ||
        !json_is_boolean(json_object_get(j, "ok")))
        abort();
    json_decref(j);
    control_line_sent(l, answer.len, 3);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct control_line l;
    size_t asked = 0, lines = 0, answers = 0;
    if (size < 1)
        return 0;
    // The first octet says how the rest is cut, and how often what was said is read.
    size_t piece = (size_t)(data[0] & 0x3f) * (data[0] & 0x3f) * 20 + 1;
    size_t patience = data[0] >> 6;
    data++;
    size--;
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    control_line_init(&l, 1);
    for (size_t at = 0, turn = 0; at < size; turn++) {
        size_t n = size - at < piece ? size - at : piece;
        if (n > control_line_room(&l))
            n = control_line_room(&l);
        control_line_feed(&l, span_of(data + at, n), 2);
        at += n;
        if (n > 0 && turn % (patience + 1) != 0)
            continue;
        do
            answers += take(&l);
        while (control_line_answer(&l, say, &asked, 2));
    }
    do
        answers += take(&l);
    while (control_line_answer(&l, say, &asked, 2));
    answers += take(&l);
    if (answers != lines || asked > lines || control_line_broken(&l))
        abort();
    control_line_fini(&l);
    return 0;
}
