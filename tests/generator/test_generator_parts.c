// The generator's parts: random streams, the spool, flow facts, SYN times, message bodies, certificates,
// the site's section.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka needs those four first.
#include <cmocka.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/daemon.h"
#include "flow_facts.h"
#include "inject.h"
#include "rng.h"
#include "roster.h"
#include "site_config.h"
#include "smtp.h"
#include "spool.h"
#include "tls.h"

static void streams_depend_on_seed_and_name(void **state)
{
    (void)state;
    struct rng a, b;
    rng_init(&a, 1, "party/x");
    rng_init(&b, 1, "party/x");
    for (int i = 0; i < 100; i++)
        assert_int_equal(rng_u64(&a), rng_u64(&b));
    rng_init(&a, 1, "party/x");
    rng_init(&b, 1, "party/y");
    assert_int_not_equal(rng_u64(&a), rng_u64(&b));
    rng_init(&b, 2, "party/x");
    rng_init(&a, 1, "party/x");
    assert_int_not_equal(rng_u64(&a), rng_u64(&b));
}

static void draws_stay_in_range(void **state)
{
    (void)state;
    struct rng r;
    double sum = 0;
    rng_init(&r, 7, "range");
    for (int i = 0; i < 20000; i++) {
        assert_true(rng_below(&r, 7) < 7);
        int64_t v = rng_between(&r, -3, 3);
        assert_true(v >= -3 && v <= 3);
        double u = rng_unit(&r);
        assert_true(u >= 0 && u < 1);
        assert_true(rng_zipf(&r, 5) < 5);
        sum += rng_exp(&r, 2);
    }
    assert_true(sum / 20000 > 1.9 && sum / 20000 < 2.1);
    assert_int_equal(rng_below(&r, 0), 0);
    assert_int_equal(rng_between(&r, 5, 5), 5);
}

struct drained {
    size_t count;
    int64_t last_ns;
    uint32_t last_number;
};

static int take_packet(int64_t t_ns, struct span frame, uint32_t wire_len, void *ctx)
{
    struct drained *d = ctx;
    uint32_t number;
    assert_int_equal(frame.len, sizeof number + wire_len % 50);
    memcpy(&number, frame.data, sizeof number);
    assert_true(t_ns >= d->last_ns);
    if (t_ns == d->last_ns && d->count > 0)
        assert_true(number > d->last_number);
    d->last_ns = t_ns;
    d->last_number = number;
    d->count++;
    return 0;
}

// Packets come out in the order of time, those of one time in the order they came, spilt or not.
static void spool_sorts(void **state)
{
    (void)state;
    static const size_t memory[] = {1 << 24, 20000};
    for (size_t m = 0; m < 2; m++) {
        struct spool *s = spool_new("/tmp", memory[m]);
        struct rng r;
        rng_init(&r, 3, "spool");
        for (uint32_t i = 0; i < 5000; i++) {
            uint8_t frame[64] = {0};
            uint32_t wire = rng_below(&r, 1000);
            memcpy(frame, &i, sizeof i);
            assert_int_equal(
                spool_add(s, rng_below(&r, 500), span_of(frame, sizeof i + wire % 50), wire), 0);
        }
        struct drained d = {0};
        assert_int_equal(spool_drain(s, take_packet, &d), 0);
        assert_int_equal(d.count, 5000);
        spool_free(s);
    }
}

static char *temporary(const char *text)
{
    static char path[64];
    snprintf(path, sizeof path, "/tmp/postern-test.XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    size_t len = strlen(text);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    close(fd);
    return path;
}

#define HEAD "start_s,peer,port,src_port,packets_out,octets_out,packets_in,octets_in,duration_s\n"

static void facts_say_where_they_are_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *where;
    } cases[] = {
        {"", ":1:1: "},
        {"start_s,peer\n", ":1:13: the column \"port\" is missing"},
        {"start_s,start_s\n", ":1:9: "},
        {"start_s,peers\n", ":1:9: \"peers\" is no column"},
        {HEAD "x,10.0.0.1,25,1,1,62,0,0,0\n", ":2:1: "},
        {HEAD "-1,10.0.0.1,25,1,1,62,0,0,0\n", ":2:1: "},
        {HEAD "0,10.0.0.1,25,1,1,62,0,0,0\n0,10.0.0,25,1,1,62,0,0,0\n", ":3:3: \"10.0.0\""},
        {HEAD "0,10.0.0.1,0,1,1,62,0,0,0\n", ":2:12: "},
        {HEAD "0,10.0.0.1,25,65536,1,62,0,0,0\n", ":2:15: "},
        {HEAD "0,10.0.0.1,25,1,1e3,62,0,0,0\n", ":2:17: "},
        {HEAD "0,10.0.0.1,25,1,1,62,0,0\n", ":2:25: the line ends here"},
        {HEAD "0,10.0.0.1,25,1,1,62,0,0,0,9\n", ":2:28: \"9\" is one field too many"},
        {HEAD "0,10.0.0.1,25,1,0,0,0,0,0\n", ":2:1: "},
        {HEAD "0,10.0.0.1,25,1,1,62,0,0,0.1234567890\n", ":2:26: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char said[512] = "";
        char *path = temporary(cases[i].text);
        FILE *errors = fmemopen(said, sizeof said, "w");
        struct flow_facts facts = {0};
        int rc = flow_facts_load(path, &facts, errors);
        fclose(errors);
        unlink(path);
        assert_int_equal(rc, EX_DATAERR);
        assert_null(facts.item);
        assert_true(strncmp(said, path, strlen(path)) == 0);
        if (strncmp(said + strlen(path), cases[i].where, strlen(cases[i].where)) != 0)
            fail_msg("case %zu: %s", i, said);
    }
}

