// A lease file that others write while the collector runs: appended, replaced, broken, gone and back.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/timefmt.h"
#include "lease_follow.h"
#include "scratch.h"

#define ONE   ",10.0.0.1,,,line:one,2026-01-01T00:00:00Z,2027-01-01T00:00:00Z,,,,,,,north,\n"
#define TWO   ",10.0.0.2,,,line:two,2026-01-01T00:00:00Z,2027-01-01T00:00:00Z,,,,,,,north,\n"
#define THREE ",10.0.0.3,,,line:three,2026-01-01T00:00:00Z,2027-01-01T00:00:00Z,,,,,,,south,\n"

struct world {
    char dir[SCRATCH_MAX], path[96];
    struct leases *leases;
    struct lease_follow *follow;
    unsigned slices; // of the last look
    char said[2000];
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    if (!w || scratch_make(w->dir) != 0)
        return -1;
    snprintf(w->path, sizeof w->path, "%s/leases.csv", w->dir);
    w->leases = leases_new();
    w->follow = lease_follow_new(w->path, LEASE_CSV, 1, w->leases);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    scratch_remove(w->dir);
    lease_follow_free(w->follow);
    leases_free(w->leases);
    free(w);
    return 0;
}

static void write_as(const char *path, const char *mode, const char *text)
{
    FILE *f = fopen(path, mode);
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void replace(const struct world *w, const char *text)
{
    char fresh[112];
    snprintf(fresh, sizeof fresh, "%s.new", w->path);
    write_as(fresh, "we", text);
    assert_int_equal(rename(fresh, w->path), 0);
}

static int look(struct world *w)
{
    memset(w->said, 0, sizeof w->said);
    FILE *errors = fmemopen(w->said, sizeof w->said, "w");
    int rc;
    w->slices = 0;
    do {
        rc = lease_follow_poll(w->follow, errors);
        w->slices++;
        assert_int_equal(lease_follow_busy(w->follow), rc == LEASE_FOLLOW_MORE);
    } while (rc == LEASE_FOLLOW_MORE);
    fclose(errors);
    return rc;
}

// Two looks: what changed between them is taken with the next that finds it as it was.
static int looks(struct world *w)
{
    assert_int_equal(look(w), 0);
    return look(w);
}

static void begin(struct world *w, const char *text)
{
    write_as(w->path, "we", text);
    assert_int_equal(lease_follow_load(w->follow, stderr), 0);
    assert_int_equal(looks(w), 0);
}

static const char *who(const struct world *w, const char *addr)
{
    static char text[PARTY_TEXT_MAX];
    struct realm realm = {0};
    struct ip_prefix p;
    int64_t t_ms;
    assert_int_equal(time_parse("2026-06-01T00:00:00Z", &t_ms), 0);
    assert_int_equal(prefix_parse(addr, &p), 0);
    struct lease_answer a = leases_find(w->leases, &realm, &p.addr, 0, t_ms);
    struct subscriber_key key = subscriber_key_of(&realm, &p);
    struct identity id = leases_identity(w->leases, &a, &key);
    return party_format(&id.party, text);
}

static void appended(void **state)
{
    struct world *w = *state;
    begin(w, "# the lines\n" ONE);
    assert_string_equal(who(w, "10.0.0.1"), "line:one");
    write_as(w->path, "ae", TWO);
    assert_string_equal(who(w, "10.0.0.2"), "provisional:10.0.0.2");
    assert_int_equal(looks(w), 1);
    assert_string_equal(who(w, "10.0.0.2"), "line:two");
    assert_int_equal(leases_count(w->leases), 2);
    assert_int_equal(looks(w), 0);
    // A line that is written in two parts is read when it is whole; the part alone would be an error.
    char half[] = THREE;
    half[30] = '\0';
    write_as(w->path, "ae", half);
    assert_int_equal(look(w), 0);
    write_as(w->path, "ae", &THREE[30]);
    assert_int_equal(looks(w), 1);
    assert_string_equal(who(w, "10.0.0.3"), "line:three");
    // Without the last line's end, and then with it and more.
    write_as(w->path, "ae",
             ",10.0.0.4,,,line:four,2026-01-01T00:00:00Z,2027-01-01T00:00:00Z,,,,,,,,");
    assert_int_equal(looks(w), 1);
    assert_string_equal(who(w, "10.0.0.4"), "line:four");
    write_as(w->path, "ae", "\n,10.0.0.5,,,line:five,2026-01-01T00:00:00Z,,,,,,,,,\n");
    assert_int_equal(looks(w), 1);
    assert_string_equal(who(w, "10.0.0.5"), "line:five");
    assert_int_equal(leases_count(w->leases), 5);
}

static void replaced(void **state)
{
    struct world *w = *state;
    begin(w, ONE TWO);
    struct realm realm = {0};
    struct ip_prefix p;
    int64_t t_ms;
    assert_int_equal(time_parse("2026-06-01T00:00:00Z", &t_ms), 0);
    assert_int_equal(prefix_parse("10.0.0.2", &p), 0);
    struct lease_answer before = leases_find(w->leases, &realm, &p.addr, 0, t_ms);
    // One is somebody else's, two is gone, three is new; one's POP changed.
    replace(w,
            ",10.0.0.1,,,line:uno,2026-01-01T00:00:00Z,2027-01-01T00:00:00Z,,,,,,,west,\n" THREE);
    assert_int_equal(looks(w), 1);
    assert_string_equal(who(w, "10.0.0.1"), "line:uno");
    assert_string_equal(who(w, "10.0.0.2"), "provisional:10.0.0.2");
    assert_string_equal(who(w, "10.0.0.3"), "line:three");
    assert_int_equal(leases_count(w->leases), 2);
    // An answer given before still reads as it was, an hour long.
    leases_forget(w->leases, 0);
    for (int i = 0; i < 100; i++) {
        char line[160];
        snprintf(line, sizeof line, ",10.9.0.%d,,,line:n%d,2026-01-01T00:00:00Z,,,,,,,,,\n", i, i);
        write_as(w->path, "ae", line);
    }
    assert_int_equal(looks(w), 1);
    struct subscriber_key key = subscriber_key_of(&realm, &p);
    char text[PARTY_TEXT_MAX];
    struct identity id = leases_identity(w->leases, &before, &key);
    assert_string_equal(party_format(&id.party, text), "line:two");
}

// A later reading of the same lease counts, even when it takes something back.
static void corrected(void **state)
{
    struct world *w = *state;
    begin(w, ",10.0.0.1,,,line:one,2026-01-01T00:00:00Z,2026-02-01T00:00:00Z,,,,,,,north,\n");
    assert_string_equal(who(w, "10.0.0.1"), "provisional:10.0.0.1");
    replace(w, ",10.0.0.1,,,line:one,2026-01-01T00:00:00Z,2026-12-01T00:00:00Z,,,,,,,north,\n");
    assert_int_equal(looks(w), 1);
    assert_string_equal(who(w, "10.0.0.1"), "line:one");
    // In place, with another length before the end.
    write_as(w->path, "we", "# corrected\n" ONE);
    assert_int_equal(looks(w), 1);
    assert_string_equal(who(w, "10.0.0.1"), "line:one");
    assert_int_equal(leases_count(w->leases), 1);
}

static bool is_told(const struct world *w)
{
    struct control_status *s = control_status_new("test");
    lease_follow_status(w->follow, s);
    json_t *doc = control_status_json(s);
    bool told = json_array_size(json_object_get(doc, "problems")) == 1;
    json_decref(doc);
    control_status_free(s);
    return told;
}

static void broken(void **state)
{
    struct world *w = *state;
    begin(w, ONE TWO);
    assert_false(is_told(w));
    replace(w, THREE ",10.0.0.999,,,line:x,2026-01-01T00:00:00Z,,,,,,,,,\n");
    assert_int_equal(looks(w), -EINVAL);
    assert_non_null(strstr(w->said, "leases.csv:2: column 2 (prefix): '10.0.0.999'"));
    assert_true(is_told(w));
    // All that was known stays, nothing of the bad file is taken; it is told once.
    assert_string_equal(who(w, "10.0.0.1"), "line:one");
    assert_string_equal(who(w, "10.0.0.2"), "line:two");
    assert_string_equal(who(w, "10.0.0.3"), "provisional:10.0.0.3");
    assert_int_equal(looks(w), 0);
    assert_true(is_told(w));
    // A broken line behind good ones that were read.
    replace(w, ONE TWO);
    assert_int_equal(looks(w), 1);
    write_as(w->path, "ae", THREE "nonsense\n");
    assert_int_equal(looks(w), -EINVAL);
    assert_string_equal(who(w, "10.0.0.3"), "provisional:10.0.0.3");
    replace(w, ONE TWO THREE);
    assert_int_equal(looks(w), 1);
    assert_false(is_told(w));
    assert_string_equal(who(w, "10.0.0.3"), "line:three");
}

static void gone_and_back(void **state)
{
    struct world *w = *state;
    begin(w, ONE);
    assert_int_equal(unlink(w->path), 0);
    assert_int_equal(looks(w), -ENOENT);
    assert_true(is_told(w));
    assert_string_equal(who(w, "10.0.0.1"), "line:one");
    write_as(w->path, "we", TWO);
    assert_int_equal(looks(w), 1);
    assert_false(is_told(w));
    assert_string_equal(who(w, "10.0.0.1"), "provisional:10.0.0.1");
    assert_string_equal(who(w, "10.0.0.2"), "line:two");
}

// What another source says too is not the file's to take out.
static void said_by_others(void **state)
{
    struct world *w = *state;
    begin(w, ONE TWO);
    struct lease lease = {.source = LEASE_RADIUS};
    char error[160];
    assert_int_equal(lease_parse_csv(TWO, &lease, error), 0);
    lease.last_seen_ms += 3600000;
    assert_int_equal(leases_put(w->leases, &lease), 0);
    replace(w, THREE);
    assert_int_equal(looks(w), 1);
    assert_string_equal(who(w, "10.0.0.1"), "provisional:10.0.0.1");
    assert_string_equal(who(w, "10.0.0.2"), "line:two");
}

// More readings than a round's number has values.
static void read_often(void **state)
{
    struct world *w = *state;
    begin(w, ONE);
    for (int i = 0; i < 600; i++) {
        replace(w, i % 2 ? ONE : TWO);
        assert_int_equal(looks(w), 1);
        assert_int_equal(leases_count(w->leases), 1);
        assert_string_equal(who(w, i % 2 ? "10.0.0.1" : "10.0.0.2"),
                            i % 2 ? "line:one" : "line:two");
        if (i % 50 == 0)
            leases_forget(w->leases, 0);
    }
}

// ---- A large file, in slices

#define MANY 12000

// Of each hundredth `changed`, the others as always; so many lines.
static char *many(unsigned changed, unsigned count)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    for (unsigned i = 0; i < count; i++)
        fprintf(
            out, ",10.1.%u.%u,,,line:%s%u,2026-01-01T00:00:%02uZ,2027-01-01T00:00:00Z,,,,,,,%s,\n",
            i / 256, i % 256, i % 100 < changed ? "new" : "", i, i % 60, i % 2 ? "north" : "south");
    fclose(out);
    return text;
}

