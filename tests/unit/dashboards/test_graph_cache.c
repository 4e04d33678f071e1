// The cache of pictures: the same request within its time, and no other.
#include "web/graph_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct graph_request request(uint8_t view, int64_t start_s)
{
    struct graph_request q;
    memset(&q, 0, sizeof q);
    q.view = view;
    q.start_s = start_s;
    q.end_s = start_s + 3600;
    memcpy(q.name, "192.0.2.7", sizeof "192.0.2.7");
    return q;
}

static void same_and_fresh(void **state)
{
    (void)state;
    struct graph_cache *c = graph_cache_new();
    assert_non_null(c);
    struct graph_request q = request(1, 1000), other = request(1, 1060);
    assert_int_equal(graph_cache_get(c, &q, 5000).len, 0);
    graph_cache_put(c, &q, span_of((const uint8_t *)"picture", 7), 5000);
    q.id = 99; // who asks is no part of what is asked
    struct span s = graph_cache_get(c, &q, 6000);
    assert_int_equal(s.len, 7);
    assert_memory_equal(s.data, "picture", 7);
    assert_int_equal(graph_cache_get(c, &other, 6000).len, 0);
    other = q;
    other.own_start_s = 7; // another party's time is another picture
    assert_int_equal(graph_cache_get(c, &other, 6000).len, 0);
    assert_int_equal(graph_cache_get(c, &q, 4000).len, 0);  // the clock was set back
    assert_int_equal(graph_cache_get(c, &q, 36000).len, 0); // too old
    graph_cache_free(c);
}

// A thousand pictures of 100 kB: the latest are kept, within the bound.
static void bounded(void **state)
{
    (void)state;
    enum { OCTETS = 100000, PICTURES = 1000 };
    struct graph_cache *c = graph_cache_new();
    uint8_t *image = calloc(1, OCTETS);
    assert_true(c && image);
    for (int i = 0; i < PICTURES; i++) {
        struct graph_request q = request(2, i);
        graph_cache_put(c, &q, span_of(image, OCTETS), 1000);
    }
    int kept = 0;
    for (int i = 0; i < PICTURES; i++) {
        struct graph_request q = request(2, i);
        kept += graph_cache_get(c, &q, 1000).len > 0;
    }
    assert_in_range(kept, 50, (16 << 20) / OCTETS);
    struct graph_request last = request(2, PICTURES - 1);
    assert_int_equal(graph_cache_get(c, &last, 1000).len, OCTETS);
    free(image);
    graph_cache_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_and_fresh), cmocka_unit_test(bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
