// Thinning (Lewis and Shedler 1979): draw at the highest rate, keep in proportion to the hour's.
#include "schedule.h"

#define NS_PER_HOUR (3600 * NS_PER_S)

// Weight of each local hour, 1 on average over 24 hours.
static const double home[24] = {0.25, 0.12, 0.08, 0.06, 0.08, 0.2, 0.6, 1.0, 1.2, 1.15, 1.1, 1.1,
                                1.2,  1.15, 1.1,  1.15, 1.3,  1.5, 1.7, 1.9, 2.0, 1.8,  1.3, 0.66};
static const double office[24] = {0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.4, 1.2, 2.4, 2.8, 2.8, 2.5,
                                  1.6, 2.2, 2.6, 2.4, 2.0, 1.2, 0.5, 0.3, 0.2, 0.1, 0.1, 0.1};

struct schedule schedule_of(struct party *p, double per_day, enum day_shape shape)
{
    return (struct schedule){.party = p, .per_day = per_day, .shape = shape, .t_ns = p->from_ns};
}

static double weight(const struct schedule *s, int64_t t_ns)
{
    int64_t local = t_ns + s->party->run->utc_offset_ns, hour = local / NS_PER_HOUR;
    if (s->shape == DAY_FLAT)
        return 1;
    if (s->shape == DAY_HOME)
        return home[hour % 24];
    int64_t weekday = (hour / 24 + 4) % 7; // 1970-01-01 was a Thursday; 0 is Sunday
    return office[hour % 24] * (weekday == 0 || weekday == 6 ? 0.15 : 1);
}

bool schedule_next(struct schedule *s)
{
    static const double highest[] = {[DAY_FLAT] = 1, [DAY_HOME] = 2, [DAY_OFFICE] = 2.8};
    double top = highest[s->shape];
    if (s->per_day <= 0)
        return false;
    double gap_ns = 24.0 * (double)NS_PER_HOUR / (s->per_day * top);
    do {
        double step = rng_exp(&s->party->rng, gap_ns);
        if (step >= (double)(s->party->until_ns - s->t_ns))
            return false;
        s->t_ns += (int64_t)step + 1;
    } while (rng_unit(&s->party->rng) * top >= weight(s, s->t_ns));
    return s->t_ns < s->party->until_ns;
}
