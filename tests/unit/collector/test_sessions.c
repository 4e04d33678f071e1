// Who has a place among the connections that bring records: a sensor always, an address without certificate some.
#include "session_rig.h"

#define NOW (T0 + 30000)

struct ends {
    int fd[64]; // the other ends
    size_t count;
};

static struct permit *permit(const char *name)
{
    struct permit *p = calloc(1, sizeof *p);
    snprintf(p->name, sizeof p->name, "%s", name);
    snprintf(p->serial, sizeof p->serial, "01");
    return p;
}

static void connect_as(struct rig *r, struct sessions *s, struct ends *e, const char *peer,
                       uint64_t source, struct permit *p, int64_t now_ms)
{
    struct session_who who = {.peer = peer, .source = source, .permit = p};
    int fd[2];
    snprintf(who.identity.serial, sizeof who.identity.serial, "01");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
    assert_true(e->count < 64);
    e->fd[e->count++] = fd[1];
    sessions_take(s, fd[0], tls_peer_new(NULL, fd[0]), &who, now_ms);
    (void)r;
}

static void hang_up(struct ends *e)
{
    while (e->count > 0)
        close(e->fd[--e->count]);
}

static bool is_open(int fd)
{
    char octet;
    return recv(fd, &octet, 1, MSG_DONTWAIT) < 0;
}

// Exporters have all of collector.sessions: each sensor gets a place all the same, one; a second of its own only when the first
// has been silent.
static void a_sensor_finds_a_place(void **state)
{
    struct rig *r = *state;
    struct ends e = {0};
    struct sessions *s = sessions_new(&r->room, 4);
    struct permit *one = permit("edge1"), *two = permit("edge2");
    for (uint64_t i = 0; i < 10; i++)
        connect_as(r, s, &e, "192.0.2.1", 100 + i, NULL, NOW);
    assert_int_equal(sessions_count(s), 4);
    assert_int_equal(sources_total(r->sources, SOURCE_full), 6);
    connect_as(r, s, &e, "edge1", 7, one, NOW);
    connect_as(r, s, &e, "edge2", 7, two, NOW);
    assert_int_equal(sessions_count(s), 6);
    connect_as(r, s, &e, "edge1", 7, one, NOW + 1000);
    assert_int_equal(sessions_count(s), 6);
    assert_false(is_open(e.fd[12]));
    assert_true(is_open(e.fd[10]));
    // Its machine was restarted: the link said nothing of it.
    connect_as(r, s, &e, "edge1", 7, one, NOW + 20000);
    assert_int_equal(sessions_count(s), 6);
    assert_true(is_open(e.fd[13]));
    assert_false(is_open(e.fd[10]));
    sessions_free(s);
    free(one);
    free(two);
    hang_up(&e);
}

// Of one address that says nothing the one silent longest gives way; other addresses keep theirs.
static void an_address_does_not_take_all(void **state)
{
    struct rig *r = *state;
    struct ends e = {0};
    struct sessions *s = sessions_new(&r->room, 30);
    connect_as(r, s, &e, "192.0.2.9", 9, NULL, NOW);
    for (int i = 0; i < 40; i++)
        connect_as(r, s, &e, "192.0.2.1", 1, NULL, NOW + i);
    assert_int_equal(sessions_count(s), 17);
    assert_true(is_open(e.fd[0]));
    assert_false(is_open(e.fd[1]));
    assert_true(is_open(e.fd[40]));
    sessions_free(s);
    hang_up(&e);
}

// Over a Unix socket, to which not everybody has access, only the number counts.
static void a_unix_socket_takes_what_there_is(void **state)
{
    struct rig *r = *state;
    struct ends e = {0};
    struct sessions *s = sessions_new(&r->room, 20);
    for (int i = 0; i < 25; i++)
        connect_as(r, s, &e, "unix", 0, NULL, NOW);
    assert_int_equal(sessions_count(s), 20);
    hang_up(&e);
    sessions_free(s);
}

// Exporters have all of collector.sessions: the sensors of this machine get in all the same.
static void a_unix_socket_finds_a_place(void **state)
{
    struct rig *r = *state;
    struct ends e = {0};
    struct sessions *s = sessions_new(&r->room, 4);
    for (uint64_t i = 0; i < 4; i++)
        connect_as(r, s, &e, "192.0.2.1", 100 + i, NULL, NOW);
    for (int i = 0; i < 20; i++)
        connect_as(r, s, &e, "unix", 0, NULL, NOW);
    assert_int_equal(sessions_count(s), 4 + 16);
    assert_true(is_open(e.fd[0]));
    assert_true(is_open(e.fd[4]));
    connect_as(r, s, &e, "192.0.2.2", 200, NULL, NOW);
    assert_int_equal(sessions_count(s), 4 + 16);
    hang_up(&e);
    sessions_free(s);
}

// Connections of which something was refused stand first, however many there are.
static void what_is_odd_is_shown_first(void **state)
{
    struct rig *r = *state;
    struct control_status *status = control_status_new("test");
    struct ends e = {0};
    struct sessions *s = sessions_new(&r->room, 64);
    char name[60];
    static const uint8_t strange[] = {0, 10, 0, 24, 0, 0,  0, 0, 0, 0, 0, 0,
                                      0, 0,  0, 1,  1, 43, 0, 8, 1, 2, 3, 4};
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "exporter-%d", i);
        connect_as(r, s, &e, name, 0, NULL, NOW);
    }
    struct session_who who = {.peer = "odd"};
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
    assert_int_equal(send(fd[1], strange, sizeof strange, 0), sizeof strange);
    sessions_take(s, fd[0], tls_peer_new(NULL, fd[0]), &who, NOW);
    sessions_status(s, status);
    json_t *doc = control_status_json(status), *inputs = json_object_get(doc, "inputs");
    assert_int_equal(json_array_size(inputs), 41);
    assert_string_equal(json_string_value(json_object_get(json_array_get(inputs, 0), "name")),
                        "odd");
    json_decref(doc);
    control_status_free(status);
    sessions_free(s);
    close(fd[1]);
    hang_up(&e);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sensor_finds_a_place),
        TEST(an_address_does_not_take_all),
        TEST(a_unix_socket_takes_what_there_is),
        TEST(a_unix_socket_finds_a_place),
        TEST(what_is_odd_is_shown_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
