// Exemptions and roles of the desk. See overrides.h.
#include "overrides.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/timefmt.h"

struct override {
    bool is_role;
    uint8_t role;
    char class_[33];
    char subject[OVERRIDE_TEXT]; // party, address or prefix; of a role the party
    char owner[65];
    char reason[OVERRIDE_TEXT];
    char expires[41]; // exemptions
    int64_t since_ms;
    int64_t ended_ms; // 0: holds
};

struct overrides {
    struct override *item;
    size_t count, room;
};

struct overrides *overrides_new(void)
{
    return calloc(1, sizeof(struct overrides));
}

void overrides_free(struct overrides *o)
{
    if (o)
        free(o->item);
    free(o);
}

static struct exempt_entry entry_of(const struct override *i)
{
    // The entry borrows and is read only.
    return (struct exempt_entry){.class_ = (char *)(uintptr_t)i->class_,
                                 .subject = (char *)(uintptr_t)i->subject,
                                 .owner = (char *)(uintptr_t)i->owner,
                                 .reason = (char *)(uintptr_t)i->reason,
                                 .expires = (char *)(uintptr_t)i->expires};
}

static bool take_text(const json_t *from, const char *name, char *out, size_t size,
                      char error[static OVERRIDE_ERROR])
{
    const char *text = json_string_value(json_object_get(from, name));
    if (text && *text && strlen(text) < size) {
        memcpy(out, text, strlen(text) + 1);
        return true;
    }
    snprintf(error, OVERRIDE_ERROR, "\"%s\" is missing or longer than %zu octets", name, size - 1);
    return false;
}

static int append(struct overrides *o, const struct override *new,
                  char error[static OVERRIDE_ERROR])
{
    if (o->count == OVERRIDES_MAX) {
        snprintf(error, OVERRIDE_ERROR, "there are %d already; end some first", OVERRIDES_MAX);
        return -EINVAL;
    }
    if (o->count == o->room) {
        size_t room = o->room ? o->room * 2 : 16;
        struct override *item = realloc(o->item, room * sizeof *item);
        if (!item) {
            snprintf(error, OVERRIDE_ERROR, "out of memory");
            return -EINVAL;
        }
        o->item = item;
        o->room = room;
    }
    o->item[o->count++] = *new;
    return 0;
}

// Ends what holds of that kind for the subject (and class). How many.
static size_t end(struct overrides *o, bool is_role, const char *subject, const char *class_,
                  int64_t now_ms)
{
    size_t n = 0;
    for (size_t i = 0; i < o->count; i++) {
        struct override *it = &o->item[i];
        if (it->is_role != is_role || it->ended_ms != 0 || strcmp(it->subject, subject) != 0 ||
            (class_ && strcmp(it->class_, class_) != 0))
            continue;
        it->ended_ms = now_ms;
        n++;
    }
    return n;
}

int overrides_exempt(struct overrides *o, const json_t *request, int64_t now_ms,
                     char error[static OVERRIDE_ERROR])
{
    struct override new = {.since_ms = now_ms};
    const char *ended = json_string_value(json_object_get(request, "end"));
    if (ended) {
        if (end(o, false, ended, json_string_value(json_object_get(request, "class")), now_ms) > 0)
            return 0;
        snprintf(error, OVERRIDE_ERROR, "no exemption of %.100s holds", ended);
        return -EINVAL;
    }
    if (!take_text(request, "subject", new.subject, sizeof new.subject, error) ||
        !take_text(request, "class", new.class_, sizeof new.class_, error) ||
        !take_text(request, "owner", new.owner, sizeof new.owner, error) ||
        !take_text(request, "reason", new.reason, sizeof new.reason, error) ||
        !take_text(request, "expires", new.expires, sizeof new.expires, error))
        return -EINVAL;
    struct exempt_entry e = entry_of(&new);
    static_assert(EXEMPT_WHY_MAX <= OVERRIDE_ERROR, "an error fits");
    if (exempt_check(&e, error))
        return -EINVAL;
    return append(o, &new, error);
}

static int role_parse(const char *name)
{
    for (unsigned r = 0; r < ROLES; r++) {
        if (strcmp(name, role_name(r)) == 0)
            return (int)r;
    }
    return -EINVAL;
}

int overrides_role(struct overrides *o, const json_t *request, int64_t now_ms,
                   char error[static OVERRIDE_ERROR])
{
    struct override new = {.is_role = true, .since_ms = now_ms};
    struct party party;
    char role[VERDICT_NAME_MAX];
    if (!take_text(request, "party", new.subject, sizeof new.subject, error) ||
        !take_text(request, "role", role, sizeof role, error) ||
        !take_text(request, "owner", new.owner, sizeof new.owner, error) ||
        !take_text(request, "reason", new.reason, sizeof new.reason, error))
        return -EINVAL;
    bool back = strcmp(role, "auto") == 0;
    int r = back ? 0 : role_parse(role);
    if (party_parse(new.subject, &party) != 0 || r < 0) {
        snprintf(error, OVERRIDE_ERROR, "%.80s is %s", r < 0 ? role : new.subject,
                 r < 0 ? "no role: household, unknown, mail-server or auto"
                       : "no party; give one as line:4711");
        return -EINVAL;
    }
    size_t ended = end(o, true, new.subject, NULL, now_ms);
    if (back) {
        snprintf(error, OVERRIDE_ERROR, "no role was set for %.100s", new.subject);
        return ended > 0 ? 0 : -EINVAL;
    }
    new.role = (uint8_t)r;
    return append(o, &new, error);
}

