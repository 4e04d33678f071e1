// Two active days are remembered, so that a subscriber that moves to another sensor's POP is judged by
// that one the day after next, and one whose flows are split between two sensors by both.
#include "series/sight.h"

#include "common/series_notes.h"

enum { DAY_MINUTES = 1440 };

uint64_t sight_of_row(struct watched *w, const struct minute_row *r)
{
    uint64_t set = 0;
    for (size_t i = 0; i < MINUTE_SENSORS_MAX && r->sensor[i][0]; i++)
        set |= watched_sensor(w, r->sensor[i]);
    return set;
}

// What an earlier run noted.
static int read_notes(struct key_writer *kw, struct series_key *k)
{
    struct series_notes notes;
    int rc = series_notes_read(kw->rrd_dir, (enum series_kind)k->kind, k->name, &notes);
    if (rc != 0)
        return rc;
    const struct series_sight *last = notes.sights ? &notes.sight[notes.sights - 1] : NULL;
    for (size_t i = 0; last && i < last->sensors; i++)
        k->seen.noted |= watched_sensor(kw->watched, last->sensor[i]);
    if (last && last->sensors == 0)
        k->seen.noted = watched_sensor(kw->watched, "*");
    k->seen.before = k->seen.noted;
    k->seen.read = true;
    series_notes_free(&notes);
    return 0;
}

int sight_before(struct key_writer *kw, struct series_key *k, const struct series_minute *m,
                 uint64_t *out)
{
    int rc = 0;
    if (k->kind == SERIES_SENSOR && k->seen.noted == 0)
        k->seen.noted = watched_sensor(kw->watched, k->name);
    else if (k->kind == SERIES_SUBSCRIBER && !k->seen.read)
        rc = read_notes(kw, k);
    // Before the first minute of a new file it is as with that.
    *out = k->seen.noted == 0 && k->is_new && m ? m->sensors : k->seen.noted;
    return rc;
}

int sight_note(struct key_writer *kw, struct series_key *k, const struct series_minute *m)
{
    struct series_seen *seen = &k->seen;
    if (k->kind != SERIES_SUBSCRIBER || m->sensors == 0)
        return 0;
    int32_t day = (int32_t)(m->minute / DAY_MINUTES);
    if (day != seen->day) {
        // Of a run before this one, the notes are what is known of the last active day.
        seen->before = seen->now ? seen->now : seen->before;
        seen->now = 0;
        seen->day = day;
    }
    seen->now |= m->sensors;
    uint64_t set = seen->now | seen->before;
    if (set == seen->noted)
        return 0;
    struct series_sight sight = {.minute = k->is_new && seen->noted == 0 ? 0 : m->minute};
    watched_name(kw->watched, set, &sight);
    int rc = series_notes_put_sight(kw->rrd_dir, SERIES_SUBSCRIBER, k->name, &sight);
    if (rc == 0)
        seen->noted = set;
    return rc;
}
