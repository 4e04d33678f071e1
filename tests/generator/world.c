// Names and addresses out of word lists and hashes.
#include "world.h"

#include <stdio.h>

#include "rng.h"

static const char *const head_words[64] = {
    "amber",  "ash",    "birch", "black", "blue",  "bright", "broad",  "cedar", "clear",  "cloud",
    "cold",   "coral",  "crest", "dawn",  "deep",  "east",   "elm",    "ever",  "fair",   "far",
    "fern",   "field",  "flint", "fox",   "glen",  "gold",   "grand",  "green", "grey",   "harbor",
    "hazel",  "high",   "hill",  "iron",  "ivy",   "lake",   "lark",   "light", "long",   "maple",
    "marble", "meadow", "mill",  "moon",  "moss",  "north",  "oak",    "ocean", "orchid", "pine",
    "prime",  "quiet",  "rapid", "red",   "river", "rose",   "silver", "south", "star",   "stone",
    "summer", "tall",   "west",  "wild"};

static const char *const tail_words[64] = {
    "bakery",  "bank",    "bay",    "books",  "bridge",  "build",   "care",   "clinic",
    "code",    "college", "craft",  "data",   "dental",  "design",  "drive",  "farm",
    "film",    "fit",     "food",   "foods",  "freight", "garden",  "gate",   "group",
    "harvest", "health",  "home",   "hotel",  "house",   "kitchen", "lab",    "law",
    "lens",    "link",    "logic",  "market", "media",   "metal",   "motors", "music",
    "office",  "optics",  "parts",  "path",   "photo",   "post",    "press",  "print",
    "realty",  "repair",  "school", "shop",   "soft",    "sport",   "studio", "supply",
    "tax",     "tech",    "tools",  "toys",   "trade",   "travel",  "wave",   "works"};

static const char *const providers[WORLD_PROVIDERS] = {
    "bigpost.example",   "skymail.example",  "inboxia.example",   "letterbox.example",
    "mailhaven.example", "postkeep.example", "quickmail.example", "webpostale.example"};

static const char *const given[48] = {
    "anna",  "ben",    "carla", "daniel", "elena", "felix", "grace", "henry", "ines",  "jakob",
    "karin", "leo",    "maria", "nils",   "olga",  "paul",  "quinn", "rosa",  "simon", "tina",
    "ute",   "viktor", "wendy", "xaver",  "yara",  "zoe",   "aaron", "bella", "chris", "diana",
    "erik",  "flora",  "georg", "hanna",  "ivan",  "julia", "kevin", "laura", "mark",  "nadia",
    "oscar", "petra",  "ralf",  "sara",   "tom",   "vera",  "willi", "yusuf"};

static const char *const family[48] = {
    "abel",    "berger",  "castro",  "dietz",  "ender",  "fischer", "garcia", "hansen",
    "ibarra",  "jensen",  "keller",  "lopez",  "moreau", "novak",   "olsen",  "peters",
    "quast",   "rossi",   "santos",  "tanaka", "ullman", "vogel",   "weber",  "young",
    "zimmer",  "adler",   "brandt",  "costa",  "duval",  "engel",   "frank",  "grant",
    "horvath", "irving",  "janssen", "kovacs", "lindt",  "miller",  "nagy",   "ortiz",
    "parker",  "richter", "schmidt", "thomas", "urban",  "vargas",  "wagner", "zeller"};

static struct ip_addr v4(unsigned a, unsigned b, unsigned c, unsigned d)
{
    return ip_from_v4((const uint8_t[4]){(uint8_t)a, (uint8_t)b, (uint8_t)c, (uint8_t)d});
}

static struct ip_addr v6(unsigned net, unsigned host)
{
    uint8_t o[16] = {0x3f, 0xff, 0, 0, (uint8_t)(net >> 8), (uint8_t)net};
    o[14] = (uint8_t)(host >> 8);
    o[15] = (uint8_t)host;
    return ip_from_v6(o);
}

// Distances of hosts: most within a continent, some across an ocean.
static void place(struct peer *p, uint64_t h)
{
    int64_t ms = h % 10 < 7 ? 4 + (int64_t)(h >> 8) % 16 : 35 + (int64_t)(h >> 8) % 60;
    p->delay_ns = ms * 1000000 + (int64_t)(h >> 24) % 1000000;
    p->hops = (uint8_t)(7 + (h >> 40) % 12);
}

void world_domain(uint32_t i, char out[static WORLD_NAME_MAX])
{
    i %= WORLD_DOMAINS;
    if (i < WORLD_PROVIDERS)
        snprintf(out, WORLD_NAME_MAX, "%s", providers[i]);
    else // 449 is 1 modulo 64: every pair of words comes up once
        snprintf(out, WORLD_NAME_MAX, "%s%s.example", head_words[i % 64],
                 tail_words[(i / 64 + 7 * i) % 64]);
}

