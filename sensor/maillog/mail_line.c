// Stamps and heads of log lines. Times without a zone go through the C library's idea of local time,
// once an hour of the log; the program has set it to the site's. See mail_line.h.
#include "maillog/mail_line.h"

#include <stdlib.h>

#define HOUR_MS  INT64_C(3600000)
#define DAY_MS   (24 * HOUR_MS)
#define MONTH_MS (31 * DAY_MS)

static bool digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

// `count` digits at `at`; -1: they are none. A leading blank counts as 0.
static int number(struct span s, size_t at, size_t count)
{
    if (at + count > s.len)
        return -1;
    int v = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t c = s.data[at + i];
        if (i == 0 && c == ' ' && count > 1)
            c = '0';
        if (!digit(c))
            return -1;
        v = v * 10 + (c - '0');
    }
    return v;
}

static int64_t days_of(int year, int month, int day)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    int64_t y = year - 1;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int64_t days = y * 365 + y / 4 - y / 100 + y / 400 - 719162;
    return days + before[month - 1] + (leap && month > 2) + day - 1;
}

static bool possible(int month, int day, int hour, int minute, int second)
{
    return month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour >= 0 && hour <= 23 &&
           minute >= 0 && minute <= 59 && second >= 0 && second <= 60;
}

// The hour in local time to UTC. Of the two readings of a repeated hour the earlier, unless with
// `within_ms` it lies half an hour and more before `last_ms`.
static int64_t local_ms(int year, int month, int day, int hour, int64_t within_ms, int64_t last_ms)
{
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_isdst = 1};
    struct tm winter = tm;
    winter.tm_isdst = 0;
    int64_t a = (int64_t)mktime(&tm) * 1000, b = (int64_t)mktime(&winter) * 1000;
    // Where a reading does not exist the library moved it to the other.
    if (tm.tm_hour != hour || tm.tm_isdst != 1)
        return b;
    if (winter.tm_hour != hour || winter.tm_isdst != 0)
        return a;
    return last_ms > a + within_ms + HOUR_MS / 2 ? b : a;
}

// ---- "2026-11-22T09:00:01.123456+01:00", "2026-11-22 09:00:01".

static size_t fraction(struct span s, size_t at, int *ms)
{
    *ms = 0;
    if (at >= s.len || (s.data[at] != '.' && s.data[at] != ','))
        return 0;
    size_t n = 1;
    for (int scale = 100; at + n < s.len && digit(s.data[at + n]); n++, scale /= 10)
        *ms += (s.data[at + n] - '0') * scale;
    return n > 1 ? n : 0;
}

// 0: none.
static size_t zone(struct span s, size_t at, int64_t *offset_ms)
{
    if (at < s.len && (s.data[at] == 'Z' || s.data[at] == 'z')) {
        *offset_ms = 0;
        return 1;
    }
    size_t blank = at < s.len && s.data[at] == ' '; // Exim: "09:00:01 +0100"
    size_t sign = at + blank;
    if (sign >= s.len || (s.data[sign] != '+' && s.data[sign] != '-'))
        return 0;
    size_t colon = sign + 3 < s.len && s.data[sign + 3] == ':';
    int hours = number(s, sign + 1, 2), minutes = number(s, sign + 3 + colon, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return 0;
    *offset_ms = (hours * 60 + minutes) * INT64_C(60000) * (s.data[sign] == '-' ? -1 : 1);
    return blank + 5 + colon;
}

static size_t iso_stamp(struct mail_clock *c, struct span s, int64_t *t_ms)
{
    int year = number(s, 0, 4), month = number(s, 5, 2), day = number(s, 8, 2);
    int hour = number(s, 11, 2), minute = number(s, 14, 2), second = number(s, 17, 2), ms;
    if (year < 1970 || !possible(month, day, hour, minute, second) || s.data[4] != '-' ||
        s.data[7] != '-' || s.data[13] != ':' || s.data[16] != ':')
        return 0;
    if (s.data[10] != 'T' && s.data[10] != 't' && s.data[10] != ' ')
        return 0;
    size_t len = 19 + fraction(s, 19, &ms);
    int64_t within = (minute * 60 + second) * INT64_C(1000) + ms, offset;
    size_t z = zone(s, len, &offset);
    if (z > 0) {
        *t_ms = days_of(year, month, day) * 24 * HOUR_MS + hour * HOUR_MS + within - offset;
        return len + z;
    }
    *t_ms = local_ms(year, month, day, hour, within, c->last_ms) + within;
    return len;
}

// ---- "Nov 22 09:00:01", "Nov  2 09:00:01.123".

static int month_of(struct span s)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (s.len < 3)
        return 0;
    for (int m = 0; m < 12; m++)
        if (memcmp(s.data, names + 3 * m, 3) == 0)
            return m + 1;
    return 0;
}

