// The section `site`: what all programs of a site share.
#include "common/daemon_parts.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/log.h"

#define FIELD(member) offsetof(struct conf_site, member)

static const char *const sandbox_names[] = {"on", "off", NULL};
static const char *const port25_names[] = {"open", "blocked-before", "blocked-after", NULL};

const struct conf_key conf_site_keys[] = {
    {.name = "name",
     .type = CONF_STRING,
     .offset = FIELD(name),
     .min = 1,
     .max = 200,
     .def = "postern",
     .help = "Name of the site in tickets and reports."},
    {.name = "timezone",
     .type = CONF_STRING,
     .offset = FIELD(timezone),
     .min = 1,
     .max = 64,
     .def = "UTC",
     .help = "Time zone (IANA name) of hour-of-week baselines and of a day; storage is UTC."},
    {.name = "subscribers",
     .type = CONF_PREFIX_LIST,
     .offset = FIELD(subscribers),
     .optional = true,
     .help = "Networks of the subscribers; none: private, CGNAT and unique-local ranges."},
    {.name = "smarthosts",
     .type = CONF_PREFIX_LIST,
     .offset = FIELD(smarthosts),
     .optional = true,
     .help = "The site's own outbound mail servers."},
    {.name = "mail_servers",
     .type = CONF_PREFIX_LIST,
     .offset = FIELD(mail_servers),
     .optional = true,
     .help = "Subscribers that may run a mail server: static products, the desk's word."},
    {.name = "hosting",
     .type = CONF_PREFIX_LIST,
     .offset = FIELD(hosting),
     .optional = true,
     .help = "Networks of hosting providers, where residential proxies are steered from."},
    {.name = "subscriber_len_v4",
     .type = CONF_INT,
     .offset = FIELD(subscriber_len_v4),
     .min = 8,
     .max = 32,
     .def = "32",
     .unit = "bits",
     .help = "Length of the IPv4 prefix that is one line."},
    {.name = "subscriber_len_v6",
     .type = CONF_INT,
     .offset = FIELD(subscriber_len_v6),
     .min = 16,
     .max = 128,
     .def = "56",
     .unit = "bits",
     .help = "Length of the IPv6 prefix that is one line."},
    {.name = "source_validated",
     .type = CONF_BOOL,
     .offset = FIELD(source_validated),
     .def = "false",
     .help = "True when subscribers cannot send from addresses that are not theirs (BCP 38)."},
    {.name = "port25",
     .type = CONF_ENUM,
     .offset = FIELD(port25),
     .def = "open",
     .names = port25_names,
     .help = "Whether port 25 is blocked for subscribers, and on which side of the mirror."},
    {.name = "user",
     .type = CONF_STRING,
     .offset = FIELD(user),
     .min = 1,
     .max = 64,
     .optional = true,
     .help = "System user a program started by root becomes; none: it stays root and says so."},
    {.name = "run_directory",
     .type = CONF_PATH,
     .offset = FIELD(run_directory),
     .def = "/run/postern",
     .help = "Folder of the control sockets; only its owner may ask the programs."},
    {.name = "sandbox",
     .type = CONF_ENUM,
     .offset = FIELD(sandbox),
     .def = "on",
     .names = sandbox_names,
     .help =
         "Whether a daemon shuts itself in (landlock, seccomp) once it has opened what it needs."},
    {.name = "provider_file",
     .type = CONF_PATH,
     .offset = FIELD(provider_file),
     .opens = CONF_OPENS_NETWORKS,
     .optional = true,
     .help = "File of prefixes with their AS numbers; none: a /24 or a /48 is one provider."},
    {0},
};

// A name of the zone database is letters, digits and "_+-" in parts between single slashes.
static bool is_zone_name(const char *s)
{
    static const char part[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-";
    for (;;) {
        size_t n = strspn(s, part);
        if (n == 0)
            return false;
        s += n;
        if (*s == '\0')
            return true;
        if (*s++ != '/')
            return false;
    }
}

static bool zone_is_there(const struct conf_site *site)
{
    char path[128];
    struct stat st;
    if (strcmp(site->timezone, "UTC") == 0)
        return true;
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", site->timezone);
    return is_zone_name(site->timezone) && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

int daemon_check_site(const struct conf_site *site, const char *config_path)
{
    char place[CONF_PLACE_MAX];
    if (!zone_is_there(site)) {
        conf_place(config_path, "site.timezone", place);
        log_error(
            "%ssite.timezone: there is no time zone \"%s\"; use an IANA name as Europe/Vienna, and "
            "see that tzdata is installed",
            place, site->timezone);
        return EX_CONFIG;
    }
    // The longest name of a program, with an instance's.
    size_t most = sizeof((struct sockaddr_un){0}).sun_path - sizeof "/postern-collector.sock";
    if (site->run_directory && strlen(site->run_directory) > most) {
        conf_place(config_path, "site.run_directory", place);
        log_error("%ssite.run_directory: is too long for the address of a socket; use a path of at "
                  "most %zu octets",
                  place, most);
        return EX_CONFIG;
    }
    return 0;
}
