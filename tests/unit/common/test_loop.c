// The event loop: descriptors, hang-ups, forgetting within a wake-up, timers in order, signals.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/loop.h"

// What happened, as a text the tests compare.
static char seen[256];
static size_t seen_len;

static void note(char c)
{
    if (seen_len < sizeof seen - 1)
        seen[seen_len++] = c;
    seen[seen_len] = '\0';
}

static struct loop *fresh(void)
{
    seen_len = 0;
    seen[0] = '\0';
    struct loop *l = loop_new();
    assert_non_null(l);
    return l;
}

static void stop_late(struct loop *l, int64_t now_ms, void *ctx)
{
    (void)ctx;
    assert_true(now_ms > 1700000000000); // wall clock
    loop_stop(l, 99);
}

// Reads an octet a call; at the end closes and stops with 3.
static void read_one(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx)
{
    char c;
    (void)now_ms;
    (void)ctx;
    assert_true(events & LOOP_READ);
    ssize_t n = read(fd, &c, 1);
    if (n == 1) {
        note(c);
        return;
    }
    assert_int_equal(n, 0);
    note('.');
    loop_watch(l, fd, 0, NULL, NULL);
    close(fd);
    loop_stop(l, 3);
}

static void pipe_to_its_end(void **state)
{
    (void)state;
    struct loop *l = fresh();
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(loop_watch(l, fds[0], LOOP_READ, read_one, NULL), 0);
    assert_int_equal(write(fds[1], "abc", 3), 3);
    close(fds[1]); // epoll reports a hang-up only; the reader must meet the end all the same
    loop_after(l, 5000, stop_late, NULL);
    assert_int_equal(loop_run(l), 3);
    assert_string_equal(seen, "abc.");
    loop_free(l);
}

static void write_once(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx)
{
    (void)now_ms;
    (void)ctx;
    assert_int_equal(events, LOOP_WRITE);
    note('w');
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(loop_watch(l, fd, LOOP_READ, read_one, NULL), 0);
}

static void answer(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx)
{
    char c;
    (void)now_ms;
    (void)ctx;
    assert_int_equal(events, LOOP_READ);
    assert_int_equal(read(fd, &c, 1), 1);
    note(c);
    assert_int_equal(write(fd, "y", 1), 1);
    loop_watch(l, fd, 0, NULL, NULL);
    close(fd);
}

static void watching_anew_replaces(void **state)
{
    (void)state;
    struct loop *l = fresh();
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    assert_int_equal(loop_watch(l, fds[0], LOOP_WRITE, write_once, NULL), 0);
    assert_int_equal(loop_watch(l, fds[1], LOOP_READ, answer, NULL), 0);
    loop_after(l, 5000, stop_late, NULL);
    assert_int_equal(loop_run(l), 3);
    assert_string_equal(seen, "wxy.");
    loop_free(l);
}

static void on_hangup(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx)
{
    (void)fd;
    (void)now_ms;
    (void)ctx;
    assert_int_equal(events, LOOP_HANGUP);
    loop_stop(l, 4);
}

static void half_close_is_a_hangup_for_who_asks(void **state)
{
    (void)state;
    struct loop *l = fresh();
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(loop_watch(l, fds[0], LOOP_HANGUP, on_hangup, NULL), 0);
    shutdown(fds[1], SHUT_WR);
    loop_after(l, 5000, stop_late, NULL);
    assert_int_equal(loop_run(l), 4);
    loop_free(l);
    close(fds[0]);
    close(fds[1]);
}

static int pair_fd[2];

// The first called forgets the other, whose event of the same wake-up must not arrive.
static void forget_other(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx)
{
    (void)events;
    (void)now_ms;
    (void)ctx;
    note('1');
    int other = fd == pair_fd[0] ? pair_fd[1] : pair_fd[0];
    loop_watch(l, other, 0, NULL, NULL);
    loop_watch(l, fd, 0, NULL, NULL);
}

