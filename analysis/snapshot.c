// The engine's state to a file and back. See snapshot.h.
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine_parts.h"
#include "hash.h"

static const char magic[8] = "PSTNSTAT";

// What is written or read so far, with its checksum.
struct file {
    FILE *f;
    uint64_t sum;
    int error;
};

static uint64_t sum_of(uint64_t sum, const void *data, size_t len)
{
    const unsigned char *at = data;
    uint64_t word;
    for (; len >= sizeof word; at += sizeof word, len -= sizeof word) {
        memcpy(&word, at, sizeof word);
        sum = (sum ^ word) * 0x9e3779b97f4a7c15u;
        sum ^= sum >> 29;
    }
    for (; len > 0; at++, len--)
        sum = (sum ^ *at) * 0x100000001b3u;
    return sum;
}

static void put(struct file *f, const void *data, size_t len)
{
    if (f->error != 0 || len == 0)
        return;
    errno = 0;
    if (fwrite(data, 1, len, f->f) != len)
        f->error = errno ? -errno : -EIO;
    f->sum = sum_of(f->sum, data, len);
}

static void get(struct file *f, void *data, size_t len)
{
    if (f->error != 0 || len == 0)
        return;
    if (fread(data, 1, len, f->f) != len)
        f->error = ferror(f->f) ? -EIO : -EBADMSG;
    f->sum = sum_of(f->sum, data, len);
}

// Memory in words of eight octets: so many zeros, so many others, those; until `len` is full.
struct run {
    uint32_t zeros, words;
};

static size_t count_run(const unsigned char *at, size_t words, bool zeros)
{
    static const unsigned char zero[8];
    size_t n = 0;
    while (n < words && (memcmp(at + n * 8, zero, 8) == 0) == zeros)
        n++;
    return n;
}

static void put_memory(struct file *f, const void *data, size_t len)
{
    const unsigned char *at = data;
    size_t words = len / 8;
    while (words > 0) {
        struct run r = {.zeros = (uint32_t)count_run(at, words, true)};
        r.words = (uint32_t)count_run(at + r.zeros * 8, words - r.zeros, false);
        put(f, &r, sizeof r);
        put(f, at + r.zeros * 8, (size_t)r.words * 8);
        at += (size_t)(r.zeros + r.words) * 8;
        words -= r.zeros + r.words;
    }
    put(f, at, len % 8);
}

static void get_memory(struct file *f, void *data, size_t len)
{
    unsigned char *at = data;
    size_t words = len / 8;
    while (words > 0 && f->error == 0) {
        struct run r = {0};
        get(f, &r, sizeof r);
        if (r.zeros > words || r.words > words - r.zeros || r.zeros + r.words == 0) {
            f->error = f->error ? f->error : -EBADMSG;
            return;
        }
        memset(at, 0, (size_t)r.zeros * 8);
        get(f, at + r.zeros * 8, (size_t)r.words * 8);
        at += (size_t)(r.zeros + r.words) * 8;
        words -= r.zeros + r.words;
    }
    get(f, at, len % 8);
}

struct header {
    char magic[8];
    uint64_t version;
    uint64_t layout;
    uint64_t parties, names;
    struct snapshot_place place;
    struct site site;
    struct ballot ballot;
    struct prints prints;
    int64_t expired_ms, looked_ms, close_ms;
    struct engine_counters counters;
};

static uint64_t layout(const struct engine *e)
{
    const uint64_t parts[] = {sizeof(struct header),
                              party_octets(e->parties),
                              sizeof(struct window),
                              sizeof(struct party_verdict),
                              sizeof(struct verdict),
                              detector_state_size(),
                              sizeof(struct site),
                              sizeof(struct ballot),
                              offsetof(struct party_state, window)};
    uint64_t h = hash_octets(parts, sizeof parts, SNAPSHOT_VERSION);
    for (size_t i = 0; detectors[i]; i++)
        h = hash_octets(detectors[i]->name, strlen(detectors[i]->name),
                        h ^ (detectors[i]->state_size << 32 | e->state_offset[i]));
    const char *rules = ENGINE_RULES_VERSION " " POSTERN_VERSION;
    return hash_octets(rules, strlen(rules), h);
}

static void put_party(struct file *f, const struct engine *e, const struct party_state *p,
                      unsigned char *copy)
{
    size_t len = party_octets(e->parties);
    uint64_t verdicts = 0;
    memcpy(copy, p, len);
    struct party_state *flat = (struct party_state *)(void *)copy;
    flat->chain = flat->newer = flat->older = NULL;
    flat->verdicts = NULL;
    for (const struct party_verdict *v = p->verdicts; v; v = v->next)
        verdicts++;
    put_memory(f, copy, len);
    put(f, &verdicts, sizeof verdicts);
    for (const struct party_verdict *v = p->verdicts; v; v = v->next) {
        struct party_verdict one = *v;
        one.next = NULL;
        put_memory(f, &one, sizeof one);
    }
}

