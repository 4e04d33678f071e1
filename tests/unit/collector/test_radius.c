// RADIUS accounting: the packet's octets, the client's word, and what a session's packets mean for leases.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/timefmt.h"
#include "radius_packet.h"
#include "radius_server.h"

#define SECRET "s3cret of the access network"

static int64_t at(const char *text)
{
    int64_t t;
    assert_int_equal(time_parse(text, &t), 0);
    return t;
}

struct server {
    struct lease_store store;
    struct radius_server *radius;
    struct radius_counts counts;
    uint8_t id;
    struct radius_packet last; // what step sent
};

static int setup(void **state)
{
    struct server *s = calloc(1, sizeof *s);
    char path[] = "/tmp/test_radius.XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, SECRET "\n", sizeof SECRET), sizeof SECRET);
    close(fd);
    s->store.leases = leases_new();
    struct ip_prefix client;
    prefix_parse("198.51.100.0/24", &client);
    struct radius_options o = {
        .listen = "127.0.0.1:0",
        .secret_file = path,
        .clients = {.item = &client, .count = 1},
        .naming = {.pop = "north", .network_class = "", .interim_ms = 1800000}};
    assert_int_equal(radius_server_open(&o, &s->store, &s->counts, stderr, &s->radius), 0);
    unlink(path);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct server *s = *state;
    radius_server_close(s->radius);
    leases_free(s->store.leases);
    free(s);
    return 0;
}

static enum radius_refusal send_from(struct server *s, const char *from, struct span packet,
                                     int64_t now_ms)
{
    struct ip_addr source;
    ip_parse(from, &source);
    enum radius_refusal r = radius_server_take(s->radius, packet, &source, 4711, now_ms);
    radius_server_flush(s->radius);
    return r;
}

// One packet of a session: status, user, address and delegated prefix ("" or NULL: not there).
static enum radius_refusal step(struct server *s, const char *time, uint32_t status,
                                const char *session, const char *user, const char *addr,
                                const char *delegated)
{
    struct radius_packet p = packet_begin(s->id++, status, "bng-1", session);
    struct ip_prefix v;
    packet_number(&p, 55, (uint32_t)(at(time) / 1000));
    if (user)
        packet_text(&p, 1, user);
    if (addr) {
        prefix_parse(addr, &v);
        packet_put(&p, 8, v.addr.octet, 4);
    }
    if (delegated) {
        prefix_parse(delegated, &v);
        uint8_t value[18] = {0, v.len};
        memcpy(value + 2, v.addr.octet, 16);
        packet_put(&p, 123, value, 2 + (v.len + 7u) / 8);
    }
    s->last = p;
    return send_from(s, "198.51.100.1", packet_sign(&s->last, SECRET), at(time) + 200);
}

static const char *who(struct server *s, const char *addr, const char *time, uint8_t *confidence)
{
    static char text[PARTY_TEXT_MAX];
    struct realm realm = {0};
    struct ip_prefix p;
    assert_int_equal(prefix_parse(addr, &p), 0);
    struct lease_answer a = leases_find(s->store.leases, &realm, &p.addr, 0, at(time));
    struct subscriber_key key = subscriber_key_of(&realm, &p);
    struct identity id = leases_identity(s->store.leases, &a, &key);
    if (confidence)
        *confidence = id.confidence;
    return party_format(&id.party, text);
}

// When the lease that holds the address then was last told of; 0: somebody who loses nothing says so.
static int64_t seen_s(struct server *s, const char *addr, const char *time)
{
    struct realm realm = {0};
    struct ip_prefix p;
    assert_int_equal(prefix_parse(addr, &p), 0);
    struct lease_answer a = leases_find(s->store.leases, &realm, &p.addr, 0, at(time));
    int64_t seen_ms = leases_seen_ms(s->store.leases, &a);
    return seen_ms == INT64_MAX ? 0 : seen_ms / 1000;
}

// ---- A session's life