static void forgotten_events_do_not_arrive(void **state)
{
    (void)state;
    struct loop *l = fresh();
    int a[2], b[2];
    assert_int_equal(pipe(a), 0);
    assert_int_equal(pipe(b), 0);
    pair_fd[0] = a[0];
    pair_fd[1] = b[0];
    assert_int_equal(write(a[1], "x", 1), 1);
    assert_int_equal(write(b[1], "x", 1), 1);
    assert_int_equal(loop_watch(l, a[0], LOOP_READ, forget_other, NULL), 0);
    assert_int_equal(loop_watch(l, b[0], LOOP_READ, forget_other, NULL), 0);
    loop_after(l, 30, stop_late, NULL);
    assert_int_equal(loop_run(l), 99);
    assert_string_equal(seen, "1");
    loop_free(l);
    for (int i = 0; i < 2; i++) {
        close(a[i]);
        close(b[i]);
    }
}

static void a_number_used_again(void **state)
{
    (void)state;
    struct loop *l = fresh();
    int first[2], second[2];
    assert_int_equal(pipe(first), 0);
    assert_int_equal(loop_watch(l, first[0], LOOP_READ, read_one, NULL), 0);
    int number = first[0];
    close(first[0]); // without telling the loop
    close(first[1]);
    assert_int_equal(pipe(second), 0);
    assert_int_equal(second[0], number);
    assert_int_equal(loop_watch(l, second[0], LOOP_READ, read_one, NULL), 0);
    assert_int_equal(write(second[1], "z", 1), 1);
    close(second[1]);
    loop_after(l, 5000, stop_late, NULL);
    assert_int_equal(loop_run(l), 3);
    assert_string_equal(seen, "z.");
    loop_free(l);
}

static void refused_descriptors(void **state)
{
    (void)state;
    struct loop *l = fresh();
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_int_equal(loop_watch(l, -1, LOOP_READ, read_one, NULL), -EBADF);
    assert_int_equal(loop_watch(l, 1000, LOOP_READ, read_one, NULL), -EBADF);
    assert_int_equal(loop_watch(l, file, LOOP_READ, read_one, NULL), -EPERM); // always ready
    assert_int_equal(loop_watch(l, file, 0, NULL, NULL), 0);
    assert_int_equal(loop_watch(l, 5000, 0, NULL, NULL), 0);
    close(file);
    loop_free(l);
    loop_free(NULL);
}

static void note_timer(struct loop *l, int64_t now_ms, void *ctx)
{
    (void)now_ms;
    const char *c = ctx;
    note(*c);
    if (*c == '$')
        loop_stop(l, 5);
}

static void timers_in_order(void **state)
{
    (void)state;
    struct loop *l = fresh();
    assert_true(loop_after(l, 60, note_timer, "$") > 0);
    assert_true(loop_after(l, 40, note_timer, "d") > 0);
    assert_true(loop_after(l, 20, note_timer, "c") > 0);
    assert_true(loop_after(l, 0, note_timer, "a") > 0);
    assert_true(loop_after(l, -5, note_timer, "b") > 0); // at once, behind its equals
    int cancelled = loop_after(l, 10, note_timer, "x");
    loop_cancel(l, cancelled);
    loop_cancel(l, cancelled);
    loop_cancel(l, 0);
    assert_int_equal(loop_run(l), 5);
    assert_string_equal(seen, "abcd$");
    assert_int_equal(loop_every(l, 0, note_timer, "x"), -EINVAL);
    loop_free(l);
}

static void many_timers(void **state)
{
    (void)state;
    // Set in a scattered order, half of them cancelled: the rest come by their time.
    static char letter[26];
    struct loop *l = fresh();
    int id[26];
    for (int i = 0; i < 26; i++) {
        int k = i * 7 % 26;
        letter[k] = (char)('a' + k);
        id[k] = loop_after(l, 2 * k, note_timer, &letter[k]);
        assert_true(id[k] > 0);
    }
    for (int k = 1; k < 26; k += 2)
        loop_cancel(l, id[k]);
    loop_after(l, 60, note_timer, "$");
    assert_int_equal(loop_run(l), 5);
    assert_string_equal(seen, "acegikmoqsuwy$");
    loop_free(l);
}

struct repeat {
    int id, count;
};