static void expect(const struct world *w, unsigned i, const char *prefix)
{
    char addr[32], line[32];
    snprintf(addr, sizeof addr, "10.1.%u.%u", i / 256, i % 256);
    snprintf(line, sizeof line, "line:%s%u", prefix, i);
    assert_string_equal(who(w, addr), line);
}

// The same as an index that reads the file for the first time: answers, number, and what changes when.
static void same_as_fresh(const struct world *w)
{
    struct leases *fresh;
    int64_t t_ms;
    assert_int_equal(time_parse("2026-01-01T00:00:30Z", &t_ms), 0);
    assert_int_equal(leases_load(w->path, stderr, &fresh), 0);
    assert_int_equal(leases_count(w->leases), leases_count(fresh));
    for (int pop = -1; pop < (int)leases_pops(fresh); pop++) {
        int same = -1; // POPs that are gone keep their number
        for (size_t i = 0; pop >= 0 && i < leases_pops(w->leases); i++)
            if (strcmp(leases_pop(w->leases, i), leases_pop(fresh, (size_t)pop)) == 0)
                same = (int)i;
        assert_int_equal(same < 0, pop < 0);
        for (int64_t ms = t_ms - 60000; ms <= t_ms + 60000; ms += 5000) {
            uint32_t open[2], changes[2];
            leases_churn(w->leases, same, ms, &open[0], &changes[0]);
            leases_churn(fresh, pop, ms, &open[1], &changes[1]);
            assert_int_equal(open[0], open[1]);
            assert_int_equal(changes[0], changes[1]);
        }
    }
    leases_free(fresh);
}

