// When people and programs act: a Poisson process whose rate follows the hour of the day.
#pragma once

#include "party.h"

enum day_shape { DAY_FLAT, DAY_HOME, DAY_OFFICE };

struct schedule {
    struct party *party;
    double per_day; // mean number of events on a day
    enum day_shape shape;
    int64_t t_ns; // of the event schedule_next found
};

struct schedule schedule_of(struct party *p, double per_day, enum day_shape shape);

// Moves to the next event within the party's time. False: there is none left.
bool schedule_next(struct schedule *s);