int mail_line_month(struct span text)
{
    return text.len >= 4 && text.data[3] == ' ' ? month_of(text) : 0;
}

static int year_of(int64_t t_ms)
{
    time_t t = (time_t)(t_ms / 1000);
    struct tm tm;
    return localtime_r(&t, &tm) ? tm.tm_year + 1900 : 1970;
}

// The stamp's hour in a year that fits. Of the first line: the latest that does not lie ahead of now. Then years begin
// when the months begin anew, however quiet the weeks between, but none that lies ahead of now; only a late line of
// December is of the year before.
static int64_t fitting(const struct mail_clock *c, int month, int day, int hour, int64_t within_ms)
{
    int64_t known_ms = c->last_ms ? c->last_ms : c->now_ms, end_ms = c->now_ms + DAY_MS;
    int year = c->last_ms == 0 && c->year ? c->year : year_of(known_ms);
    int64_t t = local_ms(year, month, day, hour, within_ms, known_ms);
    if (c->last_ms == 0 && c->year)
        return t;
    bool ahead = c->last_ms == 0 ? t > end_ms : t > known_ms + 11 * MONTH_MS;
    // A log that is not of now goes on: what it says of its own time is better than nothing.
    ahead |= known_ms <= end_ms && t > end_ms;
    if (ahead)
        return local_ms(year - 1, month, day, hour, within_ms, known_ms);
    if (t >= known_ms - MONTH_MS)
        return t;
    int64_t next = local_ms(year + 1, month, day, hour, within_ms, known_ms);
    return next <= end_ms || known_ms > end_ms ? next : t;
}

static size_t old_stamp(struct mail_clock *c, struct span s, int64_t *t_ms)
{
    int month = month_of(s), day = number(s, 4, 2), hour = number(s, 7, 2);
    int minute = number(s, 10, 2), second = number(s, 13, 2), ms;
    if (!possible(month, day, hour, minute, second) || s.data[3] != ' ' || s.data[6] != ' ' ||
        s.data[9] != ':' || s.data[12] != ':')
        return 0;
    size_t len = 15 + fraction(s, 15, &ms);
    int64_t within = (minute * 60 + second) * INT64_C(1000) + ms;
    bool cached = memcmp(c->hour_text, s.data, sizeof c->hour_text) == 0;
    // The clock was set back an hour within the text's hour: worked out again.
    if (!cached || c->hour_ms + within + HOUR_MS / 2 < c->last_ms) {
        memcpy(c->hour_text, s.data, sizeof c->hour_text);
        c->hour_ms = fitting(c, month, day, hour, within);
    }
    *t_ms = c->hour_ms + within;
    return len;
}

size_t mail_line_stamp(struct mail_clock *c, struct span text, int64_t *t_ms)
{
    if (text.len < 15)
        return 0;
    size_t n = text.data[0] >= 'A' ? old_stamp(c, text, t_ms)
               : text.len >= 19    ? iso_stamp(c, text, t_ms)
                                   : 0;
    if (n > 0 && *t_ms > c->last_ms)
        c->last_ms = *t_ms;
    return n;
}

// ---- The head behind the stamp.

// The word at `*at`, which moves behind the blank that ends it.
static struct span word(struct span s, size_t *at)
{
    size_t from = *at;
    while (*at < s.len && s.data[*at] != ' ')
        (*at)++;
    struct span w = span_cut(s, from, *at - from);
    if (*at < s.len)
        (*at)++;
    return w;
}

