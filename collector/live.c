// Listening sockets and certificates are opened with rights; then the tables are made and the intake is counted again, and only
// then is anybody let in.
#include "live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/log.h"
#include "intake.h"
#include "listen.h"

struct live {
    struct listen *listen;
    struct collector *collector;
    struct intake *intake;
    int64_t now_ms;
};

bool live_wanted(const struct daemon *d)
{
    const struct collector_conf *conf = d->conf;
    return conf->listen.count > 0 && !daemon_has(d->args, "records") &&
           !daemon_has(d->args, "dump") && !daemon_has(d->args, "verify");
}

static const char *journal_of(const struct daemon *d)
{
    const struct collector_conf *conf = d->conf;
    const char *given = daemon_value(d->args, "journal");
    return given ? given : conf->journal;
}
