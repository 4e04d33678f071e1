// The event loop of loop.h on epoll and signalfd. Timers are a binary heap by due time, equals in
// the order they were set; the wait ends at the first. An event whose descriptor was forgotten or
// watched anew by an earlier callback of the same wake-up is dropped: its number may belong to
// another connection by now.
#include "common/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX  64
#define SIGNALS_MAX 65

struct watch {
    loop_fd_fn fn; // NULL: not watched
    void *ctx;
    unsigned events;
    uint32_t generation;
};

struct timer {
    int64_t due_ms, interval_ms; // monotonic; 0: once
    uint64_t order;
    int id;
    loop_timer_fn fn;
    void *ctx;
};

struct loop {
    int epoll_fd, signal_fd;
    struct watch *watch; // by descriptor
    size_t watches;
    struct timer *heap;
    size_t timers, timer_cap;
    uint64_t next_order;
    int next_id;
    struct {
        loop_signal_fn fn;
        void *ctx;
    } signal[SIGNALS_MAX];
    sigset_t signals, saved_mask;
    bool stopped;
    int status;
};

static int64_t clock_ms(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t loop_clock_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int64_t loop_monotonic_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

struct loop *loop_new(void)
{
    struct loop *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->signal_fd = -1;
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    sigemptyset(&l->signals);
    if (l->epoll_fd < 0 || sigprocmask(SIG_BLOCK, NULL, &l->saved_mask) != 0) {
        loop_free(l);
        return NULL;
    }
    return l;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    if (l->signal_fd >= 0) {
        close(l->signal_fd);
        sigprocmask(SIG_SETMASK, &l->saved_mask, NULL);
    }
    if (l->epoll_fd >= 0)
        close(l->epoll_fd);
    free(l->watch);
    free(l->heap);
    free(l);
}

static int watch_reserve(struct loop *l, int fd)
{
    if ((size_t)fd < l->watches)
        return 0;
    size_t count = l->watches ? l->watches : 16;
    while (count <= (size_t)fd)
        count *= 2;
    struct watch *w = reallocarray(l->watch, count, sizeof *w);
    if (!w)
        return -ENOMEM;
    memset(w + l->watches, 0, (count - l->watches) * sizeof *w);
    l->watch = w;
    l->watches = count;
    return 0;
}

int loop_watch(struct loop *l, int fd, unsigned events, loop_fd_fn fn, void *ctx)
{
    if (fd < 0)
        return -EBADF;
    if (events == 0) {
        if ((size_t)fd < l->watches && l->watch[fd].fn) {
            l->watch[fd].fn = NULL;
            l->watch[fd].generation++;
            // The caller may have closed it already, which took it out of the set.
            epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        }
        return 0;
    }
    assert(fn);
    int rc = watch_reserve(l, fd);
    if (rc != 0)
        return rc;
    struct watch *w = &l->watch[fd];
    uint32_t generation = w->generation + 1;
    struct epoll_event ev = {.data.u64 = (uint64_t)generation << 32 | (uint32_t)fd};
    ev.events = (events & LOOP_READ ? EPOLLIN : 0u) | (events & LOOP_WRITE ? EPOLLOUT : 0u) |
                (events & LOOP_HANGUP ? EPOLLRDHUP : 0u);
    // A descriptor closed and opened again under its number is new to epoll, whatever we remember.
    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, fd, &ev) != 0) {
        if (errno != ENOENT)
            return -errno;
        if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
            return -errno;
    }
    *w = (struct watch){.fn = fn, .ctx = ctx, .events = events, .generation = generation};
    return 0;
}

