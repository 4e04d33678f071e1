// The notes beside a series: bounded, and none lost with a torn one.
#include "common/series_notes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "scratch.h"

enum { BASE_S = 1774137600 };

static char dir[SCRATCH_MAX];
static const char name[] = "192.0.2.7";

static void notes_path(char out[static 512])
{
    char relative[SERIES_PATH_MAX];
    series_path(SERIES_SUBSCRIBER, name, relative);
    snprintf(out, 512, "%s/%.*snotes", dir, (int)(strlen(relative) - 3), relative);
}

static int setup(void **state)
{
    (void)state;
    char path[512];
    int rc = scratch_make(dir);
    notes_path(path);
    for (char *slash = strchr(path + strlen(dir) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    return rc;
}

static int teardown(void **state)
{
    (void)state;
    return scratch_remove(dir);
}

// Notes stay bounded, and the lease outlives any flood of amendments.
static void notes_stay_short(void **state)
{
    (void)state;
    assert_int_equal(series_notes_put_lease(dir, SERIES_SUBSCRIBER, name, BASE_S / 60, "line:\n7"),
                     0);
    for (int i = 0; i < 6000; i++) {
        struct series_amendment a = {.minute = BASE_S / 60 + i, .cut_ms = i, .delta = {1}};
        assert_int_equal(series_notes_put_amendment(dir, SERIES_SUBSCRIBER, name, &a), 0);
    }
    struct series_notes n;
    assert_int_equal(series_notes_read(dir, SERIES_SUBSCRIBER, name, &n), 0);
    assert_int_equal(n.leases, 1);
    assert_string_equal(n.lease[0].party, "line:?7");
    assert_in_range(n.amendments, 256, 4000);
    assert_int_equal(n.amendment[n.amendments - 1].minute, BASE_S / 60 + 5999);
    series_notes_free(&n);
    // A torn line is passed over.
    char path[512];
    notes_path(path);
    FILE *out = fopen(path, "a");
    assert_non_null(out);
    fputs("amend 5 6 1 2", out);
    fclose(out);
    assert_int_equal(series_notes_read(dir, SERIES_SUBSCRIBER, name, &n), 0);
    assert_int_equal(n.leases, 1);
    series_notes_free(&n);
}

// A torn line does not take the next with it; what fsck calls a line that is no note.
static void torn_notes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t bad;
    } cases[] = {{"", 0},
                 {"lease 5 line:a\nsight 0 *\nsight 7 edge-n edge-s\nlost 9\n", 0},
                 {"amend 5 6 1 2 3 4 5 6 7 8 1 2 3 4 5 6 7 8\n", 0},
                 {"amend 5 6 1 2 3 4 5 6 7 8 1 2 3 4 5 6 7\n", 1},
                 {"lease 5 line:a\nlease 6 line", 2},
                 {"lost 9\nlost -9\n", 2},
                 {"lost 9 8\n", 1},
                 {"lost 9\n\nlost 9\n", 2},
                 {"garbage\n", 1},
                 {"lease x line:a\n", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(series_notes_bad_line(cases[i].text), cases[i].bad);
    char path[512];
    notes_path(path);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs("lease 1 line:a\nlease 2 li", out);
    fclose(out);
    assert_int_equal(series_notes_put_lease(dir, SERIES_SUBSCRIBER, name, 3, "line:b"), 0);
    assert_int_equal(series_notes_put_lost(path, BASE_S / 60 + 1), 0);
    struct series_notes n;
    assert_int_equal(series_notes_read(dir, SERIES_SUBSCRIBER, name, &n), 0);
    assert_int_equal(n.leases, 3);
    assert_string_equal(n.lease[2].party, "line:b");
    assert_int_equal(n.lost_before, BASE_S / 60 + 1);
    series_notes_free(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(notes_stay_short, setup, teardown),
        cmocka_unit_test_setup_teardown(torn_notes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