// "program[77]:" or "program:".
static bool tag(struct span s, size_t *at, struct mail_line *out)
{
    struct span w = word(s, at);
    if (w.len < 2 || w.data[w.len - 1] != ':')
        return false;
    w.len--;
    out->pid = 0;
    const uint8_t *open = memchr(w.data, '[', w.len);
    if (open) {
        uint32_t pid = 0;
        for (const uint8_t *p = open + 1; p < w.data + w.len && digit(*p); p++)
            pid = pid * 10 + (uint32_t)(*p - '0');
        out->pid = pid;
        w.len = (size_t)(open - w.data);
    }
    out->program = w;
    return w.len > 0;
}

// RFC 5424: "<22>1 STAMP HOST APP PROCID MSGID SD MSG".
static bool new_syslog(struct mail_clock *c, struct span s, struct mail_line *out)
{
    const uint8_t *close = s.len > 3 ? memchr(s.data, '>', 5 < s.len ? 5 : s.len) : NULL;
    if (!close)
        return false;
    size_t at = (size_t)(close - s.data) + 1;
    if (span_begins(span_cut(s, at, s.len), "1 "))
        at += 2;
    size_t n = mail_line_stamp(c, span_cut(s, at, s.len), &out->t_ms);
    if (n == 0)
        return false;
    at += n + 1;
    out->host = word(s, &at);
    size_t here = at;
    if (tag(s, &at, out)) { // a priority in front of the traditional form
        out->message = span_cut(s, at, s.len);
        return true;
    }
    at = here;
    out->program = word(s, &at);
    struct span pid = word(s, &at);
    out->pid = 0;
    for (size_t i = 0; i < pid.len && digit(pid.data[i]); i++)
        out->pid = out->pid * 10 + (uint32_t)(pid.data[i] - '0');
    word(s, &at);
    if (at < s.len && s.data[at] == '-') {
        word(s, &at);
    } else { // structured data: "]" that no backslash hides
        while (at < s.len && !(s.data[at] == ']' && s.data[at - 1] != '\\' &&
                               (at + 1 == s.len || s.data[at + 1] == ' ')))
            at++;
        at += 2;
    }
    out->message = span_cut(s, at, s.len);
    if (span_begins(out->message, "\xef\xbb\xbf"))
        out->message = span_cut(out->message, 3, s.len);
    return out->program.len > 0;
}

// "#77(rspamd_proxy) ": what rspamd puts behind the stamp of its own file.
static bool rspamd_head(struct span s, size_t at, struct mail_line *out)
{
    size_t open = at + 1;
    uint32_t pid = 0;
    for (; open < s.len && digit(s.data[open]); open++)
        pid = pid * 10 + (uint32_t)(s.data[open] - '0');
    if (s.data[at] != '#' || open == at + 1 || open >= s.len || s.data[open] != '(')
        return false;
    const uint8_t *end = memchr(s.data + open, ')', s.len - open < 64 ? s.len - open : 64);
    size_t close = end ? (size_t)(end - s.data) : s.len;
    if (close + 1 >= s.len || s.data[close + 1] != ' ')
        return false;
    out->host = (struct span){0};
    out->program = span_of_text("rspamd");
    out->pid = pid;
    out->message = span_cut(s, close + 2, s.len);
    return true;
}

bool mail_line_parse(struct mail_clock *c, struct span text, struct mail_line *out)
{
    if (text.len > 0 && text.data[0] == '<')
        return new_syslog(c, text, out);
    size_t at = mail_line_stamp(c, text, &out->t_ms);
    if (at == 0 || at >= text.len || text.data[at] != ' ')
        return false;
    at++;
    if (at < text.len && rspamd_head(text, at, out))
        return true;
    size_t host = at;
    out->host = word(text, &at);
    if (tag(text, &at, out)) {
        out->message = span_cut(text, at, text.len);
        return true;
    }
    at = host; // no host: what some loggers write
    out->host = (struct span){0};
    if (!tag(text, &at, out))
        return false;
    out->message = span_cut(text, at, text.len);
    return true;
}
