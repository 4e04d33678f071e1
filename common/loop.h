// The event loop of a daemon: epoll, timers, signals. One thread, no locks. The loop is the only
// place that reads the clock; what it calls gets the time as an argument.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct loop;

enum loop_events { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_HANGUP = 4 };

// At a hang-up or error the call also gets what was watched for, so that who only reads meets the
// end there. Times: `now_ms` is wall clock (UTC), timers run on the monotonic clock.
typedef void (*loop_fd_fn)(struct loop *l, int fd, unsigned events, int64_t now_ms, void *ctx);
typedef void (*loop_timer_fn)(struct loop *l, int64_t now_ms, void *ctx);
typedef void (*loop_signal_fn)(struct loop *l, int signo, int64_t now_ms, void *ctx);

// Wall clock (UTC): for what happens before the loop runs. Within it, calls bring the time.
int64_t loop_clock_ms(void);
// Of the boot, never going back: whether somebody still lives, whether the wall clock jumped.
int64_t loop_monotonic_ms(void);

struct loop *loop_new(void); // NULL: out of memory or descriptors
void loop_free(struct loop *l);

// Watch `fd` for `events`; replaces what was watched before. 0 events: forget it. Negative errno.
int loop_watch(struct loop *l, int fd, unsigned events, loop_fd_fn fn, void *ctx);

// Every `interval_ms` from now on. Returns an id (> 0) for loop_cancel, or a negative errno.
int loop_every(struct loop *l, int64_t interval_ms, loop_timer_fn fn, void *ctx);
int loop_after(struct loop *l, int64_t delay_ms, loop_timer_fn fn, void *ctx);
void loop_cancel(struct loop *l, int timer_id);

// The signal is blocked and delivered as an event.
int loop_signal(struct loop *l, int signo, loop_signal_fn fn, void *ctx);

// Runs until loop_stop; returns the status given there.
int loop_run(struct loop *l);
void loop_stop(struct loop *l, int status);
