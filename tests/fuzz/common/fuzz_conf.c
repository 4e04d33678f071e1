// The configuration's reader: any text either loads, and then prints to a text that loads to the same
// print, or is refused with at least one line.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_sample.h"

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