static void in_slices(void **state)
{
    struct world *w = *state;
    char *text = many(0, MANY);
    begin(w, text);
    free(text);
    text = many(3, MANY - 50);
    replace(w, text);
    free(text);
    assert_int_equal(look(w), 0);
    // Before the last line is read nothing changes; afterwards each key is of one of the two, all the way.
    int rc;
    unsigned slices = 0, seen_new = 0;
    do {
        rc = lease_follow_poll(w->follow, stderr);
        slices++;
        unsigned fresh = 0;
        for (unsigned i = 0; i < MANY - 50; i += 600) {
            char first[32];
            snprintf(first, sizeof first, "10.1.%u.%u", i / 256, i % 256);
            fresh += strstr(who(w, first), "new") != NULL;
        }
        if (slices <= MANY / 2000)
            assert_int_equal(fresh, 0);
        seen_new += fresh > 0;
        char addr[32], old[32], new[32];
        for (unsigned i = 0; i < MANY - 50; i += 97) {
            snprintf(addr, sizeof addr, "10.1.%u.%u", i / 256, i % 256);
            snprintf(old, sizeof old, "line:%u", i);
            snprintf(new, sizeof new, "line:new%u", i);
            const char *is = who(w, addr);
            if (strcmp(is, old) != 0 && (i % 100 >= 3 || strcmp(is, new) != 0))
                fail_msg("slice %u: %s is %s", slices, addr, is);
        }
        // Another source speaks meanwhile.
        struct lease lease;
        char error[160];
        assert_int_equal(lease_parse_csv(THREE, &lease, error), 0);
        lease.source = LEASE_RADIUS;
        lease.last_seen_ms += 1000 * slices;
        assert_int_equal(leases_put(w->leases, &lease), 0);
    } while (rc == LEASE_FOLLOW_MORE);
    assert_int_equal(rc, 1);
    assert_true(slices > MANY / 2000 && seen_new > 0);
    assert_string_equal(who(w, "10.0.0.3"), "line:three");
    expect(w, 0, "new");
    expect(w, 3, "");
    assert_string_equal(who(w, "10.1.46.200"), "provisional:10.1.46.200");
    // The RADIUS lease is the only one the file does not say.
    assert_int_equal(leases_count(w->leases), MANY - 50 + 1);
    // Read again and again, changed and as it was: nothing is left behind.
    for (unsigned i = 0; i < 3; i++) {
        text = many(i == 1 ? 0 : 60, MANY + 300 * i);
        replace(w, text);
        free(text);
        assert_int_equal(looks(w), 1);
        assert_int_equal(leases_count(w->leases), MANY + 300 * i + 1);
    }
}

