// The option --subscribers, which every program takes: a replay is told whose traffic it looks at
// without a configuration file being written for it.
#include "common/daemon_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf_value.h"
#include "common/log.h"

static int take_word(const char *word, size_t len, struct ip_prefix *out)
{
    char text[PREFIX_TEXT_MAX + 1], error[CONF_ERROR_MAX];
    snprintf(text, sizeof text, "%.*s", (int)(len < sizeof text ? len : sizeof text - 1), word);
    if (conf_prefix_parse(text, out, error) == 0)
        return 0;
    log_error("--subscribers: %s", error);
    return EX_USAGE;
}

int daemon_take_subscribers(struct conf_site *site, const char *list)
{
    size_t most = 1, count = 0;
    for (const char *c = list; *c; c++)
        most += *c == ',';
    struct ip_prefix *item = calloc(most, sizeof *item);
    if (!item) {
        log_error("out of memory");
        return EX_OSERR;
    }
    for (const char *at = list;; at++) {
        size_t len = strcspn(at, ",");
        int rc = take_word(at, len, &item[count++]);
        if (rc != 0) {
            free(item);
            return rc;
        }
        at += len;
        if (*at == '\0')
            break;
    }
    free(site->subscribers.item);
    site->subscribers = (struct conf_prefixes){.item = item, .count = count};
    return 0;
}
