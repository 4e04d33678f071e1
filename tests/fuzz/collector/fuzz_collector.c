// Records of any kind through the whole collector: nothing a file says ends it, and its journal is sound. The
// input is a file of records.
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collector.h"
#include "inputs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/fuzz_collector.XXXXXX";

static void clean(void)
{
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.')
            unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
}

static void leave(void)
{
    clean();
    rmdir(dir);
}

static void collect(const char *path, const struct collector_conf *conf,
                    const struct conf_site *site)
{
    struct inputs *in = inputs_new();
    struct collector *c;
    struct record r;
    if (!in || inputs_add(in, path) < 0 || collector_open(conf, site, dir, NULL, stderr, &c) < 0)
        abort();
    while (inputs_next(in, &r) == 1)
        if (collector_take(c, &r) < 0)
            abort();
    if (collector_finish(c) < 0)
        abort();
    collector_close(c);
    inputs_free(in);
}

static void check(void)
{
    struct journal_reader *r;
    const struct journal_entry *e;
    int rc;
    if (journal_reader_open(dir, NULL, NULL, &r) < 0)
        abort();
    while ((rc = journal_next(r, &e)) == 1)
        ;
    const struct journal_stats *s = journal_reader_stats(r);
    if (rc < 0 || s->bad_blocks > 0 || s->torn)
        abort();
    journal_reader_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct collector_conf conf;
    static struct conf_site site;
    static bool made;
    if (!made) {
        struct conf_section sections[] = {{"site", conf_site_keys, &site},
                                          {"collector", collector_conf_keys, &conf}};
        if (conf_load(NULL, sections, 2, stderr) < 0 || !mkdtemp(dir))
            abort();
        conf.flows = 8; // so that they evict one another
        conf.sketches = 2;
        conf.digests = 3;
        atexit(leave);
        made = true;
    }
    char path[32];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    clean();
    collect(path, &conf, &site);
    check();
    close(fd);
    return 0;
}