static bool holds(const struct override *i, int64_t now_ms)
{
    return now_ms >= i->since_ms && (i->ended_ms == 0 || now_ms < i->ended_ms);
}

bool overrides_began(const struct overrides *o, int64_t from_ms, int64_t to_ms)
{
    for (size_t i = 0; i < o->count; i++) {
        const struct override *at = &o->item[i];
        if (!at->is_role && at->since_ms >= from_ms && at->since_ms <= to_ms)
            return true;
    }
    return false;
}

bool overrides_is_exempt(const struct overrides *o, unsigned class_, const struct party *party,
                         const struct subscriber_key *key, int64_t now_ms)
{
    for (size_t i = 0; i < o->count; i++) {
        if (o->item[i].is_role || !holds(&o->item[i], now_ms))
            continue;
        struct exempt_entry e = entry_of(&o->item[i]);
        struct conf_list one = {.item = &e, .count = 1};
        if (exempt_find(&one, class_, party, key, now_ms))
            return true;
    }
    return false;
}

enum role overrides_role_of(const struct overrides *o, const struct party *party, enum role learnt,
                            int64_t now_ms)
{
    char text[PARTY_TEXT_MAX];
    if (o->count == 0)
        return learnt;
    party_format(party, text);
    for (size_t i = 0; i < o->count; i++) {
        const struct override *it = &o->item[i];
        if (it->is_role && holds(it, now_ms) && strcmp(it->subject, text) == 0)
            return (enum role)it->role;
    }
    return learnt;
}

static json_t *item_to_json(const struct override *i)
{
    char since[TIME_TEXT_MAX], ended[TIME_TEXT_MAX];
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:s?}", "kind", i->is_role ? "role" : "exempt",
        i->is_role ? "party" : "subject", i->subject, "owner", i->owner, "reason", i->reason,
        "since", time_format(i->since_ms, since), i->is_role ? "role" : "class",
        i->is_role ? role_name(i->role) : i->class_, "expires", i->is_role ? NULL : i->expires,
        "ended", i->ended_ms ? time_format(i->ended_ms, ended) : NULL);
}

json_t *overrides_to_json(const struct overrides *o)
{
    json_t *list = json_array();
    for (size_t i = 0; i < o->count; i++)
        json_array_append_new(list, item_to_json(&o->item[i]));
    return json_pack("{s:i, s:o}", "v", 1, "overrides", list);
}

int overrides_save(const struct overrides *o, const char *path)
{
    char *temporary;
    if (asprintf(&temporary, "%s.new", path) < 0)
        return -ENOMEM;
    FILE *f = fopen(temporary, "we");
    int rc = f ? 0 : -errno;
    json_t *j = f ? overrides_to_json(o) : NULL;
    if (f && (!j || json_write_line(f, j) != 0 || fflush(f) != 0 || fsync(fileno(f)) != 0))
        rc = errno ? -errno : -EIO;
    json_decref(j);
    if (f && fclose(f) != 0 && rc == 0)
        rc = -errno;
    if (rc == 0 && rename(temporary, path) != 0)
        rc = -errno;
    if (rc != 0 && f)
        unlink(temporary);
    free(temporary);
    return rc;
}

static int load_item(struct overrides *o, const json_t *i, char error[static OVERRIDE_ERROR])
{
    const char *kind = json_string_value(json_object_get(i, "kind"));
    const char *since = json_string_value(json_object_get(i, "since"));
    const char *ended = json_string_value(json_object_get(i, "ended"));
    int64_t since_ms, ended_ms = 0;
    bool is_role = kind && strcmp(kind, "role") == 0;
    if (!since || time_parse(since, &since_ms) != 0 ||
        (ended && time_parse(ended, &ended_ms) != 0)) {
        snprintf(error, OVERRIDE_ERROR, "an entry without its time");
        return -EINVAL;
    }
    size_t before = o->count;
    int rc = is_role ? overrides_role(o, i, since_ms, error)
                     : overrides_exempt(o, i, since_ms, error);
    if (rc == 0 && o->count == before + 1)
        o->item[before].ended_ms = ended_ms;
    // Said before such realms were refused: it exempts nobody, and is no reason not to start.
    if (rc != 0 && strncmp(error, EXEMPT_NO_REALM, strlen(EXEMPT_NO_REALM)) == 0) {
        log_warning("an exemption is left out: %s", error);
        return 0;
    }
    return rc;
}

int overrides_load(struct overrides *o, const char *path, char error[static OVERRIDE_ERROR])
{
    FILE *f = fopen(path, "re");
    if (!f && errno == ENOENT)
        return 0;
    if (!f) {
        snprintf(error, OVERRIDE_ERROR, "%s", strerror(errno));
        return -EINVAL;
    }
    json_t *j = json_loadf(f, 0, NULL);
    const json_t *list = json_object_get(j, "overrides");
    int rc = json_is_array(list) ? 0 : -EINVAL;
    if (rc != 0)
        snprintf(error, OVERRIDE_ERROR, "holds no list of overrides");
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++)
        rc = load_item(o, json_array_get(list, i), error);
    json_decref(j);
    fclose(f);
    return rc;
}

struct overrides *overrides_of_state(const char *state)
{
    struct overrides *o = overrides_new();
    char *path = NULL, error[OVERRIDE_ERROR];
    if (!o || asprintf(&path, "%s/overrides.json", state) < 0) {
        overrides_free(o);
        return NULL;
    }
    if (overrides_load(o, path, error) != 0) {
        log_warning("%s: %s; judged without the desk's exemptions and roles", path, error);
        o->count = 0;
    }
    free(path);
    return o;
}
