// The configuration's reader: any text either loads, and then prints to a text that loads to the same
// print, or is refused with at least one line.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"

struct output {
    char *url;
    int64_t retries;
    struct conf_strings labels;
};

struct sample {
    bool flag;
    int64_t number, any_number, idle_ms, memory;
    double ratio;
    char *text, *maybe, *file;
    int mode;
    struct conf_prefixes nets;
    struct conf_strings words;
    struct {
        int64_t depth;
    } sub;
    struct conf_list outputs;
};

#define AT(member)  .offset = offsetof(struct sample, member), .help = "x"
#define OUT(member) .offset = offsetof(struct output, member), .help = "x"

static const char *const modes[] = {"off", "watch", "enforce", NULL};
static const struct conf_key sub_keys[] = {
    {.name = "depth", .type = CONF_INT, .min = 1, .max = 9, .def = "3", .help = "x"}, {0}};
static const struct conf_key output_keys[] = {
    {.name = "url", .type = CONF_STRING, OUT(url)},
    {.name = "retries", .type = CONF_INT, .max = 10, .def = "2", OUT(retries)},
    {.name = "labels", .type = CONF_STRING_LIST, .optional = true, OUT(labels)},
    {0}};

// Every type there is, with the keys that the corpus uses.
static const struct conf_key sample_keys[] = {
    {.name = "flag", .type = CONF_BOOL, .def = "true", AT(flag)},
    {.name = "number", .type = CONF_INT, .min = 1024, .max = 1e8, .def = "65536", AT(number)},
    {.name = "any_number", .type = CONF_INT, .optional = true, AT(any_number)},
    {.name = "ratio", .type = CONF_REAL, .def = "0.3", AT(ratio)},
    {.name = "idle", .type = CONF_DURATION, .min = 1, .max = 1e12, .def = "5m", AT(idle_ms)},
    {.name = "memory", .type = CONF_SIZE, .def = "64M", AT(memory)},
    {.name = "text", .type = CONF_STRING, .max = 1000, .def = "", AT(text)},
    {.name = "maybe", .type = CONF_STRING, .optional = true, AT(maybe)},
    {.name = "file", .type = CONF_PATH, .def = "/var/lib/postern/x", AT(file)},
    {.name = "mode", .type = CONF_ENUM, .def = "watch", .names = modes, AT(mode)},
    {.name = "nets", .type = CONF_PREFIX_LIST, .def = "[192.0.2.0/24]", AT(nets)},
    {.name = "words", .type = CONF_STRING_LIST, .max = 9, .optional = true, AT(words)},
    {.name = "sub", .type = CONF_SECTION, .sub = sub_keys, AT(sub)},
    {.name = "outputs",
     .type = CONF_LIST,
     .optional = true,
     .sub = output_keys,
     .sub_size = sizeof(struct output),
     AT(outputs)},
    {0}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *print(const struct conf_section *section, size_t *len)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, len);
    if (!f || conf_print(section, 1, false, f) != 0 || fclose(f) != 0)
        abort();
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sample c;
    struct conf_section section = {"sensor", sample_keys, &c};
    char *errors = NULL;
    size_t errors_len = 0;
    FILE *f = open_memstream(&errors, &errors_len);
    if (!f)
        abort();
    int rc = conf_load_text("fuzz", "/", (const char *)data, size, &section, 1, f);
    fclose(f);
    if ((rc != 0) != (errors_len > 0))
        abort();
    if (rc == 0) {
        size_t first_len, second_len;
        char *first = print(&section, &first_len);
        conf_free(sample_keys, &c);
        if (conf_load_text("again", "/", first, first_len, &section, 1, stderr) != 0)
            abort();
        char *second = print(&section, &second_len);
        if (strcmp(first, second) != 0)
            abort();
        free(first);
        free(second);
    }
    conf_free(sample_keys, &c);
    free(errors);
    return 0;
}
