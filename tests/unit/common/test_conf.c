// Reading a configuration: every type, defaults, sections of other programs, files and their folder.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_sample.h"

#define SECTION(out) ((struct conf_section){"sensor", sample_keys, (out)})

// Loads `text`, which must be right.
static void load(const char *text, struct sample *out)
{
    struct conf_section section = SECTION(out);
    char *errors = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&errors, &len);
    memset(out, 0x55, sizeof *out); // what was there does not matter
    int rc = conf_load_text("t.yaml", "/etc/postern", text, strlen(text), &section, 1, f);
    fclose(f);
    if (rc != 0)
        fail_msg("%s", errors);
    assert_int_equal(len, 0);
    free(errors);
}

static void check_defaults(const struct sample *c)
{
    assert_true(c->flag);
    assert_int_equal(c->number, 65536);
    assert_int_equal(c->any_number, 0);
    assert_true(c->ratio == 0.3);
    assert_int_equal(c->idle_ms, 300000);
    assert_int_equal(c->memory, 64 << 20);
    assert_string_equal(c->text, "");
    assert_null(c->maybe);
    assert_string_equal(c->file, "/var/lib/postern/x");
    assert_int_equal(c->mode, 1);
    assert_int_equal(c->nets.count, 2);
    char text[PREFIX_TEXT_MAX];
    assert_string_equal(prefix_format(&c->nets.item[0], text), "192.0.2.0/24");
    assert_string_equal(prefix_format(&c->nets.item[1], text), "2001:db8::/32");
    assert_int_equal(c->words.count, 0);
    assert_int_equal(c->sub.depth, 3);
    assert_string_equal(c->sub.inner.leaf, "green");
    assert_int_equal(c->outputs.count, 0);
}

static void defaults(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "\n",
        "# nothing\n",
        "---\n",
        "---\n...\n",
        "{}",
        "sensor:\n",
        "sensor: {}\n",
        "sensor:\n  sub:\n",
        "sensor:\n  sub:\n    inner:\n",
        "site: {name: x}\ncollector:\n  anything: [1, {2: 3}]\npostern: 7\nweb:\n",
        "\xef\xbb\xbf# a byte order mark\n",
        "sensor:\r\n  flag: true\r\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct sample c;
        load(texts[i], &c);
        check_defaults(&c);
        conf_free(sample_keys, &c);
        assert_null(c.text);
        assert_null(c.nets.item);
        conf_free(sample_keys, &c); // twice does no harm
    }
    struct sample c;
    struct conf_section section = SECTION(&c);
    assert_int_equal(conf_load(NULL, &section, 1, stderr), 0);
    check_defaults(&c);
    conf_free(sample_keys, &c);
}

static void every_type(void **state)
{
    (void)state;
    struct sample c;
    load("sensor:\n"
         "  flag: false\n"
         "  number: 1024\n"
         "  any_number: -9223372036854775807\n"
         "  ratio: 2.5e-1\n"
         "  idle: 250ms\n"
         "  memory: 512\n"
         "  text: no\n"
         "  maybe: ''\n"
         "  file: keys/site.key\n"
         "  mode: enforce\n"
         "  nets: [10.0.0.0/8, \"::1\", 192.0.2.1/32, \"::/0\"]\n"
         "  words: [yes, 1.5, ~, \"\"]\n"
         "  sub: {depth: 9, inner: {leaf: 'it''s'}}\n"
         "  outputs:\n"
         "    - url: http://127.0.0.1:8080/x?y#z\n"
         "    - {url: b, retries: 0, labels: [l1, l2]}\n",
         &c);
    assert_false(c.flag);
    assert_int_equal(c.number, 1024);
    assert_true(c.any_number == -INT64_MAX);
    assert_true(c.ratio == 0.25);
    assert_int_equal(c.idle_ms, 250);
    assert_int_equal(c.memory, 512);
    assert_string_equal(c.text, "no"); // by its field, not by its looks
    assert_string_equal(c.maybe, "");
    assert_string_equal(c.file, "/etc/postern/keys/site.key");
    assert_int_equal(c.mode, 2);
    assert_int_equal(c.nets.count, 4);
    assert_int_equal(c.nets.item[1].len, 128);
    assert_int_equal(c.nets.item[3].len, 0);
    assert_int_equal(c.words.count, 4);
    assert_string_equal(c.words.item[0], "yes");
    assert_string_equal(c.words.item[1], "1.5");
    assert_string_equal(c.words.item[2], "~");
    assert_string_equal(c.words.item[3], "");
    assert_int_equal(c.sub.depth, 9);
    assert_string_equal(c.sub.inner.leaf, "it's");
    assert_int_equal(c.outputs.count, 2);
    const struct sample_output *o = c.outputs.item;
    assert_string_equal(o[0].url, "http://127.0.0.1:8080/x?y#z");
    assert_int_equal(o[0].retries, 2);
    assert_int_equal(o[0].labels.count, 0);
    assert_int_equal(o[1].retries, 0);
    assert_string_equal(o[1].labels.item[1], "l2");
    conf_free(sample_keys, &c);
}

