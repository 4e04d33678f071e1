// What strikes a whole site: an outage of transit, of the own smarthost, of a large mail provider, a BNG that boots, a
// night in which addresses change hands, a block of port 25 that begins by day, a patch day. At most one of each a day.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "rates.h"

#define DAY_MS  86400000LL
#define HOUR_MS 3600000LL

struct span_ms {
    int64_t from_ms, to_ms; // 0, 0: none
};

struct events {
    struct span_ms transit, smarthost;
    struct span_ms reboot;   // of the BNG: the lines are dark, and get other addresses when it ends
    struct span_ms provider; // a large mail provider is down
    uint32_t provider_down;  // its number
    bool provider_refuses;   // by resets; else nobody answers
    bool patch;              // updates are out: everybody loads them, and boots
    int64_t
        renumber_ms; // 0: none. From then on, over an hour, lines dial in and get others' addresses
    int64_t block_ms; // port 25 of households is dropped from then on, and nobody said so. 0: never
};

struct events_whose { // who has a line's traffic at a time, as the collector would tell
    uint32_t address;
    uint32_t line;    // another than its own while the start of its lease is lost
    bool provisional; // the address's, since it has just changed hands or is about to
    uint8_t confidence;
    uint32_t doubts;
    int64_t seen_ms; // when accounting last gave a sign of that lease
};

// The addresses of a site over its days.
struct address_book {
    uint32_t lines;
    uint32_t shift, shift_before; // line + shift, wrapping, is its address
    int64_t changed_ms;           // since when for the first line
    bool at_once;                 // for all of them
    const struct rates *rates;    // of lost starts; NULL: none is lost
    const struct rates *signs;    // of accounting's interim records; NULL: not told
    int64_t rebooted_ms;
};

// When accounting gave the last sign of a line at or before `t_ms`: each so many minutes as the line's access router does.
int64_t events_sign_ms(const struct rates *rates, uint32_t line, int64_t t_ms);

void events_draw(const struct rates *rates, uint64_t seed, int64_t day_ms, struct events *out);
bool events_out(const struct events *e, int64_t t_ms);   // transit is down
bool events_dark(const struct events *e, int64_t t_ms);  // the line is down
bool events_block(const struct events *e, int64_t t_ms); // a block has begun
bool events_failing(const struct events *e, uint32_t provider, int64_t t_ms);

// Call once a day, before its rows. What changed on the day before is final then.
void address_book_day(struct address_book *b, const struct events *e);
// `own`: the hours between the line's own dialling in, 0: never.
struct events_whose address_book_whose(const struct address_book *b, uint32_t line, int64_t t_ms,
                                       int64_t own_ms);
