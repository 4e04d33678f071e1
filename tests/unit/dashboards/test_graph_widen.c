// Times that stand alone in a picture are made wide enough to be seen, and nothing else is.
#include "web/graph_scratch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS_MAX = 40 };

// '.' unknown, '#' known; in the answer each row is the letter of the row that is drawn there, '.' for its own, and
// upper case where it is lone.
static const struct {
    int32_t width;
    const char *rows, *drawn;
} cases[] = {
    // A row is three pixels and more: seen as it is.
    {30, ".#........", ".........."},
    // One and a half: two rows together.
    {15, "....#.....", "....AA...."},
    {15, "#.........", "AA........"},
    {15, ".........#", "........AA"},
    {15, "....##....", ".........."},
    {15, "#.#.......", "AABB......"},
    {15, "##########", ".........."},
    {15, "..........", ".........."},
    // Half a pixel: six rows, of what is unknown alone.
    {10, "....#...............", "....AAAAAA.........."},
    {10, "....#.#.............", "AAAAAABBBBBB........"},
    {10, "...................#", "..............AAAAAA"},
    {10, "......########......", "...................."},
};

static void draw(size_t at, char out[static ROWS_MAX])
{
    struct series_sample sample[ROWS_MAX];
    struct graph_data d = {.sample = sample, .count = strlen(cases[at].rows), .step_s = 60};
    size_t from[ROWS_MAX];
    bool lone[ROWS_MAX];
    memset(sample, 0, sizeof sample);
    for (size_t i = 0; i < d.count; i++)
        for (unsigned v = 0; v < SERIES_SOURCES; v++)
            sample[i].maximum[v] = cases[at].rows[i] == '#' ? 1.0 : NAN;
    graph_data_widen(&d, cases[at].width, from, lone);
    char letter = 'A';
    size_t letter_of[ROWS_MAX] = {0};
    for (size_t i = 0; i < d.count; i++)
        if (cases[at].rows[i] == '#' && lone[i])
            letter_of[i] = (size_t)letter++;
    for (size_t i = 0; i < d.count; i++) {
        assert_true(from[i] == i || (cases[at].rows[i] == '.' && lone[i]));
        out[i] = lone[i] ? (char)letter_of[from[i]] : '.';
    }
    out[d.count] = '\0';
}

static void lone_rows_are_wide(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char drawn[ROWS_MAX];
        draw(i, drawn);
        assert_string_equal(drawn, cases[i].drawn);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lone_rows_are_wide)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
