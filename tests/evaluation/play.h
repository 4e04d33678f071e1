// A made-up site through the analysis and the baselines: who lives there, what strikes it, what came of it.
#pragma once

#include <stdio.h>

#include "people.h"
#include "rows.h"
#include "score.h"

struct options {
    const char *seeds, *out, *rates, *bots, *scaled, *off, *level, *only, *sets, *dialogues;
    double lines, open;
    unsigned days, warm, sites, blocked_sites, each, attack_days, first_site;
    struct sight sight;
    bool blind, no_baselines;
};

struct play_files {
    FILE *scores, *totals, *verdicts;
    struct levels *levels;
    uint64_t rows;
};

// The sets of sites. "guilty" and "blocked": the guilty, on a site with port 25 open and on one that declares its block.
// "kinds" and "kinds-blocked": as many of each innocent kind. "sites" and "sites-blocked": each as often as assumed.
// "new-block": the same, and on the second day that counts a block of port 25 begins that nobody declares.
// "prints": the same as "sites", and bots of two families, each of which shows one TLS client.
enum play_set {
    PLAY_GUILTY,
    PLAY_BLOCKED,
    PLAY_KINDS,
    PLAY_KINDS_BLOCKED,
    PLAY_SITES,
    PLAY_SITES_BLOCKED,
    PLAY_NEW_BLOCK,
    PLAY_PRINTS,
    PLAY_SETS
};

// Site `number` of a set. 0 or a negative errno.
int play_site(const struct options *o, const struct rates *rates, const struct real_bots *real,
              enum play_set set, unsigned number, struct play_files *files);
const char *play_set_name(enum play_set set);
// Is a name among those of a list such as "a,b"? NULL names all.
bool play_wants(const char *list, const char *name);
