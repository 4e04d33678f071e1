// Options by getopt_long.
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { MEMORY_DEFAULT = 256 << 20 };

static const char help[] =
    "Usage: postern-generate --scenario FILE --seed N -o CAPTURE [--truth FILE] ...\n"
    "       postern-generate --inject CSV@ADDRESS[,ADDRESS][+OFFSET] -o CAPTURE ...\n"
    "Makes a labelled capture of an ISP's traffic; the same seed gives the same octets.\n"
    "\n"
    "  -s, --scenario FILE     who is there and what they do (YAML, docs/generator.md)\n"
    "  -o, --output CAPTURE    pcap to write; compressed when the name ends in .gz\n"
    "  -t, --truth FILE        who is what since when, a JSON object a line\n"
    "      --config-out FILE   section `site:` of postern.yaml as this ISP would write it\n"
    "      --seed N            of all random numbers (default 1)\n"
    "      --start TIME        when the capture begins (RFC 3339), instead of the scenario's\n"
    "      --days N            its length, instead of the scenario's\n"
    "      --hours N           the same in hours; lengths add up\n"
    "      --minutes N         the same in minutes\n"
    "      --wrap KIND         none, vlan, qinq, qinq+pppoe or mpls, instead of the scenario's\n"
    "      --inject CSV@ADDRESS[,ADDRESS][+OFFSET]\n"
    "                          flow facts as packets of a subscriber; may be repeated\n"
    "      --microseconds      time stamps of microseconds instead of nanoseconds\n"
    "      --memory MIB        for packets before they are put to disk (default 256)\n"
    "      --check             read the scenario and the CSV files, write nothing\n"
    "      --list              families of behaviour and their keys\n"
    "  -h, --help              this text\n"
    "  -V, --version           the version\n";

void options_help(void)
{
    fputs(help, stdout);
}

enum {
    OPT_CONFIG = 256,
    OPT_SEED,
    OPT_START,
    OPT_DAYS,
    OPT_HOURS,
    OPT_MINUTES,
    OPT_WRAP,
    OPT_INJECT,
    OPT_MICROSECONDS,
    OPT_MEMORY,
    OPT_CHECK,
    OPT_LIST
};

static const struct option longs[] = {{"scenario", required_argument, NULL, 's'},
                                      {"output", required_argument, NULL, 'o'},
                                      {"truth", required_argument, NULL, 't'},
                                      {"config-out", required_argument, NULL, OPT_CONFIG},
                                      {"seed", required_argument, NULL, OPT_SEED},
                                      {"start", required_argument, NULL, OPT_START},
                                      {"days", required_argument, NULL, OPT_DAYS},
                                      {"hours", required_argument, NULL, OPT_HOURS},
                                      {"minutes", required_argument, NULL, OPT_MINUTES},
                                      {"wrap", required_argument, NULL, OPT_WRAP},
                                      {"inject", required_argument, NULL, OPT_INJECT},
                                      {"microseconds", no_argument, NULL, OPT_MICROSECONDS},
                                      {"memory", required_argument, NULL, OPT_MEMORY},
                                      {"check", no_argument, NULL, OPT_CHECK},
                                      {"list", no_argument, NULL, OPT_LIST},
                                      {"help", no_argument, NULL, 'h'},
                                      {"version", no_argument, NULL, 'V'},
                                      {NULL, 0, NULL, 0}};

static bool number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (end == text || *end || errno || text[0] == '-' || v < min || v > max)
        return false;
    *out = v;
    return true;
}

static int wrong(const char *option, const char *text, const char *fix)
{
    fprintf(stderr, "postern-generate: --%s %s: use %s\n", option, text, fix);
    return EX_USAGE;
}

static int take(int c, struct options *o)
{
    uint64_t v = 0;
    switch (c) {
    case OPT_SEED:
        return number(optarg, 0, INT64_MAX, &o->seed)
                   ? 0
                   : wrong("seed", optarg, "a whole number from 0");
    case OPT_DAYS:
    case OPT_HOURS:
    case OPT_MINUTES: {
        static const int64_t unit[] = {86400000, 3600000, 60000};
        if (!number(optarg, 1, 527040, &v) || (int64_t)v * unit[c - OPT_DAYS] > 366 * unit[0])
            return wrong(c == OPT_DAYS    ? "days"
                         : c == OPT_HOURS ? "hours"
                                          : "minutes",
                         optarg, "a whole number from 1, at most 366 days in all");
        o->lasts_ms += (int64_t)v * unit[c - OPT_DAYS];
        return 0;
    }
    case OPT_MEMORY:
        if (!number(optarg, 1, 4095, &v))
            return wrong("memory", optarg, "1 to 4095");
        o->memory = (int64_t)v << 20;
        return 0;
    default:
        if (o->injects == OPTIONS_INJECT_MAX)
            return wrong("inject", optarg, "it at most 32 times");
        o->inject[o->injects++] = optarg;
        return 0;
    }
}

static int finish(const struct options *o, int argc, char **argv)
{
    if (optind < argc) {
        fprintf(stderr, "postern-generate: \"%s\" is no option; see --help\n", argv[optind]);
        return EX_USAGE;
    }
    if (o->action == OPTIONS_LIST || o->action == OPTIONS_HELP || o->action == OPTIONS_VERSION)
        return 0;
    if (!o->scenario && o->injects == 0) {
        fputs(
            "postern-generate: nothing to generate; give --scenario FILE or --inject CSV@ADDRESS\n",
            stderr);
        return EX_USAGE;
    }
    if (!o->capture && o->action == OPTIONS_GENERATE) {
        fputs("postern-generate: no file to write; give -o CAPTURE\n", stderr);
        return EX_USAGE;
    }
    return 0;
}

int options_read(int argc, char **argv, struct options *out)
{
    struct options o = {.seed = 1, .memory = MEMORY_DEFAULT};
    int c;
    while ((c = getopt_long(argc, argv, "s:o:t:hV", longs, NULL)) != -1) {
        switch (c) {
        case 's': o.scenario = optarg; break;
        case 'o': o.capture = optarg; break;
        case 't': o.truth = optarg; break;
        case OPT_CONFIG: o.config_out = optarg; break;
        case OPT_START: o.start = optarg; break;
        case OPT_WRAP: o.wrap = optarg; break;
        case OPT_MICROSECONDS: o.microseconds = true; break;
        case OPT_CHECK: o.action = OPTIONS_CHECK; break;
        case OPT_LIST: o.action = OPTIONS_LIST; break;
        case 'h': o.action = OPTIONS_HELP; break;
        case 'V': o.action = OPTIONS_VERSION; break;
        case '?': return EX_USAGE;
        default: {
            int rc = take(c, &o);
            if (rc != 0)
                return rc;
        }
        }
    }
    int rc = finish(&o, argc, argv);
    if (rc == 0)
        *out = o;
    return rc;
}