static void three_times(struct loop *l, int64_t now_ms, void *ctx)
{
    struct repeat *r = ctx;
    (void)now_ms;
    note('r');
    if (++r->count == 3) {
        loop_cancel(l, r->id); // itself
        loop_after(l, 30, note_timer, "$");
    }
}

static void repeating_timer_cancels_itself(void **state)
{
    (void)state;
    struct loop *l = fresh();
    struct repeat r = {0};
    r.id = loop_every(l, 5, three_times, &r);
    assert_int_equal(loop_run(l), 5);
    assert_string_equal(seen, "rrr$");
    loop_free(l);
}

static void sleepy(struct loop *l, int64_t now_ms, void *ctx)
{
    struct repeat *r = ctx;
    (void)l;
    (void)now_ms;
    if (r->count++ == 0)
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
}

static void missed_ticks_are_not_made_up(void **state)
{
    (void)state;
    struct loop *l = fresh();
    struct repeat r = {0};
    loop_every(l, 10, sleepy, &r);
    loop_after(l, 115, note_timer, "$");
    assert_int_equal(loop_run(l), 5);
    assert_in_range(r.count, 1, 4); // and not the twelve of 115 ms
    loop_free(l);
}

static void again_at_once(struct loop *l, int64_t now_ms, void *ctx)
{
    (void)now_ms;
    loop_after(l, 0, again_at_once, ctx);
}

static void timers_do_not_starve_descriptors(void **state)
{
    (void)state;
    struct loop *l = fresh();
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    loop_after(l, 0, again_at_once, NULL);
    assert_int_equal(loop_watch(l, fds[0], LOOP_READ, read_one, NULL), 0);
    close(fds[1]);
    assert_int_equal(loop_run(l), 3);
    loop_free(l);
}

static void note_signal(struct loop *l, int signo, int64_t now_ms, void *ctx)
{
    (void)now_ms;
    (void)ctx;
    note(signo == SIGUSR1 ? '1' : signo == SIGHUP ? 'h' : 't');
    if (signo == SIGTERM)
        loop_stop(l, 6);
}

static void raise_again(struct loop *l, int64_t now_ms, void *ctx)
{
    (void)l;
    (void)now_ms;
    (void)ctx;
    raise(SIGHUP);
    raise(SIGTERM);
}

static void signals(void **state)
{
    (void)state;
    struct loop *l = fresh();
    assert_int_equal(loop_signal(l, SIGUSR1, note_signal, NULL), 0);
    assert_int_equal(loop_signal(l, SIGHUP, note_signal, NULL), 0);
    assert_int_equal(loop_signal(l, SIGTERM, note_signal, NULL), 0);
    assert_int_equal(loop_signal(l, 0, note_signal, NULL), -EINVAL);
    assert_int_equal(loop_signal(l, 1000, note_signal, NULL), -EINVAL);
    raise(SIGUSR1); // before the loop runs: kept
    loop_after(l, 20, raise_again, NULL);
    loop_after(l, 5000, stop_late, NULL);
    assert_int_equal(loop_run(l), 6);
    assert_string_equal(seen, "1ht");
    loop_free(l);

    sigset_t mask;
    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &mask), 0);
    assert_false(sigismember(&mask, SIGTERM)); // as it was before
}

static void stopped_before_it_runs(void **state)
{
    (void)state;
    struct loop *l = fresh();
    loop_stop(l, 8);
    assert_int_equal(loop_run(l), 8);
    loop_after(l, 0, note_timer, "$"); // and it runs again
    assert_int_equal(loop_run(l), 5);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipe_to_its_end),
        cmocka_unit_test(watching_anew_replaces),
        cmocka_unit_test(half_close_is_a_hangup_for_who_asks),
        cmocka_unit_test(forgotten_events_do_not_arrive),
        cmocka_unit_test(a_number_used_again),
        cmocka_unit_test(refused_descriptors),
        cmocka_unit_test(timers_in_order),
        cmocka_unit_test(many_timers),
        cmocka_unit_test(repeating_timer_cancels_itself),
        cmocka_unit_test(missed_ticks_are_not_made_up),
        cmocka_unit_test(timers_do_not_starve_descriptors),
        cmocka_unit_test(signals),
        cmocka_unit_test(stopped_before_it_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