static bool timer_before(const struct timer *a, const struct timer *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

static void heap_swap(struct timer *a, struct timer *b)
{
    struct timer t = *a;
    *a = *b;
    *b = t;
}

static void heap_up(struct loop *l, size_t i)
{
    for (; i > 0 && timer_before(&l->heap[i], &l->heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap_swap(&l->heap[i], &l->heap[(i - 1) / 2]);
}

static void heap_down(struct loop *l, size_t i)
{
    for (;;) {
        size_t least = i;
        for (size_t c = 2 * i + 1; c <= 2 * i + 2 && c < l->timers; c++) {
            if (timer_before(&l->heap[c], &l->heap[least]))
                least = c;
        }
        if (least == i)
            return;
        heap_swap(&l->heap[i], &l->heap[least]);
        i = least;
    }
}

static size_t timer_index(const struct loop *l, int id)
{
    size_t i = 0;
    while (i < l->timers && l->heap[i].id != id)
        i++;
    return i;
}

static int timer_set(struct loop *l, int64_t delay_ms, int64_t interval_ms, loop_timer_fn fn,
                     void *ctx)
{
    assert(fn);
    if (l->timers == l->timer_cap) {
        size_t cap = l->timer_cap ? l->timer_cap * 2 : 8;
        struct timer *heap = reallocarray(l->heap, cap, sizeof *heap);
        if (!heap)
            return -ENOMEM;
        l->heap = heap;
        l->timer_cap = cap;
    }
    int64_t now = clock_ms(CLOCK_MONOTONIC);
    if (delay_ms > INT64_MAX - now)
        delay_ms = INT64_MAX - now;
    do
        l->next_id = l->next_id == INT_MAX ? 1 : l->next_id + 1;
    while (timer_index(l, l->next_id) < l->timers);
    l->heap[l->timers] = (struct timer){.due_ms = now + delay_ms,
                                        .interval_ms = interval_ms,
                                        .order = l->next_order++,
                                        .id = l->next_id,
                                        .fn = fn,
                                        .ctx = ctx};
    heap_up(l, l->timers++);
    return l->next_id;
}

int loop_every(struct loop *l, int64_t interval_ms, loop_timer_fn fn, void *ctx)
{
    if (interval_ms < 1)
        return -EINVAL;
    return timer_set(l, interval_ms, interval_ms, fn, ctx);
}

int loop_after(struct loop *l, int64_t delay_ms, loop_timer_fn fn, void *ctx)
{
    return timer_set(l, delay_ms < 0 ? 0 : delay_ms, 0, fn, ctx);
}

static void timer_remove(struct loop *l, size_t i)
{
    l->timers--;
    if (i == l->timers)
        return;
    l->heap[i] = l->heap[l->timers];
    heap_up(l, i);
    heap_down(l, i);
}

void loop_cancel(struct loop *l, int timer_id)
{
    size_t i = timer_index(l, timer_id);
    if (i < l->timers)
        timer_remove(l, i);
}

static void signal_event(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx)
{
    (void)events;
    (void)ctx;
    struct signalfd_siginfo info;
    while (read(fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo < SIGNALS_MAX && l->signal[info.ssi_signo].fn)
            l->signal[info.ssi_signo].fn(l, (int)info.ssi_signo, now_ms,
                                         l->signal[info.ssi_signo].ctx);
    }
}

int loop_signal(struct loop *l, int signo, loop_signal_fn fn, void *ctx)
{
    sigset_t one;
    sigset_t all = l->signals;
    sigemptyset(&one);
    if (signo < 1 || signo >= SIGNALS_MAX || sigaddset(&one, signo) != 0 ||
        sigaddset(&all, signo) != 0)
        return -EINVAL;
    int fd = signalfd(l->signal_fd, &all, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (l->signal_fd < 0) {
        int rc = loop_watch(l, fd, LOOP_READ, signal_event, NULL);
        if (rc != 0) {
            close(fd);
            return rc;
        }
        l->signal_fd = fd;
    }
    if (sigprocmask(SIG_BLOCK, &one, NULL) != 0)
        return -errno;
    l->signals = all;
    l->signal[signo].fn = fn;
    l->signal[signo].ctx = ctx;
    return 0;
}

// Milliseconds until the first timer, -1 without one.
static int wait_ms(const struct loop *l)
{
    if (l->timers == 0)
        return -1;
    int64_t left = l->heap[0].due_ms - clock_ms(CLOCK_MONOTONIC);
    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

static void run_timers(struct loop *l, int64_t now_ms)
{
    int64_t now = clock_ms(CLOCK_MONOTONIC);
    // Timers set by these callbacks wait for the next round, or a delay of 0 would starve the rest.
    uint64_t limit = l->next_order;
    while (!l->stopped && l->timers > 0) {
        struct timer t = l->heap[0];
        if (t.due_ms > now || t.order >= limit)
            return;
        if (t.interval_ms > 0) {
            // Ticks missed while the process was busy or stopped are not made up.
            int64_t behind = now - t.due_ms;
            l->heap[0].due_ms += (behind / t.interval_ms + 1) * t.interval_ms;
            l->heap[0].order = l->next_order++;
            heap_down(l, 0);
        } else {
            timer_remove(l, 0);
        }
        t.fn(l, now_ms, t.ctx);
    }
}

static void run_event(struct loop *l, const struct epoll_event *ev, int64_t now_ms)
{
    int fd = (int)(uint32_t)ev->data.u64;
    struct watch w = l->watch[fd];
    if (!w.fn || w.generation != ev->data.u64 >> 32)
        return;
    unsigned events = (ev->events & EPOLLIN ? LOOP_READ : 0u) |
                      (ev->events & EPOLLOUT ? LOOP_WRITE : 0u) |
                      (ev->events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP) ? LOOP_HANGUP : 0u);
    // Who only reads or writes must still be called at the end, where the call says what happened.
    if (ev->events & (EPOLLHUP | EPOLLERR))
        events |= w.events & (LOOP_READ | LOOP_WRITE);
    w.fn(l, fd, events, now_ms, w.ctx);
}

int loop_run(struct loop *l)
{
    while (!l->stopped) {
        struct epoll_event ev[EVENTS_MAX];
        int n = epoll_wait(l->epoll_fd, ev, EVENTS_MAX, wait_ms(l));
        if (n < 0 && errno != EINTR) {
            l->status = -errno;
            break;
        }
        int64_t now_ms = clock_ms(CLOCK_REALTIME);
        run_timers(l, now_ms);
        for (int i = 0; i < n && !l->stopped; i++)
            run_event(l, &ev[i], now_ms);
    }
    l->stopped = false;
    return l->status;
}

void loop_stop(struct loop *l, int status)
{
    l->stopped = true;
    l->status = status;
}