static void put_all(struct file *f, const struct engine *e, const struct snapshot_place *place)
{
    struct header *h = calloc(1, sizeof *h);
    unsigned char *copy = malloc(party_octets(e->parties));
    if (h && copy) {
        memcpy(h->magic, magic, sizeof magic);
        h->version = SNAPSHOT_VERSION;
        h->layout = layout(e);
        h->parties = party_count(e->parties);
        h->names = party_names(e->parties)->count;
        h->place = *place;
        h->site = e->site;
        h->ballot = e->ballot;
        h->prints = *e->prints;
        h->expired_ms = e->expired_ms;
        h->looked_ms = e->looked_ms;
        h->close_ms = e->close_ms;
        h->counters = e->counters;
        put(f, h, sizeof *h);
        put(f, party_names(e->parties)->name, h->names * LEASE_NAME_MAX);
        for (const struct party_state *p = party_newer(e->parties, NULL); p;
             p = party_newer(e->parties, p))
            put_party(f, e, p, copy);
        uint64_t sum = f->sum;
        put(f, &sum, sizeof sum);
    } else {
        f->error = -ENOMEM;
    }
    free(h);
    free(copy);
}

// The rename is durable once the folder is.
static void sync_folder(const char *path)
{
    char *copy = strdup(path);
    char *slash = copy ? strrchr(copy, '/') : NULL;
    if (slash)
        *slash = '\0';
    int fd = copy ? open(slash ? (*copy ? copy : "/") : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                  : -1;
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(copy);
}

int snapshot_save(const struct engine *e, const struct snapshot_place *place, const char *path)
{
    char *temporary;
    if (asprintf(&temporary, "%s.new", path) < 0)
        return -ENOMEM;
    struct file f = {.f = fopen(temporary, "we")};
    if (!f.f) {
        int rc = -errno;
        free(temporary);
        return rc;
    }
    put_all(&f, e, place);
    if (f.error == 0 && (fflush(f.f) != 0 || fsync(fileno(f.f)) != 0))
        f.error = -errno;
    if (fclose(f.f) != 0 && f.error == 0)
        f.error = -errno;
    if (f.error == 0 && rename(temporary, path) != 0)
        f.error = -errno;
    if (f.error == 0)
        sync_folder(path);
    else
        unlink(temporary);
    free(temporary);
    return f.error;
}

static void get_party(struct file *f, struct engine *e, unsigned char *copy)
{
    size_t len = party_octets(e->parties);
    uint64_t verdicts = 0;
    get_memory(f, copy, len);
    get(f, &verdicts, sizeof verdicts);
    if (f->error != 0)
        return;
    const struct party_state *flat = (const struct party_state *)(void *)copy;
    struct party_state *p = party_restore(e->parties, flat);
    struct party_verdict **at = p ? &p->verdicts : NULL;
    for (uint64_t i = 0; p && i < verdicts && i < VERDICT_CLASSES; i++) {
        *at = calloc(1, sizeof **at);
        if (!*at) {
            p = NULL;
            break;
        }
        get_memory(f, *at, sizeof **at);
        (*at)->next = NULL;
        at = &(*at)->next;
    }
    if (!p)
        f->error = -ENOMEM;
}

// Names keep their numbers, which parties hold.
static void get_name(struct file *f, struct names *names, uint64_t number)
{
    char name[LEASE_NAME_MAX];
    get(f, name, sizeof name);
    if (f->error == 0 && (name[sizeof name - 1] != '\0' || names_number(names, name) != number))
        f->error = -EBADMSG;
}

static void get_all(struct file *f, struct engine *e, struct snapshot_place *place)
{
    struct header *h = calloc(1, sizeof *h);
    unsigned char *copy = calloc(1, party_octets(e->parties));
    if (!h || !copy)
        f->error = -ENOMEM;
    else
        get(f, h, sizeof *h);
    if (f->error == 0 && memcmp(h->magic, magic, sizeof magic) != 0)
        f->error = -EBADMSG;
    if (f->error == 0 && (h->version != SNAPSHOT_VERSION || h->layout != layout(e)))
        f->error = -EPROTO;
    for (uint64_t i = 0; f->error == 0 && i < h->names; i++)
        get_name(f, party_names(e->parties), i + 1);
    for (uint64_t i = 0; f->error == 0 && i < h->parties; i++)
        get_party(f, e, copy);
    uint64_t sum = f->sum, stored = 0;
    get(f, &stored, sizeof stored);
    if (f->error == 0 && stored != sum)
        f->error = -EBADMSG;
    if (f->error == 0) {
        struct ballot_rule rule = e->ballot.rule; // as configured now
        e->site = h->site;
        e->ballot = h->ballot;
        *e->prints = h->prints;
        e->ballot.rule = rule;
        e->expired_ms = h->expired_ms;
        e->looked_ms = h->looked_ms;
        e->close_ms = h->close_ms;
        e->counters = h->counters;
        *place = h->place;
    }
    free(h);
    free(copy);
}

int snapshot_load(struct engine *e, struct snapshot_place *place, const char *path)
{
    struct file f = {.f = fopen(path, "re")};
    if (!f.f)
        return -errno;
    get_all(&f, e, place);
    fclose(f.f);
    return f.error;
}