static void facts_are_read(void **state)
{
    (void)state;
    char *path = temporary("peer,start_s,port,src_port,packets_out,octets_out,packets_in,octets_in,"
                           "duration_s\r\n2001:db8::1,1.5,25,1024,6,372,2,120,0.000000001\r\n\n");
    struct flow_facts facts;
    assert_int_equal(flow_facts_load(path, &facts, stderr), 0);
    unlink(path);
    assert_int_equal(facts.count, 1);
    const struct flow_fact *f = facts.item;
    assert_int_equal(f->start_ns, 1500000000);
    assert_int_equal(f->duration_ns, 1);
    assert_int_equal(f->peer.family, IP_V6);
    assert_int_equal(f->octets_out, 372);
    assert_int_equal(f->packets_in, 2);
    flow_facts_free(&facts);
}

// A file cut anywhere, or with any octet changed, is read or refused with one line that names a place.
static void damaged_facts_do_no_harm(void **state)
{
    (void)state;
    static const char text[] = HEAD "0.5,10.0.0.1,25,1024,6,372,0,0,8.9\n"
                                    "1,2001:db8::7,443,1,12,900,11,4000,0.001\n";
    static const char swaps[] = {',', '\n', '\r', '0', '-', '.', 'x', '\t', (char)0xff};
    size_t refused = 0, read = 0;
    for (size_t at = 0; at < sizeof text - 1; at++)
        for (size_t k = 0; k <= sizeof swaps; k++) {
            char copy[sizeof text], said[512] = "";
            memcpy(copy, text, sizeof text);
            if (k < sizeof swaps)
                copy[at] = swaps[k];
            size_t len = k < sizeof swaps ? sizeof text - 1 : at + 1;
            FILE *in = fmemopen(copy, len, "r"), *errors = fmemopen(said, sizeof said, "w");
            struct flow_facts facts = {0};
            int rc = flow_facts_read(in, "x", &facts, errors);
            fclose(in);
            fclose(errors);
            if (rc == 0) {
                assert_true(facts.count <= 3);
                read++;
            } else {
                assert_int_equal(rc, EX_DATAERR);
                assert_true(strncmp(said, "x:", 2) == 0 && said[2] >= '1' && said[2] <= '4');
                assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
                refused++;
            }
            flow_facts_free(&facts);
        }
    assert_true(refused > 500 && read > 30);
}

static void syn_times_follow_the_stacks(void **state)
{
    (void)state;
    static const struct {
        uint32_t packets;
        double duration_s;
        size_t n;
        unsigned copies;
        double second_s;
    } cases[] = {
        {6, 9.013, 3, 2, 3.004}, {4, 2.954, 2, 2, 2.954}, {2, 0, 1, 2, 0},  {3, 8.998, 3, 1, 2.999},
        {2, 3.01, 2, 1, 3.01},   {1, 0, 1, 1, 0},         {4, 7, 4, 1, 1},  {5, 15, 5, 1, 1},
        {8, 7, 4, 2, 1},         {2, 1, 2, 1, 1},         {6, 31, 6, 1, 1}, {4, 9, 4, 1, 1.286},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t at[INJECT_SYN_MAX];
        unsigned copies = 0;
        int64_t duration = (int64_t)(cases[i].duration_s * 1e9);
        size_t n = inject_syn_times(cases[i].packets, duration, at, &copies);
        if (n != cases[i].n || copies != cases[i].copies)
            fail_msg("case %zu: %zu times %u", i, n, copies);
        assert_int_equal(at[0], 0);
        assert_int_equal(n > 1 ? at[n - 1] : duration, duration);
        if (n > 1)
            assert_true(llabs(at[1] - (int64_t)(cases[i].second_s * 1e9)) < 2000000);
    }
}

