// Shared names. See names.h.
#include "names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"

#define ROOM_MIN 16

void names_fini(struct names *n)
{
    free(n->name);
    free(n->bucket);
    *n = (struct names){0};
}

static uint16_t *find(const struct names *n, const char *name)
{
    size_t mask = n->room * 2 - 1, at = (size_t)hash_octets(name, strlen(name), 0) & mask;
    while (n->bucket[at] != 0 && strcmp(n->name[n->bucket[at] - 1], name) != 0)
        at = (at + 1) & mask;
    return &n->bucket[at];
}

static bool grow(struct names *n)
{
    size_t room = n->room ? n->room * 2 : ROOM_MIN;
    uint16_t *bucket = calloc(room * 2, sizeof *bucket);
    void *name = bucket ? realloc(n->name, room * sizeof n->name[0]) : NULL;
    if (!name) {
        free(bucket);
        return false;
    }
    free(n->bucket);
    n->name = name;
    n->bucket = bucket;
    n->room = room;
    for (size_t i = 0; i < n->count; i++)
        *find(n, n->name[i]) = (uint16_t)(i + 1);
    return true;
}

uint16_t names_number(struct names *n, const char *name)
{
    if (name[0] == '\0')
        return 0;
    if (n->room > 0 && *find(n, name) != 0)
        return *find(n, name);
    if (n->count == NAMES_N_MAX || (n->count == n->room && !grow(n)))
        return 0;
    uint16_t *place = find(n, name);
    // Padded with zeros: verdicts and states are compared as octets.
    memset(n->name[n->count], 0, sizeof n->name[0]);
    snprintf(n->name[n->count], sizeof n->name[0], "%s", name);
    *place = (uint16_t)++n->count;
    return *place;
}

const char *names_text(const struct names *n, uint16_t number)
{
    return number > 0 && number <= n->count ? n->name[number - 1] : "";
}