static void durations_and_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *key, *text;
        int64_t value;
    } cases[] = {
        {"idle", "250ms", 250},          {"idle", "1s", 1000},
        {"idle", "5m", 300000},          {"idle", "72h", 259200000},
        {"idle", "7d", 604800000},       {"idle", "'90s'", 90000},
        {"memory", "512", 512},          {"memory", "64k", 65536},
        {"memory", "16M", 16 << 20},     {"memory", "2G", 2147483648},
        {"memory", "1T", 1099511627776}, {"memory", "00512", 512},
        {"number", "+2000", 2000},       {"number", "\"2000\"", 2000},
        {"number", "0x800", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[100];
        struct sample c;
        struct conf_section section = SECTION(&c);
        snprintf(text, sizeof text, "sensor: {%s: %s}", cases[i].key, cases[i].text);
        int rc = conf_load_text("t", "/", text, strlen(text), &section, 1, NULL);
        assert_int_equal(rc, cases[i].value < 0 ? -EINVAL : 0);
        int64_t got = cases[i].key[0] == 'i'   ? c.idle_ms
                      : cases[i].key[0] == 'm' ? c.memory
                                               : c.number;
        if (rc == 0)
            assert_true(got == cases[i].value);
        conf_free(sample_keys, &c);
    }
}

static void two_sections(void **state)
{
    (void)state;
    struct sample a;
    struct strict b;
    const struct conf_section sections[] = {{"sensor", sample_keys, &a}, {"feed", strict_keys, &b}};
    static const char text[] = "feed:\n  must: x\nsensor:\n  number: 2000\n";
    assert_int_equal(conf_load_text("t", "/", text, strlen(text), sections, 2, stderr), 0);
    assert_int_equal(a.number, 2000);
    assert_string_equal(b.must, "x");
    conf_free(sample_keys, &a);
    conf_free(strict_keys, &b);
}

// A folder of its own with one file; returns the file's path.
static const char *file_in_folder(const char *text, char folder[static 64], char path[static 128])
{
    snprintf(folder, 64, "/tmp/postern-conf-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, 128, "%s/p.yaml", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static void relative_to_the_file(void **state)
{
    (void)state;
    char folder[64], path[128], expected[PATH_MAX], here[PATH_MAX];
    file_in_folder("sensor: {file: sub/key}\n", folder, path);
    struct sample c;
    struct conf_section section = SECTION(&c);
    snprintf(expected, sizeof expected, "%s/sub/key", folder);
    assert_int_equal(conf_load(path, &section, 1, stderr), 0);
    assert_string_equal(c.file, expected);
    conf_free(sample_keys, &c);

    // Named from within its folder, the value is the same: what is printed loads from anywhere.
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(conf_load("p.yaml", &section, 1, stderr), 0);
    assert_string_equal(c.file, expected);
    conf_free(sample_keys, &c);
    assert_int_equal(chdir("/tmp"), 0);
    snprintf(path, sizeof path, "%s/p.yaml", folder + strlen("/tmp/"));
    assert_int_equal(conf_load(path, &section, 1, stderr), 0);
    assert_string_equal(c.file, expected);
    conf_free(sample_keys, &c);
    unlink(path);
    rmdir(folder);
    assert_int_equal(chdir(here), 0);
}

static void files_that_cannot_be_read(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        int rc;
    } cases[] = {{"/nonexistent/postern.yaml", -ENOENT}, {"/tmp", -EISDIR}, {"/dev/zero", -EFBIG}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sample c;
        struct conf_section section = SECTION(&c);
        char *errors = NULL;
        size_t len = 0;
        FILE *f = open_memstream(&errors, &len);
        memset(&c, 0x55, sizeof c);
        assert_int_equal(conf_load(cases[i].path, &section, 1, f), cases[i].rc);
        fclose(f);
        assert_memory_equal(errors, cases[i].path, strlen(cases[i].path));
        assert_non_null(strstr(errors, "--config"));
        assert_null(c.text);
        assert_int_equal(c.number, 0);
        free(errors);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_type),
        cmocka_unit_test(durations_and_sizes),
        cmocka_unit_test(two_sections),
        cmocka_unit_test(relative_to_the_file),
        cmocka_unit_test(files_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