static void a_session(void **state)
{
    struct server *s = *state;
    uint8_t c;
    step(s, "2026-01-01T10:00:00Z", RADIUS_START, "a1", "anna", "10.0.0.1", "2001:db8:1::/56");
    step(s, "2026-01-01T10:30:00Z", RADIUS_INTERIM, "a1", "anna", "10.0.0.1", "2001:db8:1::/56");
    assert_string_equal(who(s, "10.0.0.1", "2026-01-01T10:10:00Z", &c), "line:anna");
    assert_int_equal(c, IDENTITY_CERTAIN);
    // The delegated prefix is the same party: any address in it.
    assert_string_equal(who(s, "2001:db8:1:2::9", "2026-01-01T10:10:00Z", NULL), "line:anna");
    // Last seen at 10:30, every 30 minutes: stale an hour after.
    assert_string_equal(who(s, "10.0.0.1", "2026-01-01T11:29:00Z", &c), "line:anna");
    assert_int_equal(c, IDENTITY_CERTAIN);
    who(s, "10.0.0.1", "2026-01-01T11:31:00Z", &c);
    assert_int_equal(c, IDENTITY_STALE);
    assert_int_equal(seen_s(s, "10.0.0.1", "2026-01-01T11:29:00Z"),
                     at("2026-01-01T10:30:00Z") / 1000);
    assert_int_equal(seen_s(s, "10.0.0.9", "2026-01-01T11:29:00Z"), 0); // nobody's
    step(s, "2026-01-01T12:00:00Z", RADIUS_STOP, "a1", "anna", "10.0.0.1", NULL);
    assert_int_equal(seen_s(s, "10.0.0.1", "2026-01-01T11:29:00Z"),
                     at("2026-01-01T12:00:00Z") / 1000);
    assert_string_equal(who(s, "10.0.0.1", "2026-01-01T11:31:00Z", &c), "line:anna");
    assert_int_equal(c, IDENTITY_CERTAIN);
    assert_string_equal(who(s, "10.0.0.1", "2026-01-01T12:00:01Z", &c), "provisional:10.0.0.1");
    assert_string_equal(who(s, "2001:db8:1:2::9", "2026-01-01T12:30:00Z", NULL),
                        "provisional:2001:db8:1:2::9");
    assert_int_equal(leases_count(s->store.leases), 2);
    assert_int_equal(s->counts.taken, 3);
}

static void a_lost_stop(void **state)
{
    struct server *s = *state;
    uint8_t c;
    step(s, "2026-01-01T10:00:00Z", RADIUS_START, "a1", "anna", "10.0.0.1", NULL);
    step(s, "2026-01-01T14:00:00Z", RADIUS_START, "b1", "bert", "10.0.0.1", NULL);
    assert_string_equal(who(s, "10.0.0.1", "2026-01-01T14:10:00Z", &c), "line:bert");
    assert_int_equal(c, IDENTITY_CERTAIN);
    assert_string_equal(who(s, "10.0.0.1", "2026-01-01T13:00:00Z", &c), "line:anna");
    assert_int_equal(c, IDENTITY_STALE);
    // Nobody saw it end: what was told of it ends with its start.
    assert_int_equal(seen_s(s, "10.0.0.1", "2026-01-01T13:00:00Z"),
                     at("2026-01-01T10:00:00Z") / 1000);
    // Near the change nobody is named.
    assert_string_equal(who(s, "10.0.0.1", "2026-01-01T14:01:00Z", &c), "provisional:10.0.0.1");
    assert_int_equal(c, IDENTITY_AMBIGUOUS);
}

// A router counts its sessions anew: the same id is another user, and another address.
static void a_repeated_session_id(void **state)
{
    struct server *s = *state;
    step(s, "2026-01-01T10:00:00Z", RADIUS_START, "01", "anna", "10.0.0.1", NULL);
    step(s, "2026-01-01T13:00:00Z", RADIUS_START, "01", "bert", "10.0.0.2", NULL);
    assert_string_equal(who(s, "10.0.0.1", "2026-01-01T13:10:00Z", NULL), "provisional:10.0.0.1");
    assert_string_equal(who(s, "10.0.0.1", "2026-01-01T12:00:00Z", NULL), "line:anna");
    step(s, "2026-01-01T15:00:00Z", RADIUS_STOP, "01", NULL, NULL, NULL); // ends bert's alone
    assert_string_equal(who(s, "10.0.0.2", "2026-01-01T14:50:00Z", NULL), "line:bert");
    assert_string_equal(who(s, "10.0.0.2", "2026-01-01T15:10:00Z", NULL), "provisional:10.0.0.2");
}

