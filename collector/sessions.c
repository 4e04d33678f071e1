// A list, gone through four times a second.
#include "sessions.h"

#include <stdlib.h>
#include <unistd.h>

#define SOURCE_MAX   16    // connections of an address without certificate
#define LOCAL_PLACES 16    // over Unix sockets, beyond what exporters fill
#define DEAD_MS      15000 // a sensor says something each second: its machine, or the link, went away

struct sessions {
    struct session_room *room;
    struct session **item;
    size_t count, cap, max;
};

struct sessions *sessions_new(struct session_room *room, size_t max)
{
    struct sessions *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->room = room;
    s->max = max;
    return s;
}

void sessions_free(struct sessions *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        session_free(s->item[i]);
    free(s->item);
    free(s);
}

static void forget_ended(struct sessions *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (session_ended(s->item[i]))
            session_free(s->item[i]);
        else
            s->item[kept++] = s->item[i];
    }
    s->count = kept;
}

static bool same_side(const struct session *a, const struct session_who *who)
{
    const struct session_who *other = session_who(a);
    return who->permit ? other->permit == who->permit
                       : !other->permit && other->source == who->source && who->source != 0;
}

// Its connections, and of them the one silent longest.
static size_t count_of(const struct sessions *s, const struct session_who *who,
                       struct session **silent)
{
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (!same_side(s->item[i], who))
            continue;
        if (n++ == 0 || session_heard_ms(s->item[i]) < session_heard_ms(*silent))
            *silent = s->item[i];
    }
    return n;
}

static size_t local_count(const struct sessions *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++)
        n += !session_who(s->item[i])->permit && session_who(s->item[i])->source == 0;
    return n;
}

// Is there a place? Perhaps because one of its own that is silent gives way.
static bool has_place(struct sessions *s, const struct session_who *who, int64_t now_ms)
{
    struct session *silent = NULL;
    if (!who->permit && who->source == 0)
        return s->count < s->max || local_count(s) < LOCAL_PLACES;
    size_t own = count_of(s, who, &silent);
    bool too_many = !who->permit && own >= SOURCE_MAX;
    if (!too_many && (s->count < s->max || (who->permit && own == 0)))
        return true;
    bool gone = who->permit ? own > 0 && now_ms - session_heard_ms(silent) > DEAD_MS
                            : own > 0 && session_records(silent) == 0;
    if (!gone)
        return false;
    session_end(silent, "said nothing, and gives its place to a newer connection");
    forget_ended(s);
    return true;
}

static bool make_room(struct sessions *s)
{
    if (s->count < s->cap)
        return true;
    size_t cap = s->cap ? 2 * s->cap : 16;
    struct session **more = realloc(s->item, cap * sizeof(struct session *));
    if (!more)
        return false;
    s->item = more;
    s->cap = cap;
    return true;
}

void sessions_take(struct sessions *s, int fd, struct tls_peer *tls, const struct session_who *who,
                   int64_t now_ms)
{
    forget_ended(s);
    if (!has_place(s, who, now_ms) || !make_room(s)) {
        sources_refuse(s->room->sources, who->peer, SOURCE_full, 1, NULL, now_ms);
        tls_peer_free(tls);
        close(fd);
        return;
    }
    struct session *fresh = session_new(s->room, fd, tls, who, now_ms);
    if (!fresh)
        return;
    s->item[s->count++] = fresh;
    session_begin(fresh, now_ms);
}

void sessions_acknowledge(struct sessions *s, int64_t now_ms)
{
    for (size_t i = 0; i < s->count; i++)
        session_acknowledge(s->item[i], now_ms);
}

void sessions_tick(struct sessions *s, int64_t now_ms)
{
    for (size_t i = 0; i < s->count; i++)
        session_tick(s->item[i], now_ms);
    forget_ended(s);
}

size_t sessions_count(const struct sessions *s)
{
    return s->count;
}

void sessions_status(const struct sessions *s, struct control_status *out)
{
    for (int odd = 1; odd >= 0; odd--)
        for (size_t i = 0; i < s->count; i++)
            if (!session_ended(s->item[i]) && session_is_odd(s->item[i]) == (odd == 1))
                session_status(s->item[i], out);
}
