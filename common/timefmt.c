// RFC 3339 times, in the proleptic Gregorian calendar, without the C library's time zones. Calendar
// arithmetic counts days in 400-year eras that begin on the first of March, so that a leap day is
// the last day of its year.
#include "common/timefmt.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

#define DAY_MS 86400000LL

static const int64_t time_min_ms = -62135596800000; // 0001-01-01T00:00:00Z
static const int64_t time_max_ms = 253402300799999; // 9999-12-31T23:59:59.999Z

static int64_t days_from_date(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = year / 400; // years are never negative here
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_from_days(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = days / 146097; // day 0 of era 0 is 0000-03-01, before anything formatted
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

const char *time_format(int64_t t_ms, char out[static TIME_TEXT_MAX])
{
    if (t_ms < time_min_ms || t_ms > time_max_ms) {
        snprintf(out, TIME_TEXT_MAX, "invalid");
        return out;
    }
    int64_t days = t_ms / DAY_MS;
    int64_t rest = t_ms % DAY_MS;
    if (rest < 0) {
        rest += DAY_MS;
        days--;
    }
    int year, month, day;
    date_from_days(days, &year, &month, &day);
    int ms = (int)(rest % 1000);
    int sec = (int)(rest / 1000);
    int n = snprintf(out, TIME_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day,
                     sec / 3600, sec / 60 % 60, sec % 60);
    if (ms > 0)
        n += snprintf(out + n, TIME_TEXT_MAX - (size_t)n, ".%03d", ms);
    snprintf(out + n, TIME_TEXT_MAX - (size_t)n, "Z");
    return out;
}

// `count` digits from *at as a number, stepping over them; -1 when they are not digits.
static int digits(const char **at, int count)
{
    int v = 0;
    for (int i = 0; i < count; i++) {
        char c = **at;
        if (c < '0' || c > '9')
            return -1;
        v = v * 10 + (c - '0');
        (*at)++;
    }
    return v;
}

static bool step(const char **at, char a, char b)
{
    if (**at != a && **at != b)
        return false;
    (*at)++;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

// A fraction of any length; what is finer than a millisecond is cut. -1: no digit behind the point.
static int fraction_ms(const char **at)
{
    int ms = 0, n = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++, n++) {
        if (n < 3)
            ms = ms * 10 + (**at - '0');
    }
    for (int i = n; i < 3; i++)
        ms *= 10;
    return n > 0 ? ms : -1;
}

// "Z", "+hh:mm" or "-hh:mm" up to the end of the text.
static bool offset_s(const char *at, int64_t *out)
{
    if (step(&at, 'Z', 'z')) {
        *out = 0;
        return *at == '\0';
    }
    int sign = *at == '-' ? -1 : 1;
    if (!step(&at, '+', '-'))
        return false;
    int h = digits(&at, 2);
    if (h < 0 || h > 23 || !step(&at, ':', ':'))
        return false;
    int m = digits(&at, 2);
    if (m < 0 || m > 59 || *at != '\0')
        return false;
    *out = sign * (h * 3600 + m * 60);
    return true;
}

int time_parse(const char *text, int64_t *out_ms)
{
    const char *at = text;
    int year = digits(&at, 4);
    if (year < 0 || !step(&at, '-', '-'))
        return -EINVAL;
    int month = digits(&at, 2);
    if (month < 1 || month > 12 || !step(&at, '-', '-'))
        return -EINVAL;
    int day = digits(&at, 2);
    if (day < 1 || day > days_in_month(year, month) || !step(&at, 'T', 't'))
        return -EINVAL;
    int hour = digits(&at, 2);
    if (hour < 0 || hour > 23 || !step(&at, ':', ':'))
        return -EINVAL;
    int minute = digits(&at, 2);
    if (minute < 0 || minute > 59 || !step(&at, ':', ':'))
        return -EINVAL;
    int second = digits(&at, 2);
    if (second < 0 || second > 60)
        return -EINVAL;
    int ms = 0;
    if (step(&at, '.', '.') && (ms = fraction_ms(&at)) < 0)
        return -EINVAL;
    int64_t offset;
    if (!offset_s(at, &offset))
        return -EINVAL;
    // The year 0 is written only as an offset's shift of the year 1, which is refused below.
    int64_t days = year == 0 ? days_from_date(400, month, day) - 146097
                             : days_from_date(year, month, day);
    int64_t t = (days * 86400 + hour * 3600 + minute * 60 + second - offset) * 1000;
    // A leap second is the last one of a UTC day; it becomes the first of the next.
    if (second == 60 && t % DAY_MS != 0)
        return -EINVAL;
    t += ms;
    if (t < time_min_ms || t > time_max_ms)
        return -EINVAL;
    *out_ms = t;
    return 0;
}
