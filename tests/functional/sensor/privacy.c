// Does the sensor keep, write or say anything of what it must not? A child process holds a sensor and is
// fed the frames of a capture through shared memory; this process knows what is secret in them, and looks
// for it in all memory that the child can write, but for the frames, and in all that came out of it.
//
// usage: postern-privacy [-s NETWORK] [-x FILE] PROFILE CAPTURE...
//
// -s: the smarthosts. -x: what may be held after the last packet, a line each: the end of the capture's name,
// the secret and the reason, with tabs between.
//
// Memory is looked at when the last packet has been read and the time-outs of a minute have passed (what
// stands in an unfinished line may be held until then), and again when all flows have ended.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "decap/decap.h"
#include "privacy.h"
#include "secrets.h"

// Mappings above this are a sanitizer's shadow.
#define MAPPING_MAX (256u << 20)
// Octets shown on both sides of a finding.
#define AROUND 24

static const char *allowed_path;
static char folder[] = "/tmp/postern_privacy_XXXXXX";
static struct privacy_setup setup = {.folder = folder};

// ---- This process.

static struct {
    pid_t pid;
    int to, from, memory;
} child;

static void start(void)
{
    int to[2], from[2];
    shared = mmap(NULL, PRIVACY_SHARED, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(shared != MAP_FAILED);
    int rc = pipe(to);
    must(rc == 0);
    rc = pipe(from);
    must(rc == 0);
    child.pid = fork();
    must(child.pid >= 0);
    if (child.pid == 0) {
        close(to[1]);
        close(from[0]);
        privacy_child(&setup, to[0], from[1]);
    }
    close(to[0]);
    close(from[1]);
    child.to = to[1];
    child.from = from[0];
}

static void tell(char command)
{
    char answer = 0;
    if (write(child.to, &command, 1) != 1 || read(child.from, &answer, 1) != 1 ||
        answer != command) {
        fprintf(stderr, "the child ended\n");
        exit(1);
    }
}

struct looking {
    struct secrets *secrets;
    const char *where;
    const unsigned char *data;
    size_t len;
    bool baseline, control, open;
    uint64_t found;
    uint64_t octets;
};

static void on_found(void *ctx, struct secret *s, size_t at)
{
    struct looking *l = ctx;
    if (l->open && s->held)
        return;
    if (l->control) {
        l->found++;
        return;
    }
    s->known = true; // once is enough
    if (l->baseline || privacy_is_server(s->text, s->len))
        return;
    printf("FOUND %s, at 0x%zx: %.*s, among \"", l->where, at, s->len, (const char *)s->text);
    for (size_t i = at > AROUND ? at - AROUND : 0; i < at + s->len + AROUND && i < l->len; i++)
        putchar(l->data[i] >= 0x20 && l->data[i] < 0x7f ? l->data[i] : '.');
    printf("\"\n");
    l->found++;
}

// All that the child can write, but for the frames; before, what it can read as well: a word that stands in
// a program or library is none of the capture's.
static void look_at_memory(struct looking *l)
{
    char path[64], line[512], where[320];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)child.pid);
    FILE *maps = fopen(path, "r");
    snprintf(path, sizeof path, "/proc/%d/mem", (int)child.pid);
    FILE *memory = fopen(path, "rb");
    must(maps && memory);
    while (fgets(line, sizeof line, maps)) {
        uintptr_t from, to;
        char rights[8], name[256] = "";
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %7s %*s %*s %*s %255s", &from, &to, rights,
                   name) < 3 ||
            rights[3] == 's' || to - from > MAPPING_MAX || rights[l->baseline ? 0 : 1] == '-')
            continue;
        unsigned char *copy = calloc(1, to - from);
        must(copy);
        ssize_t got = pread(fileno(memory), copy, to - from, (off_t)from);
        if (got > 0) {
            snprintf(where, sizeof where, "%s in %s", l->where, *name ? name : "memory");
            struct looking here = *l;
            here.where = where;
            here.data = copy;
            here.len = (size_t)got;
            secrets_search(l->secrets, copy, (size_t)got, on_found, &here);
            l->found = here.found;
            l->octets += (uint64_t)got;
        }
        free(copy);
    }
    fclose(maps);
    fclose(memory);
}

static void look_at_file(struct looking *l, const char *name)
{
    FILE *in = fopen(privacy_path(folder, name), "rb");
    must(in);
    fseek(in, 0, SEEK_END);
    long len = ftell(in);
    rewind(in);
    unsigned char *text = malloc((size_t)len + 1);
    must(text && len >= 0);
    size_t got = fread(text, 1, (size_t)len, in);
    fclose(in);
    l->where = name;
    l->data = text;
    l->len = got;
    secrets_search(l->secrets, text, got, on_found, l);
    free(text);
}

// What an unfinished dialogue of this capture holds.
static void allow(struct secrets *secrets, const char *capture)
{
    char line[512];
    FILE *in = allowed_path ? fopen(allowed_path, "r") : NULL;
    must(in || !allowed_path);
    while (in && fgets(line, sizeof line, in)) {
        char *rest = line, *name = strsep(&rest, "\t"), *text = strsep(&rest, "\t");
        size_t len = strlen(name), whole = strlen(capture);
        if (*line == '#' || !text || len > whole || strcmp(capture + whole - len, name) != 0)
            continue;
        for (size_t i = 0; i < secrets->count; i++)
            if (secrets->secret[i].len == strlen(text) &&
                memcmp(secrets->secret[i].text, text, strlen(text)) == 0)
                secrets->secret[i].held = true;
    }
    if (in)
        fclose(in);
}