// Counts of leases open and changed are those of an index that read the file for the first time.
static void slices_count_right(void **state)
{
    struct world *w = *state;
    char *text = many(0, 3000);
    begin(w, text);
    free(text);
    text = many(40, 2800);
    for (char *at = text; (at = strstr(at, "south")); at += 5)
        if ((at - text) % 3 == 0)
            memcpy(at, "westy", 5); // another POP
    replace(w, text);
    free(text);
    assert_int_equal(looks(w), 1);
    assert_true(w->slices > 3);
    same_as_fresh(w);
    // Refused whole at its last line, behind many that are new.
    text = many(90, 5000);
    replace(w, text);
    free(text);
    write_as(w->path, "ae", "nonsense\n");
    assert_int_equal(looks(w), -EINVAL);
    assert_non_null(strstr(w->said, "leases.csv:5001: "));
    expect(w, 0, "new");
    expect(w, 50, "");
    assert_int_equal(leases_count(w->leases), 2800);
    text = many(90, 5000);
    replace(w, text);
    free(text);
    assert_int_equal(looks(w), 1);
    same_as_fresh(w);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(appended),   TEST(replaced),      TEST(corrected),
        TEST(broken),     TEST(gone_and_back), TEST(said_by_others),
        TEST(read_often), TEST(in_slices),     TEST(slices_count_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