void world_mx(uint64_t seed, uint32_t i, uint32_t n, struct peer *out)
{
    i %= WORLD_DOMAINS;
    *out = (struct peer){0};
    world_domain(i, out->domain);
    bool big = i < WORLD_PROVIDERS;
    n %= big ? 4 : 2;
    uint64_t h = rng_hash(seed, "mx", i * 8 + n), of_domain = rng_hash(seed, "domain", i);
    snprintf(out->host, sizeof out->host, "mx%u.%.50s", n + 1, out->domain);
    if (big) {
        out->v4 = v4(198, 18, i * 2, 20 + n);
        out->v6 = v6(i, 0x2500 + n);
        out->dialect = (uint8_t)(i % 3);
        out->starttls = true;
        place(out, rng_hash(seed, "provider", i));
        return;
    }
    // Small domains: a network of their own as far as networks reach, then shared ones.
    unsigned net = 32 + i * 171 % WORLD_MX_NETWORKS;
    out->v4 = v4(198, 18 + net / 256, net % 256, 10 + i / WORLD_MX_NETWORKS * 4 + n);
    if (of_domain % 4 == 0)
        out->v6 = v6(0x100 + net, 0x2500 + i / WORLD_MX_NETWORKS * 4 + n);
    out->dialect = (uint8_t)(of_domain >> 8);
    out->starttls = (of_domain >> 16) % 100 < 88;
    out->greylists = (of_domain >> 24) % 100 < 8;
    place(out, h);
}

void world_provider(uint64_t seed, uint32_t i, enum world_service service, uint32_t n,
                    struct peer *out)
{
    static const char *const label[] = {"smtp", "imap", "pop"};
    i %= WORLD_PROVIDERS;
    n %= 8;
    *out = (struct peer){.starttls = true, .dialect = (uint8_t)(i % 3)};
    snprintf(out->domain, sizeof out->domain, "%s", providers[i]);
    snprintf(out->host, sizeof out->host, "%s.%s", label[service], providers[i]);
    out->v4 = v4(198, 18, i * 2 + n % 2, 60u + (unsigned)service * 40 + n);
    out->v6 = v6(i, 0x1000 + (unsigned)service * 256 + n);
    place(out, rng_hash(seed, "provider", i));
}

void world_site(uint64_t seed, uint32_t i, struct peer *out)
{
    *out = (struct peer){0};
    world_domain(64 + i % (WORLD_DOMAINS - 64), out->domain);
    snprintf(out->host, sizeof out->host, "www.%.50s", out->domain);
    uint64_t h = rng_hash(seed, "site", i);
    unsigned net = (unsigned)(h % 16), host = 1 + (unsigned)(h >> 8) % 250;
    out->v4 = v4(198, 18, 16 + net, host);
    if (h >> 16 & 1)
        out->v6 = v6(0x20 + net, host);
    place(out, h >> 20);
    out->delay_ns /= 3; // content is delivered from near by
}

void world_hosting(uint64_t seed, uint32_t i, struct peer *out)
{
    *out = (struct peer){0};
    uint64_t h = rng_hash(seed, "hosting", i);
    snprintf(out->domain, sizeof out->domain, "vps%u.example", i % 2);
    unsigned host = 1 + (unsigned)(h % 250);
    snprintf(out->host, sizeof out->host, "h%u.%.40s", host, out->domain);
    out->v4 = i % 2 ? v4(192, 0, 2, host) : v4(203, 0, 113, host);
    place(out, h >> 8);
}

void world_foreign(uint64_t seed, uint32_t i, struct peer *out)
{
    *out = (struct peer){0};
    uint64_t h = rng_hash(seed, "foreign", i);
    unsigned net = 128 + i % 128, host = 1 + (unsigned)(h % 250);
    snprintf(out->domain, sizeof out->domain, "access%u.example", net);
    snprintf(out->host, sizeof out->host, "dyn-%u-%u.%.40s", net, host, out->domain);
    out->v4 = v4(198, 19, net, host);
    place(out, h >> 8);
    out->delay_ns += 30000000;
}

void world_person(uint32_t i, char out[static WORLD_NAME_MAX])
{
    uint32_t n = i / (48 * 48);
    if (n == 0)
        snprintf(out, WORLD_NAME_MAX, "%s.%s", given[i % 48], family[i / 48 % 48]);
    else
        snprintf(out, WORLD_NAME_MAX, "%s.%s%u", given[i % 48], family[i / 48 % 48], n % 1000);
}
