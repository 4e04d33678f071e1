// Each finding is a line with its key, what is wrong and what to write: all at once.
#include "conf_check.h"

#include <errno.h>

#include "common/transport.h"
#include "lease_conf.h"

struct findings {
    const char *path; // of the configuration
    FILE *out;
    int rc;
};

static void find(struct findings *f, const char *key, const char *value, const char *text)
{
    char name[64], place[CONF_PLACE_MAX];
    snprintf(name, sizeof name, "collector.%s", key);
    conf_place(f->path, name, place);
    fprintf(f->out, "%s%s: %s%s%s\n", place, name, value, value[0] ? " " : "", text);
    f->rc = -EINVAL;
}

static void check_address(struct findings *f, const char *key, const char *value,
                          struct transport_address *out)
{
    bool path = strncmp(value, "unix:", 5) == 0;
    *out = (struct transport_address){.kind = -1};
    if (transport_address_parse(value, out) == 0)
        return;
    find(f, key, value,
         path ? "is no address; a socket's path begins with / and has at most 107 octets"
              : "is no address; write HOST:PORT, tcp:HOST:PORT or unix:/PATH, IPv6 in brackets");
}

static void check_listen(struct findings *f, const struct collector_conf *c)
{
    bool plain = false;
    for (size_t i = 0; i < c->listen.count; i++) {
        const char *value = c->listen.item[i];
        struct transport_address a;
        char key[32];
        snprintf(key, sizeof key, "listen[%zu]", i);
        check_address(f, key, value, &a);
        plain |= a.kind == TRANSPORT_TCP;
        if (a.kind == TRANSPORT_TLS && !c->ca)
            find(f, key, value, "needs collector.ca; or write tcp: or unix: in front, without TLS");
        for (size_t k = 0; k < i; k++)
            if (strcmp(value, c->listen.item[k]) == 0)
                find(f, key, value, "stands there twice; leave one out");
    }
    if (c->exporters.count > 0 && !plain)
        find(f, "exporters", "",
             "is of tcp: addresses, and collector.listen has none; sensors with a certificate need "
             "no entry");
}

static void check_enroll(struct findings *f, const struct collector_conf *c)
{
    struct transport_address a;
    if (!c->enroll)
        return;
    check_address(f, "enroll", c->enroll, &a);
    if (a.kind == TRANSPORT_TCP || a.kind == TRANSPORT_UNIX)
        find(f, "enroll", c->enroll, "is with TLS; write HOST:PORT");
    if (!c->ca)
        find(f, "enroll", c->enroll, "needs collector.ca; name the authority's folder");
    for (size_t i = 0; i < c->listen.count; i++)
        if (strcmp(c->listen.item[i], c->enroll) == 0)
            find(f, "enroll", c->enroll, "is in collector.listen; use another port");
}

static bool same_path(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

// Two keys, one place: one would write over the other.
static void check_places(struct findings *f, const struct collector_conf *c)
{
    if (same_path(c->journal, c->intake))
        find(f, "intake", c->intake, "is collector.journal too; use a folder of its own");
    if (c->journal_keys && (same_path(c->journal, c->journal_keys)))
        find(f, "journal_keys", c->journal_keys,
             "is collector.journal too; who copies the journal would copy its keys");
    if (same_path(c->lease_history, c->leases))
        find(f, "lease_history", c->lease_history,
             "is collector.leases too, and is written; name another file");
    for (size_t i = 0; i < c->lease_sources.count; i++) {
        const struct lease_source_conf *s =
            (const struct lease_source_conf *)c->lease_sources.item + i;
        if (same_path(c->lease_history, s->path))
            find(f, "lease_history", c->lease_history,
                 "is the file of a lease source too, and is written; name another file");
    }
}

int conf_check_collector(const struct collector_conf *conf, const char *path, FILE *errors)
{
    struct findings f = {.path = path, .out = errors};
    check_listen(&f, conf);
    check_enroll(&f, conf);
    check_places(&f, conf);
    int leases = lease_conf_check(&conf->lease_sources, path, errors);
    return f.rc < 0 ? f.rc : leases;
}