static void a_router_restarts(void **state)
{
    struct server *s = *state;
    step(s, "2026-01-01T10:00:00Z", RADIUS_START, "1", "anna", "10.0.0.1", NULL);
    step(s, "2026-01-01T10:00:00Z", RADIUS_START, "2", "bert", "10.0.0.2", "2001:db8:2::/56");
    assert_int_equal(step(s, "2026-01-01T11:00:00Z", RADIUS_ON, NULL, NULL, NULL, NULL),
                     RADIUS_TAKEN);
    assert_string_equal(who(s, "10.0.0.1", "2026-01-01T10:59:00Z", NULL), "line:anna");
    assert_string_equal(who(s, "10.0.0.1", "2026-01-01T11:03:00Z", NULL), "provisional:10.0.0.1");
    assert_string_equal(who(s, "2001:db8:2::1", "2026-01-01T11:03:00Z", NULL),
                        "provisional:2001:db8:2::1");
}

// Heard of for the first time in the middle: the session time tells the start.
static void an_interim_first(void **state)
{
    struct server *s = *state;
    struct radius_packet p = packet_begin(1, RADIUS_INTERIM, "bng-1", "x");
    packet_text(&p, 1, "anna");
    packet_put(&p, 8, (uint8_t[]){10, 0, 0, 1}, 4);
    packet_number(&p, 46, 3600);
    assert_int_equal(
        send_from(s, "198.51.100.1", packet_sign(&p, SECRET), at("2026-01-01T10:00:00Z")),
        RADIUS_TAKEN);
    assert_string_equal(who(s, "10.0.0.1", "2026-01-01T09:00:01Z", NULL), "line:anna");
    assert_string_equal(who(s, "10.0.0.1", "2026-01-01T08:59:59Z", NULL), "provisional:10.0.0.1");
    // A prefix that comes later belongs to the party from then on.
    step(s, "2026-01-01T10:05:00Z", RADIUS_INTERIM, "x", "anna", "10.0.0.1", "2001:db8:1::/56");
    assert_string_equal(who(s, "2001:db8:1::1", "2026-01-01T10:04:00Z", NULL),
                        "provisional:2001:db8:1::1");
    assert_string_equal(who(s, "2001:db8:1::1", "2026-01-01T10:06:00Z", NULL), "line:anna");
}

static void repeats_are_taken_once(void **state)
{
    struct server *s = *state;
    step(s, "2026-01-01T10:00:00Z", RADIUS_START, "a1", "anna", "10.0.0.1", NULL);
    struct span again = span_of(s->last.octet, s->last.len);
    assert_int_equal(send_from(s, "198.51.100.1", again, at("2026-01-01T10:00:05Z")), RADIUS_TAKEN);
    assert_int_equal(s->counts.taken, 1);
    assert_int_equal(s->counts.repeated, 1);
    // With another delay and identifier it is a new packet of the same start.
    struct radius_packet p = packet_begin(77, RADIUS_START, "bng-1", "a1");
    packet_text(&p, 1, "anna");
    packet_put(&p, 8, (uint8_t[]){10, 0, 0, 1}, 4);
    packet_number(&p, 41, 5);
    send_from(s, "198.51.100.1", packet_sign(&p, SECRET), at("2026-01-01T10:00:05Z") + 400);
    assert_int_equal(s->counts.taken, 2);
    assert_int_equal(leases_count(s->store.leases), 1);
}

// ---- Who may speak

static void spoofed(void **state)
{
    struct server *s = *state;
    struct radius_packet p = packet_begin(1, RADIUS_START, "bng-1", "z");
    packet_text(&p, 1, "mallory");
    packet_put(&p, 8, (uint8_t[]){10, 0, 0, 1}, 4);
    struct span good = packet_sign(&p, SECRET);
    int64_t now = at("2026-01-01T10:00:00Z");
    assert_int_equal(send_from(s, "203.0.113.9", good, now), RADIUS_REFUSED_CLIENT);
    struct radius_packet wrong = p;
    assert_int_equal(send_from(s, "198.51.100.9", packet_sign(&wrong, "guessed"), now),
                     RADIUS_REFUSED_SECRET);
    // Any octet changed: not signed any more (or shorter than it says).
    for (size_t i = 0; i < p.len; i++) {
        struct radius_packet changed = p;
        changed.octet[i] ^= 0x40;
        enum radius_refusal r = send_from(s, "198.51.100.9", span_of(changed.octet, changed.len),
                                          now);
        assert_true(r == RADIUS_REFUSED_SECRET);
    }
    assert_int_equal(leases_count(s->store.leases), 0);
    assert_int_equal(s->counts.taken, 0);
    assert_int_equal(s->counts.refused[RADIUS_REFUSED_CLIENT], 1);
    assert_int_equal(send_from(s, "198.51.100.9", good, now), RADIUS_TAKEN);
    struct control_status *status = control_status_new("test");
    radius_server_status(s->radius, status);
    json_t *json = control_status_json(status);
    char *text = json_dumps(json, 0);
    json_decref(json);
    assert_non_null(strstr(text, "203.0.113.9"));
    free(text);
    control_status_free(status);
}

