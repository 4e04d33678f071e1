// See lost.h.
#include "lost.h"

#include "common/log.h"

static void say_over(struct lost *l, const char *where)
{
    log_info("%s: records are written again; %llu were lost in %lld s", where,
             (unsigned long long)l->records, (long long)((l->last_ms - l->since_ms) / 1000 + 1));
    *l = (struct lost){0};
}

void lost_look(struct lost *l, const char *where, int error, const char *why, const char *fix,
               int64_t now_ms)
{
    bool bad = error != 0 || l->records != l->looked;
    l->looked = l->records;
    if (l->told && now_ms < l->last_ms) // the clock was set back
        l->since_ms = l->last_ms = now_ms;
    if (bad && !l->told) {
        l->told = true;
        l->since_ms = now_ms;
        log_warning("%s: %s: records are lost; %s", where, why, fix);
    }
    if (bad)
        l->last_ms = now_ms;
    else if (l->told && now_ms - l->last_ms >= LOST_QUIET_MS)
        say_over(l, where);
}

void lost_end(const struct lost *l, const char *where)
{
    if (l->told)
        log_warning("%s: %llu records were lost", where, (unsigned long long)l->records);
}
