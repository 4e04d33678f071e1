// Does mail fail for the whole site, or for one party? The parties vote, once each, by what they met of late.
//
// Failing is to reach no longer who answered this very party before; well is to be answered. Two questions are voted
// on: port 25 of others (a block or a filter strikes it alone), and whatever leaves the network (a border that is down
// strikes all; at night hardly anybody sends mail). Who has an open verdict, scans, or begins with more mail providers
// than a household has, does not vote, so machines that begin together neither raise the share nor hide behind it. Our
// own smarthost stands inside the network and is no witness: it answers while the border is down.
// docs/detectors/site-failure.md.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct minute_row;
struct window;
struct window_contacts;

struct ballot_rule {
    int64_t parties_min; // that have voted, before a share means anything
    double share;        // of them failing
    double jump;         // above the average
};

enum ballot_question { BALLOT_PORT25, BALLOT_BORDER, BALLOT_QUESTIONS };
enum ballot_vote { BALLOT_NONE, BALLOT_WELL, BALLOT_FAILING };

#define BALLOT_MINUTES   5  // a vote counts for so long
#define BALLOT_PROVIDERS 32 // remembered of those that fail
#define BALLOT_KNOWN     4

// A party's part of it. Zeroed is valid: it has not voted.
struct ballot_paper {
    uint16_t minute[BALLOT_QUESTIONS]; // of its vote, its low bits
    uint8_t vote[BALLOT_QUESTIONS];    // enum ballot_vote
    uint8_t known_next;
    uint16_t known[BALLOT_KNOWN]; // the latest that answered beyond port 25, short hashes; 0: none
};

struct ballot_bucket { // votes by the minute they are of
    uint32_t stamp;    // minute + 1
    uint32_t vote[BALLOT_FAILING + 1];
};

struct ballot_tally {
    struct ballot_bucket bucket[BALLOT_MINUTES];
    double average;     // of the share that fails, while nothing is broken
    int64_t jumped_min; // minute of the first jump of those that follow one another; 0: none
    struct {
        uint32_t hash;  // of a provider that fails
        uint32_t stamp; // minute + 1
    } provider[BALLOT_PROVIDERS];
};

// Zeroed, but for the rule, is valid.
struct ballot {
    struct ballot_rule rule;
    struct ballot_tally tally[BALLOT_QUESTIONS];
    uint32_t learnt_stamp;
    int64_t failing_since; // minute; 0: never
    int64_t failing_until; // minute, exclusive: the state holds two minutes beyond the last bad one
    uint64_t failing_minutes;
};

// Takes what a row says. `may_vote`: nothing is known against the party. True: mail fails for many at the row's time.
bool ballot_take(struct ballot *b, struct ballot_paper *paper, const struct minute_row *r,
                 const struct window_contacts *contacts, bool may_vote);

// A minute of the site is over: learns what is usual, but nothing while it fails.
void ballot_minute(struct ballot *b, int64_t minute);

bool ballot_failing(const struct ballot *b, int64_t now_ms);

// May the party vote? False: its volume of new mail providers is what is asked about.
bool ballot_trusts(const struct window *w, int64_t now_ms, bool household);
