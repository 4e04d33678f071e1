// Names and explanations of what a minute counts, from the lists in minute.h: for dumps, graphs,
// evidence and the format's page.
#include <assert.h>

#include "common/minute.h"

static const char *const counter_names[] = {
#define X(name, text) #name,
    MINUTE_COUNTERS(X)
#undef X
};

static const char *const counter_texts[] = {
#define X(name, text) text,
    MINUTE_COUNTERS(X)
#undef X
};

static const char *const gauge_names[] = {
#define X(name, text) #name,
    MINUTE_GAUGES(X)
#undef X
};

static const char *const gauge_texts[] = {
#define X(name, text) text,
    MINUTE_GAUGES(X)
#undef X
};

static const char *const set_names[] = {
#define X(name, text) #name,
    MINUTE_SETS(X)
#undef X
};

static const char *const role_names[MINUTE_ROLES] = {"smarthost", "mx", "submission", "access",
                                                     "other"};

const char *minute_role_name(unsigned role)
{
    assert(role < MINUTE_ROLES);
    return role_names[role];
}

const char *minute_counter_name(unsigned counter)
{
    assert(counter < MINUTE_COUNTER_N);
    return counter_names[counter];
}

const char *minute_counter_text(unsigned counter)
{
    assert(counter < MINUTE_COUNTER_N);
    return counter_texts[counter];
}

const char *minute_gauge_name(unsigned gauge)
{
    assert(gauge < MINUTE_GAUGE_N);
    return gauge_names[gauge];
}

const char *minute_gauge_text(unsigned gauge)
{
    assert(gauge < MINUTE_GAUGE_N);
    return gauge_texts[gauge];
}

bool minute_gauge_is_maximum(unsigned gauge)
{
    return gauge == MINUTE_concurrent_mx || gauge == MINUTE_concurrent_socks;
}

const char *minute_set_name(unsigned set)
{
    assert(set < MINUTE_SET_N);
    return set_names[set];
}
