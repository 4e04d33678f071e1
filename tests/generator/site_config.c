// Fills the site's struct and lets the configuration library print it, so that it loads again.
#include "site_config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/daemon.h"

static int append(struct conf_prefixes *all, const struct ip_prefix *one)
{
    struct ip_prefix *grown = realloc(all->item, (all->count + 1) * sizeof *grown);
    if (!grown)
        return EX_OSERR;
    all->item = grown;
    all->item[all->count++] = *one;
    return 0;
}

static int append_all(struct conf_prefixes *all, const struct conf_prefixes *more)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < more->count; i++)
        rc = append(all, &more->item[i]);
    return rc;
}

static int fill(struct conf_site *site, const struct scenario *s, const struct roster *r)
{
    const struct scenario_network *n = &s->network;
    int rc = append_all(&site->subscribers, &n->home);
    if (rc == 0)
        rc = append_all(&site->subscribers, &n->business);
    if (rc == 0)
        rc = append_all(&site->subscribers, &n->shared);
    if (rc == 0)
        rc = append_all(&site->subscribers, &n->v6);
    if (rc == 0)
        rc = append_all(&site->hosting, &n->hosting);
    struct ip_prefix host;
    if (rc == 0 && prefix_parse(n->smarthost, &host) == 0)
        rc = append(&site->smarthosts, &host);
    for (size_t i = 0; rc == 0 && i < r->count; i++) {
        const struct party *p = &r->entry[i].party;
        // A subscriber of the ISP, in its ranges or not.
        const struct ip_addr *own[] = {&p->v4, &p->v6};
        for (size_t f = 0; rc == 0 && r->entry[i].inject && f < 2; f++) {
            if (own[f]->family == IP_NONE)
                continue;
            host = prefix_of(own[f], 128);
            bool inside = false;
            for (size_t k = 0; k < site->subscribers.count; k++)
                inside |= prefix_contains(&site->subscribers.item[k], &host.addr);
            if (!inside)
                rc = append(&site->subscribers, &host);
        }
        if (rc == 0 && r->entry[i].declared) {
            host = prefix_of(&p->v4, 32);
            rc = append(&site->mail_servers, &host);
            if (rc == 0 && p->v6.family == IP_V6) {
                host = prefix_of(&p->v6, 128);
                rc = append(&site->mail_servers, &host);
            }
        }
    }
    return rc;
}

static int set_text(char **field, const char *text)
{
    free(*field);
    *field = strdup(text);
    return *field ? 0 : EX_OSERR;
}

int site_config_write(const char *path, const struct scenario *s, const struct roster *r,
                      FILE *errors)
{
    struct conf_site site = {0};
    const struct conf_section section = {.name = "site", .keys = conf_site_keys, .out = &site};
    int rc = conf_load(NULL, &section, 1, errors) == 0 ? 0 : EX_OSERR;
    if (rc != 0)
        return rc;
    site.port25 = s->network.port25;
    site.source_validated = s->network.source_validated;
    rc = set_text(&site.name, s->name);
    if (rc == 0)
        rc = set_text(&site.timezone, s->timezone);
    if (rc == 0)
        rc = fill(&site, s, r);
    FILE *out = rc == 0 ? fopen(path, "w") : NULL;
    if (rc == 0 && !out) {
        fprintf(errors, "postern-generate: %s: %s\n", path, strerror(errno));
        rc = EX_CANTCREAT;
    }
    if (rc == 0 && conf_print(&section, 1, false, out) < 0)
        rc = EX_IOERR;
    if (out && fclose(out) != 0)
        rc = EX_IOERR;
    conf_free(conf_site_keys, &site);
    return rc;
}
