// What the interface and the kernel lost: the kernel's answers are written by the test, on a socket and in a
// file in the places of rtnetlink and /proc/net/softnet_stat.
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "card.h"

static struct bench {
    struct card card;
    int kernel; // the other end of the socket
} b;

static int begin(void **state)
{
    int pair[2];
    (void)state;
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    b = (struct bench){.card = {.link_fd = pair[0]}, .kernel = pair[1]};
    b.card.softnet_fd = memfd_create("softnet", MFD_CLOEXEC);
    return b.card.softnet_fd < 0 ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    card_close(&b.card);
    close(b.kernel);
    return b.card.link_fd == -1 && b.card.softnet_fd == -1 ? 0 : -1;
}

struct answer {
    struct nlmsghdr head;
    struct if_stats_msg body;
    struct rtattr attribute;
    struct rtnl_link_stats64 stats;
};

static struct answer answer_of(uint64_t missed, uint64_t fifo, uint64_t dropped)
{
    return (struct answer){
        .head = {.nlmsg_len = sizeof(struct answer), .nlmsg_type = RTM_NEWSTATS},
        .attribute = {.rta_len = RTA_LENGTH(sizeof(struct rtnl_link_stats64)),
                      .rta_type = IFLA_STATS_LINK_64},
        .stats = {.rx_missed_errors = missed, .rx_fifo_errors = fifo, .rx_dropped = dropped}};
}

static void queues(const char *text)
{
    assert_int_equal(ftruncate(b.card.softnet_fd, 0), 0);
    assert_int_equal(pwrite(b.card.softnet_fd, text, strlen(text), 0), (ssize_t)strlen(text));
}

// The interface says this, the kernel's queues dropped so many on two processors.
static uint64_t count(bool tagged, uint64_t missed, uint64_t fifo, uint64_t dropped, unsigned queue)
{
    char text[200], asked[256];
    struct answer a = answer_of(missed, fifo, dropped);
    snprintf(text, sizeof text, "00000010 %08x 00000000\n00000011 %08x 00000000\n", queue / 2,
             queue - queue / 2);
    queues(text);
    assert_int_equal(send(b.kernel, &a, sizeof a, 0), sizeof a);
    uint64_t lost = card_count(&b.card, 7, tagged);
    assert_true(recv(b.kernel, asked, sizeof asked, MSG_DONTWAIT) >= (ssize_t)NLMSG_HDRLEN);
    return lost;
}

static void test_own_losses(void **state)
{
    (void)state;
    assert_int_equal(count(false, 1000, 50, 9, 0), 0); // before the sensor
    assert_true(b.card.known);
    assert_int_equal(count(false, 1003, 50, 9, 0), 3);
    assert_int_equal(count(false, 1003, 54, 9, 0), 7);
    assert_int_equal(count(false, 2, 1, 0, 0), 10); // the interface was made anew
}

// "dropped" counts one second later: it may turn out that the frames only had a tag.
static void test_dropped(void **state)
{
    (void)state;
    count(false, 0, 0, 0, 0);
    assert_int_equal(count(false, 0, 0, 12, 0), 0);
    assert_int_equal(count(false, 0, 0, 12, 0), 12);
    assert_int_equal(count(false, 0, 0, 20, 3), 12);
    // Of these eight the queues dropped three, the others were tagged.
    assert_int_equal(count(true, 0, 0, 20, 3), 15);
    assert_int_equal(count(true, 0, 0, 1000020, 3), 15);
    assert_int_equal(count(true, 0, 0, 1000025, 13), 15);
    // The queues are all interfaces': at most as much as this one dropped.
    assert_int_equal(count(true, 0, 0, 1000025, 13), 20);
}

// No answer, or none that can be understood: the sum stays, and nothing is known.
static void test_bad_answers(void **state)
{
    (void)state;
    char asked[256];
    struct answer a = answer_of(5, 5, 5);
    assert_int_equal(card_count(&b.card, 7, false), 0);
    assert_false(b.card.known);
    for (size_t cut = 0; cut < offsetof(struct answer, stats); cut++) {
        assert_int_equal(send(b.kernel, &a, cut, 0), (ssize_t)cut);
        assert_int_equal(card_count(&b.card, 7, false), 0);
        assert_false(b.card.known);
        while (recv(b.kernel, asked, sizeof asked, MSG_DONTWAIT) > 0) {}
    }
    struct answer wrong[] = {a, a, a, a};
    wrong[0].head.nlmsg_type = NLMSG_ERROR;
    wrong[1].attribute.rta_type = IFLA_STATS_LINK_64 + 1;
    wrong[2].attribute.rta_len = RTA_LENGTH(sizeof a.stats) + 1;
    wrong[3].attribute.rta_len = 3;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(send(b.kernel, &wrong[i], sizeof a, 0), sizeof a);
        assert_int_equal(card_count(&b.card, 7, false), 0);
        assert_false(b.card.known);
    }
    count(false, 1, 1, 1, 0);
    assert_int_equal(count(false, 2, 1, 1, 0), 1);
    assert_int_equal(card_count(&b.card, 7, false), 1);
}

// A kernel that knows fewer counters than the headers: those behind are zero.
static void test_short_stats(void **state)
{
    (void)state;
    count(false, 0, 0, 0, 0);
    struct answer a = answer_of(9, 9, 4);
    a.attribute.rta_len = RTA_LENGTH(offsetof(struct rtnl_link_stats64, rx_length_errors));
    assert_int_equal(send(b.kernel, &a, sizeof a, 0), sizeof a);
    assert_int_equal(card_count(&b.card, 7, false), 0);
    assert_int_equal(count(false, 0, 0, 4, 0), 4);
}

// Many processors, no line's end, nothing at all.
static void test_queues(void **state)
{
    (void)state;
    char text[40000];
    size_t len = 0;
    count(false, 0, 0, 0, 0);
    for (unsigned i = 0; i < 512; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%08x 00000001 00000000\n", i);
    text[len - 1] = '\0';
    queues(text);
    struct answer a = answer_of(0, 0, 600);
    assert_int_equal(send(b.kernel, &a, sizeof a, 0), sizeof a);
    card_count(&b.card, 7, true);
    queues("");
    assert_int_equal(send(b.kernel, &a, sizeof a, 0), sizeof a);
    assert_int_equal(card_count(&b.card, 7, true), 512);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_own_losses, begin, end),
        cmocka_unit_test_setup_teardown(test_dropped, begin, end),
        cmocka_unit_test_setup_teardown(test_bad_answers, begin, end),
        cmocka_unit_test_setup_teardown(test_short_stats, begin, end),
        cmocka_unit_test_setup_teardown(test_queues, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