static void impossible_values(void **state)
{
    struct server *s = *state;
    static const struct {
        uint8_t type, len, value[20];
        enum radius_refusal want;
    } cases[] = {
        {8, 3, {10, 0, 0}, RADIUS_REFUSED_VALUE},
        {123, 1, {0}, RADIUS_REFUSED_VALUE},
        {123, 4, {0, 129, 1, 1}, RADIUS_REFUSED_VALUE},
        {123, 4, {0, 56, 1, 1}, RADIUS_REFUSED_VALUE}, // seven octets are needed
        {168, 4, {1, 2, 3, 4}, RADIUS_REFUSED_VALUE},
        {41, 2, {1, 2}, RADIUS_REFUSED_VALUE},
        {40, 3, {0, 0, 1}, RADIUS_REFUSED_VALUE},
        {26, 3, {0, 0, 1}, RADIUS_REFUSED_VALUE},
        {123, 4, {0, 3, 0x20, 0}, RADIUS_REFUSED_VALUE}, // all of the internet is nobody's line
        {97, 4, {0, 15, 0x20, 1}, RADIUS_REFUSED_VALUE},
        {8, 4, {255, 255, 255, 254}, RADIUS_TAKEN}, // no address yet: counted, answered
        {8, 4, {0}, RADIUS_TAKEN},                  // none of this kind
        {123, 2, {0}, RADIUS_TAKEN},
        {123, 18, {0, 56}, RADIUS_TAKEN}, // whatever its length
        {168, 16, {0}, RADIUS_TAKEN},
        {26, 8, {0, 0, 13, 233, 1, 4, 'c', '1'}, RADIUS_TAKEN},
        {26, 8, {0, 0, 13, 233, 1, 9, 'c', '1'}, RADIUS_REFUSED_VALUE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct radius_packet p = packet_begin((uint8_t)i, RADIUS_START, "bng-1", "z");
        packet_text(&p, 1, "anna");
        packet_put(&p, cases[i].type, cases[i].value, cases[i].len);
        if (send_from(s, "198.51.100.1", packet_sign(&p, SECRET), 1767261600000) != cases[i].want)
            fail_msg("case %zu", i);
    }
    assert_int_equal(leases_count(s->store.leases), 0);
    // Nobody is named: answered, so that it is not sent for ever, and counted.
    struct radius_packet p = packet_begin(99, RADIUS_START, "bng-1", "z");
    packet_put(&p, 8, (uint8_t[]){10, 0, 0, 1}, 4);
    assert_int_equal(send_from(s, "198.51.100.1", packet_sign(&p, SECRET), 1767261600000),
                     RADIUS_REFUSED_PARTY);
}

static void cut_at_every_octet(void **state)
{
    (void)state;
    struct radius_packet p = packet_begin(1, RADIUS_START, "bng-1", "z");
    packet_text(&p, 1, "anna");
    packet_put(&p, 26, (uint8_t[]){0, 0, 13, 233, 2, 4, 'r', '1'}, 8);
    packet_put(&p, 97, (uint8_t[]){0, 64, 32, 1, 13, 184, 0, 1, 0, 0}, 10);
    packet_sign(&p, SECRET);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_int_equal(mprotect(two + page, page, PROT_NONE), 0);
    for (size_t len = 0; len <= p.len; len++) {
        uint8_t *end = two + page - len;
        struct radius_accounting a;
        memcpy(end, p.octet, len);
        enum radius_refusal r = radius_decode(span_of(end, len), &a);
        assert_int_equal(r, len == p.len ? RADIUS_TAKEN : RADIUS_REFUSED_BROKEN);
        if (len < RADIUS_HEADER)
            continue;
        end[2] = (uint8_t)(len >> 8); // the length says so too: attributes are cut
        end[3] = (uint8_t)len;
        uint8_t answer[RADIUS_PACKET_MAX];
        radius_decode(span_of(end, len), &a);
        radius_is_signed(span_of(end, len), span_of_text(SECRET));
        radius_answer(span_of(end, len), span_of_text(SECRET), answer);
    }
    munmap(two, 2 * page);
}

// RFC 2866: the proxies' states come back in order, the sum covers them.
static void answers_carry_proxy_states(void **state)
{
    (void)state;
    struct radius_packet p = packet_begin(42, RADIUS_STOP, "bng-1", "z");
    packet_text(&p, 33, "one");
    packet_text(&p, 1, "anna");
    packet_text(&p, 33, "two");
    struct span packet = packet_sign(&p, SECRET);
    uint8_t answer[RADIUS_PACKET_MAX];
    size_t len = radius_answer(packet, span_of_text(SECRET), answer);
    assert_int_equal(len, 30);
    assert_memory_equal(answer, ((uint8_t[]){5, 42, 0, 30}), 4);
    assert_memory_equal(answer + 20, "\x21\x05one\x21\x05two", 10);
    uint8_t sum[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_DigestInit_ex(md, EVP_md5(), NULL);
    EVP_DigestUpdate(md, answer, 4);
    EVP_DigestUpdate(md, packet.data + 4, 16);
    EVP_DigestUpdate(md, answer + 20, 10);
    EVP_DigestUpdate(md, SECRET, strlen(SECRET));
    EVP_DigestFinal_ex(md, sum, NULL);
    EVP_MD_CTX_free(md);
    assert_memory_equal(answer + 4, sum, 16);
}

// A router whose clock is a minute ahead: its leases are in doubt from the third packet on, its future
// times are not believed; when it is right again, so are they.
static void clocks_that_differ(void **state)
{
    struct server *s = *state;
    struct realm realm = {0};
    struct ip_addr addr;
    ip_parse("10.0.0.1", &addr);
    for (unsigned i = 0; i < 6; i++) {
        int64_t now = at("2026-01-01T10:00:00Z") + 60000 * (int64_t)i;
        struct radius_packet p = packet_begin((uint8_t)i, i ? RADIUS_INTERIM : RADIUS_START,
                                              "bng-1", "a1");
        packet_text(&p, 1, "anna");
        packet_put(&p, 8, addr.octet, 4);
        packet_number(&p, 55, (uint32_t)(now / 1000 + (i < 3 ? 60 : 0)));
        send_from(s, "198.51.100.1", packet_sign(&p, SECRET), now);
        struct lease_answer a = leases_find(s->store.leases, &realm, &addr, 0, now + 1);
        assert_int_equal(a.doubts & IDENTITY_CLOCKS_DIFFER,
                         i >= 2 && i < 5 ? IDENTITY_CLOCKS_DIFFER : 0);
        assert_int_not_equal(a.confidence, IDENTITY_UNKNOWN); // began by now, not a minute hence
    }
}

static void texts(void **state)
{
    (void)state;
    char out[16];
    uint8_t mac[6];
    assert_true(radius_text(span_of_text("anna"), out, sizeof out));
    assert_string_equal(out, "anna");
    assert_true(radius_text(span_of("an\0", 3), out, sizeof out));
    assert_string_equal(out, "an");
    assert_true(radius_text(span_of("\x01\xff", 2), out, sizeof out));
    assert_string_equal(out, "0x01ff");
    assert_true(radius_text(span_of_text(" a"), out, sizeof out));
    assert_string_equal(out, "0x2061");
    assert_false(radius_text(span_of_text("sixteen octets xx"), out, sizeof out));
    assert_false(radius_text(span_of_text(""), out, sizeof out));
    static const char *const good[] = {"02:00:5e:10:00:01", "02-00-5E-10-00-01", "0200.5e10.0001",
                                       "02005e100001"};
    for (size_t i = 0; i < 4; i++) {
        assert_true(radius_mac(span_of_text(good[i]), mac));
        assert_memory_equal(mac, ((uint8_t[]){2, 0, 0x5e, 0x10, 0, 1}), 6);
    }
    assert_false(radius_mac(span_of_text("02005e10000"), mac));
    assert_false(radius_mac(span_of_text("02005e1000011"), mac));
    assert_false(radius_mac(span_of_text("anna@example"), mac));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_session),
        TEST(a_lost_stop),
        TEST(a_repeated_session_id),
        TEST(a_router_restarts),
        TEST(an_interim_first),
        TEST(repeats_are_taken_once),
        TEST(spoofed),
        TEST(impossible_values),
        TEST(clocks_that_differ),
        cmocka_unit_test(cut_at_every_octet),
        cmocka_unit_test(answers_carry_proxy_states),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