static void put_frame(const struct source_frame *s)
{
    struct frame f = {
        .t_us = s->t_us, .linktype = s->linktype, .wire = s->wire, .len = (uint32_t)s->data.len};
    if (sizeof *shared + shared->octets + sizeof f + f.len > PRIVACY_SHARED) {
        tell('f');
        shared->frames = shared->octets = 0;
    }
    memcpy(shared->at + shared->octets, &f, sizeof f);
    shared->octets += sizeof f;
    memcpy(shared->at + shared->octets, s->data.data, f.len);
    shared->octets += f.len;
    shared->frames++;
}

static bool read_frames(const char *path, void (*each)(const struct source_frame *, void *),
                        void *ctx)
{
    struct source source;
    struct source_frame frame;
    const char *failed;
    if (source_files_open(&path, 1, &source, &failed) != 0) {
        fprintf(stderr, "%s: cannot be opened\n", failed);
        return false;
    }
    while (source_next(&source, &frame) == SOURCE_FRAME)
        each(&frame, ctx);
    source_close(&source);
    return true;
}

struct gathering {
    struct decap *decap;
    struct frag *frag;
    struct secrets *secrets;
};

static void gather(const struct source_frame *s, void *ctx)
{
    static struct packet p;
    struct gathering *g = ctx;
    if (shared->first_us == 0)
        shared->first_us = s->t_us;
    if (decap_frame(g->decap, s->linktype, s->data, s->wire, &p) == DECAP_PACKET && p.ip_proto == 6)
        secrets_gather(g->secrets, p.payload);
}

static void feed(const struct source_frame *s, void *ctx)
{
    (void)ctx;
    put_frame(s);
}

// The child is made before anything is read, so that it inherits nothing. 0: nothing was found; 1: it was;
// 2: the capture cannot be read.
static int try_capture(const char *path)
{
    static struct decap decap;
    struct secrets secrets;
    start();
    secrets_init(&secrets);
    struct gathering g = {.decap = &decap, .frag = frag_new(64, 1 << 20, 30000000)};
    g.secrets = &secrets;
    decap_init(&decap, g.frag);
    bool read = read_frames(path, gather, &g);
    frag_free(g.frag);
    if (!read || secrets.count == 0) {
        secrets_fini(&secrets);
        return read ? 0 : 2;
    }
    secrets_index(&secrets);
    allow(&secrets, path);
    struct looking l = {.secrets = &secrets, .where = "before", .baseline = true};
    tell('o');
    look_at_memory(&l);
    size_t known = 0;
    for (size_t i = 0; i < secrets.count; i++)
        known += secrets.secret[i].known;
    l.baseline = false;
    read_frames(path, feed, NULL);
    tell('f');
    tell('k');
    l.control = true;
    look_at_memory(&l);
    l.control = false;
    bool blind = l.found == 0;
    l.found = 0;
    tell('K');
    tell('w');
    l.where = "after a minute";
    l.open = true;
    look_at_memory(&l);
    tell('e');
    l.where = "after the end";
    l.open = false;
    look_at_memory(&l);
    look_at_file(&l, "records");
    look_at_file(&l, "flows");
    look_at_file(&l, "status");
    tell('x');
    close(child.to);
    close(child.from);
    waitpid(child.pid, NULL, 0);
    printf("%s: %zu secrets (%zu not looked for), %" PRIu64 " records, %" PRIu64
           " MiB looked at, %" PRIu64 " found, %" PRIu64 " records say too much\n",
           path, secrets.count, known, shared->records, l.octets >> 20, l.found, shared->forbidden);
    if (blind)
        printf("%s: a copy of all frames was not found\n", path);
    // Names that are in every process cannot be looked for; they must not be many.
    bool bad = l.found + shared->forbidden > 0 || blind || known * 5 > secrets.count + 20;
    munmap(shared, PRIVACY_SHARED);
    secrets_fini(&secrets);
    return bad;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"flow-only", "own-smarthost-content", "full-envelope"};
    int at = 1, bad = 0, tried = 0, status = 0;
    log_open("postern-privacy");
    for (; at + 1 < argc && argv[at][0] == '-'; at += 2)
        *(strcmp(argv[at], "-s") == 0 ? &setup.smarthosts : &allowed_path) = argv[at + 1];
    const char *name = at < argc ? argv[at++] : "";
    while (setup.profile < 3 && strcmp(names[setup.profile], name) != 0)
        setup.profile++;
    if (setup.profile == 3 || at == argc || !mkdtemp(folder)) {
        fprintf(stderr, "usage: postern-privacy [-s NETWORK] [-x FILE] PROFILE CAPTURE...\n");
        return 64;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (; at < argc; at++) {
        pid_t pid = fork();
        must(pid >= 0);
        if (pid == 0)
            exit(try_capture(argv[at]));
        must(waitpid(pid, &status, 0) == pid);
        status = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
        tried += status != 2;
        bad += status != 0 && status != 2;
    }
    static const char *const files[] = {"records", "flows", "status"};
    for (size_t i = 0; i < 3; i++)
        unlink(privacy_path(folder, files[i]));
    rmdir(folder);
    printf("%s: %d captures, %d of them with findings\n", name, tried, bad);
    return bad > 0 || tried == 0;
}
