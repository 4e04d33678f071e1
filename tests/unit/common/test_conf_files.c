// What a configuration names is opened for --check: each kind of path as it should be and in each way in which it is
// not, with the whole text of the error, its place and its fix.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/conf.h"
#include "folder.h"

#define HEX64 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

struct named {
    char *made, *file, *folder, *own, *key, *networks;
    struct conf_list sources;
    struct {
        char *file;
    } sub;
};

struct source {
    char *path;
};

#define PATH(member, how)                                                             \
    {                                                                                 \
        .name = #member, .type = CONF_PATH, .offset = offsetof(struct named, member), \
        .optional = true, .opens = how, .help = "A path."                             \
    }

static const struct conf_key source_keys[] = {
    {.name = "path", .type = CONF_PATH, .opens = CONF_OPENS_FILE, .help = "A path."},
    {0},
};

static const struct conf_key sub_keys[] = {
    {.name = "file",
     .type = CONF_PATH,
     .optional = true,
     .opens = CONF_OPENS_FILE,
     .help = "A path."},
    {0},
};

static const struct conf_key keys[] = {
    PATH(made, CONF_OPENS_NOTHING),
    PATH(file, CONF_OPENS_FILE),
    PATH(folder, CONF_OPENS_FOLDER),
    PATH(own, CONF_OPENS_OWN_FOLDER),
    PATH(key, CONF_OPENS_KEY),
    PATH(networks, CONF_OPENS_NETWORKS),
    {.name = "sources",
     .type = CONF_LIST,
     .offset = offsetof(struct named, sources),
     .optional = true,
     .max = 4,
     .sub = source_keys,
     .sub_size = sizeof(struct source),
     .help = "Files."},
    {.name = "sub",
     .type = CONF_SECTION,
     .offset = offsetof(struct named, sub),
     .sub = sub_keys,
     .help = "Deeper."},
    {0},
};

static void write_file(const char *name, const char *text, mode_t mode)
{
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    assert_true(chmod(name, mode) == 0 || errno == EPERM); // another's, who let us write it
}

// What --check says of the section `sensor` in the folder's p.yaml, its path taken off wherever it stands; the
// caller's.
static char *said_of(const char *text, int *rc)
{
    struct named c;
    struct conf_section section = {"sensor", keys, &c};
    char path[128], *said = NULL;
    size_t len = 0, prefix = strlen(folder) + 1;
    snprintf(path, sizeof path, "%s/p.yaml", folder);
    write_file("p.yaml", text, 0666);
    assert_int_equal(conf_load(path, &section, 1, stderr), 0);
    FILE *f = open_memstream(&said, &len);
    *rc = conf_check_files(path, &section, 1, f);
    fclose(f);
    conf_free(keys, &c);
    snprintf(path, sizeof path, "%s/", folder);
    for (char *at; (at = strstr(said, path));)
        memmove(at, at + prefix, strlen(at + prefix) + 1);
    return said;
}

static void each_kind_of_path(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said; // "": all is well
    } rows[] = {
        {"{}", ""},
        {"{made: no/such/thing}", ""},
        {"{file: text, folder: here, own: here, key: key, networks: networks}", ""},
        {"{file: none}", "p.yaml:1:16: sensor.file: none: there is no such file; make it, or "
                         "correct the path\n"},
        {"{file: here}", "p.yaml:1:16: sensor.file: here: Is a directory\n"},
        {"{folder: new}", ""}, // can be made
        {"{folder: none/new}", "p.yaml:1:18: sensor.folder: none/new: there is no such file; make "
                               "it, or correct the path\n"},
        {"{folder: text}", "p.yaml:1:18: sensor.folder: text: Not a directory\n"},
        {"{folder: text/new}", "p.yaml:1:18: sensor.folder: text/new: Not a directory\n"},
        {"{own: new}", "p.yaml:1:15: sensor.own: new: there is no such folder; make it (mkdir -m "
                       "700) for the user of the program, or correct the path\n"},
        {"{own: text}", "p.yaml:1:15: sensor.own: text: Not a directory\n"},
        {"{key: none}", "p.yaml:1:15: sensor.key: none: there is no such file; make it, or correct "
                        "the path\n"},
        {"{key: text}", "p.yaml:1:15: sensor.key: text: is no key file: it is one line, ID HEX64 "
                        "with an ID from 1 to 254\n"},
        {"{key: open-key}", "p.yaml:1:15: sensor.key: open-key: others may read it, or its group "
                            "may write it; chmod 640\n"},
        {"{networks: none}", "p.yaml:1:20: sensor.networks: none: there is no such file; make it, "
                             "or correct the path\n"},
        {"{sub: {file: none}}", "p.yaml:1:22: sensor.sub.file: none: there is no such file; make "
                                "it, or correct the path\n"},
        // All at once, and a good one behind a bad one hides nothing.
        {"{file: none, sources: [{path: text}, {path: gone}, {path: text}], own: here}",
         "p.yaml:1:16: sensor.file: none: there is no such file; make it, or correct the path\n"
         "p.yaml:1:53: sensor.sources[1].path: gone: there is no such file; make it, or correct "
         "the path\n"},
    };
    assert_int_equal(mkdir("here", 0700), 0);
    write_file("text", "some text\n", 0600);
    write_file("key", "7 " HEX64 "\n", 0600);
    write_file("open-key", "7 " HEX64 "\n", 0644);
    write_file("networks", "192.0.2.0/24 64496 DE\n", 0600);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[200];
        int rc;
        snprintf(text, sizeof text, "sensor: %s\n", rows[i].text);
        char *said = said_of(text, &rc);
        if (strcmp(said, rows[i].said) != 0)
            fail_msg("%s says\n%sinstead of\n%s", rows[i].text, said, rows[i].said);
        assert_int_equal(rc, rows[i].said[0] ? -EINVAL : 0);
        free(said);
    }
    // Nothing is made by looking.
    assert_int_equal(access("new", F_OK), -1);
    assert_int_equal(access("no", F_OK), -1);
}

// A list of networks says itself where it is wrong.
static void networks_that_are_none(void **state)
{
    (void)state;
    int rc;
    write_file("networks", "192.0.2.0/24 64496 DE\n192.0.2.0/33 64496\n", 0600);
    char *said = said_of("sensor: {networks: networks}\n", &rc);
    assert_int_equal(rc, -EINVAL);
    assert_ptr_equal(strstr(said, "networks:2:1: "), said);
    free(said);
}

// As nobody, where the test runs as root, who may open everything. How many of the paths were let through.
static int denied_to_nobody(void)
{
    static const char *const rows[] = {"file: shut", "folder: closed", "own: closed", "key: shut"};
    int wrong = 0;
    if (geteuid() == 0 && setuid(65534) != 0)
        return 100;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[64];
        int rc;
        snprintf(text, sizeof text, "sensor: {%s}\n", rows[i]);
        char *said = said_of(text, &rc);
        if (rc != -EINVAL || !strstr(said, "permission denied; let the user of the program read")) {
            fprintf(stderr, "%s: %d, says %s\n", rows[i], rc, said);
            wrong++;
        }
        free(said);
    }
    return wrong;
}

static void what_the_user_may_not_open(void **state)
{
    (void)state;
    int status;
    write_file("shut", "text\n", 0000);
    write_file("p.yaml", "", 0666); // written as nobody
    assert_int_equal(mkdir("closed", 0000), 0);
    assert_int_equal(chmod(folder, 0777), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(denied_to_nobody());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(chmod("closed", 0700), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(each_kind_of_path),
        FOLDER_TEST(networks_that_are_none),
        FOLDER_TEST(what_the_user_may_not_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