static void bodies_are_stuffed(void **state)
{
    (void)state;
    struct rng r;
    struct buf b;
    struct smtp_rcpt rcpt = {.address = "a@b.example"};
    struct smtp_message m = {.sender = "c@d.example", .rcpt = &rcpt, .rcpts = 1, .octets = 4000};
    size_t stuffed = 0;
    buf_init(&b, 1 << 16);
    for (uint64_t seed = 0; seed < 40; seed++) {
        rng_init(&r, seed, "body");
        buf_clear(&b);
        smtp_write_body(&b, &r, &m, true);
        assert_false(b.failed);
        assert_true(b.len >= m.octets && b.len < m.octets + 200);
        assert_memory_equal(b.data + b.len - 2, "\r\n", 2);
        for (size_t i = 0; i + 3 < b.len; i++) {
            assert_true(b.data[i] != '\n' || (i > 0 && b.data[i - 1] == '\r'));
            if (b.data[i] != '\n' || b.data[i + 1] != '.')
                continue;
            assert_int_equal(b.data[i + 2], '.');
            stuffed++;
        }
    }
    assert_true(stuffed > 10); // else the test has seen nothing
    buf_fini(&b);
}

static void certificates_parse(void **state)
{
    (void)state;
    struct buf b, again;
    char name[64] = "";
    buf_init(&b, TLS_CERT_MAX);
    buf_init(&again, TLS_CERT_MAX);
    tls_certificate(&b, 1, "smtp.bigpost.example");
    tls_certificate(&again, 1, "smtp.bigpost.example");
    assert_true(span_equal(buf_span(&b), buf_span(&again)));
    const unsigned char *at = b.data;
    X509 *cert = d2i_X509(NULL, &at, (long)b.len);
    assert_non_null(cert);
    assert_ptr_equal(at, b.data + b.len);
    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof name);
    assert_string_equal(name, "smtp.bigpost.example");
    assert_int_equal(X509_check_host(cert, "smtp.bigpost.example", 0, 0, NULL), 1);
    X509_free(cert);
    buf_fini(&b);
    buf_fini(&again);
}

static bool holds(const struct conf_prefixes *all, const struct ip_addr *a)
{
    for (size_t i = 0; i < all->count; i++)
        if (prefix_contains(&all->item[i], a))
            return true;
    return false;
}

// The operator's section loads, and names declared servers and no bot.
static void site_section_knows_no_bots(void **state)
{
    (void)state;
    struct scenario s;
    struct run run = {.seed = 1};
    struct roster r;
    assert_int_equal(
        scenario_load(POSTERN_SOURCE_DIR "/tests/generator/scenarios/day.yaml", &s, stderr), 0);
    assert_int_equal(scenario_apply(&s, "day.yaml", &run, stderr), 0);
    assert_int_equal(roster_fill(&r, &s, NULL, 0, &run, stderr), 0);
    char path[64];
    snprintf(path, sizeof path, "%s", temporary(""));
    assert_int_equal(site_config_write(path, &s, &r, stderr), 0);
    struct conf_site site;
    const struct conf_section section = {.name = "site", .keys = conf_site_keys, .out = &site};
    assert_int_equal(conf_load(path, &section, 1, stderr), 0);
    unlink(path);
    size_t declared = 0, guilty = 0;
    for (size_t i = 0; i < r.count; i++) {
        const struct party *p = &r.entry[i].party;
        assert_true(p->outside || holds(&site.subscribers, &p->v4));
        declared += r.entry[i].declared;
        guilty += p->class != NULL;
        assert_int_equal(holds(&site.mail_servers, &p->v4), r.entry[i].declared && !p->outside);
        if (p->class)
            assert_false(r.entry[i].declared);
    }
    assert_true(declared > 10 && guilty > 10);
    assert_true(holds(&site.smarthosts, &run.isp.smarthost));
    conf_free(conf_site_keys, &site);
    roster_free(&r);
    scenario_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_depend_on_seed_and_name),
        cmocka_unit_test(draws_stay_in_range),
        cmocka_unit_test(spool_sorts),
        cmocka_unit_test(facts_say_where_they_are_wrong),
        cmocka_unit_test(facts_are_read),
        cmocka_unit_test(damaged_facts_do_no_harm),
        cmocka_unit_test(syn_times_follow_the_stacks),
        cmocka_unit_test(bodies_are_stuffed),
        cmocka_unit_test(certificates_parse),
        cmocka_unit_test(site_section_knows_no_bots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
