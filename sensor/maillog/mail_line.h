// A line of a log: its time, who wrote it, and the message. Traditional syslog ("Nov 22 09:00:01
// host postfix/smtpd[77]: ..."), the RFC 3339 form of rsyslog and syslog-ng, and RFC 5424 itself.
//
// Traditional stamps have no year and no zone. The first line's year is the latest that does not lie a day and more ahead
// of `now_ms`; a later line's the time before's, or the next when the months begin anew. The zone is the site's; in the hour that the clock repeats, the reading
// that does not go back counts.
#pragma once

#include <time.h>

#include "common/span.h"

#define MAIL_LINE_MAX 65536 // octets; the rest of a longer line is passed over

struct mail_line {
    int64_t t_ms;
    uint32_t pid;        // 0: none
    struct span host;    // empty: none
    struct span program; // "postfix/submission/smtpd"; empty: none
    struct span message;
};

// Zeroed is valid; no line is later than `now_ms` by more than a day.
struct mail_clock {
    int64_t now_ms;
    int64_t last_ms; // of the latest line; 0: none yet
    int year;        // of the first line, when it is known; 0: by `now_ms`
    // The traditional stamp's hour that was worked out last.
    uint8_t hour_text[10]; // "Nov 22 09:"
    int64_t hour_ms;
};

// False: no line of a log. A NUL or another control character is data like any other.
bool mail_line_parse(struct mail_clock *c, struct span text, struct mail_line *out);

// The stamp at the beginning of `text` ("2026-11-22T09:00:01.123456+01:00", "2026-11-22 09:00:01",
// "Nov 22 09:00:01"): its octets, 0 when there is none. Without a zone it is local time.
size_t mail_line_stamp(struct mail_clock *c, struct span text, int64_t *t_ms);

// 1 to 12: the month of a stamp without a year; 0: `text` does not begin with one.
int mail_line_month(struct span text);
