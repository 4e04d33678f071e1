// What an SMTP client has sent and not yet been answered for, in order. Bounded: runs of one kind take
// one place, so that a group of a thousand RCPT does; what does not fit is counted as one run of
// SMTP_EXPECT_SKIP, whose answers are passed over.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SMTP_QUEUE_MAX 40

enum smtp_expect {
    SMTP_EXPECT_OTHER, // any command whose reply is of no further interest
    SMTP_EXPECT_HELO,
    SMTP_EXPECT_MAIL,
    SMTP_EXPECT_RCPT,
    SMTP_EXPECT_DATA,
    SMTP_EXPECT_END,   // of DATA's content, or of the last chunk
    SMTP_EXPECT_CHUNK, // a chunk that is not the last, and is counted nowhere
    SMTP_EXPECT_AUTH,
    SMTP_EXPECT_STARTTLS,
    SMTP_EXPECT_RSET,
    SMTP_EXPECT_QUIT,
    SMTP_EXPECT_TURN, // accepted, client and server change places
    SMTP_EXPECT_UNKNOWN,
    SMTP_EXPECT_EMPTY,   // an empty line, which may go unanswered
    SMTP_EXPECT_REFUSED, // content the server took for commands: any number of 50x
    SMTP_EXPECT_SKIP,    // beyond the bound
    SMTP_EXPECT_NOTHING, // the queue is empty
};

struct smtp_run {
    uint8_t what; // enum smtp_expect
    uint32_t count;
};

// Zeroed is valid and empty.
struct smtp_queue {
    uint8_t first, count;
    uint8_t used; // places that were ever written
    struct smtp_run run[SMTP_QUEUE_MAX];
};

// False when there was no room and the answer will be passed over.
bool smtp_queue_push(struct smtp_queue *q, enum smtp_expect what);
void smtp_queue_pop(struct smtp_queue *q);
void smtp_queue_clear(struct smtp_queue *q);
// All of it is zero again.
void smtp_queue_fini(struct smtp_queue *q);

// What the next reply answers.
enum smtp_expect smtp_queue_head(const struct smtp_queue *q);

// How many answers of this kind are outstanding; with SMTP_EXPECT_NOTHING, of all kinds.
uint32_t smtp_queue_number(const struct smtp_queue *q, enum smtp_expect what);

// Everything before the first `what` is taken for answered.
void smtp_queue_forward(struct smtp_queue *q, enum smtp_expect what);

// The second run becomes `to` when it is `from`.
bool smtp_queue_change_next(struct smtp_queue *q, enum smtp_expect from, enum smtp_expect to);
