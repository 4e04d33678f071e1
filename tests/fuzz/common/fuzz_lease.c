// A line of lease CSV: what is taken is written and taken as the same; what is not has an error.
#include <stdio.h>
#include <stdlib.h>

#include "common/identity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *line)
{
    struct lease l, again;
    char error[160] = "", *text = NULL;
    size_t len = 0;
    memset(&l, 0, sizeof l);
    memset(&again, 0, sizeof again);
    if (lease_parse_csv(line, &l, error) != 0) {
        if (error[0] == '\0')
            abort();
        return;
    }
    FILE *out = open_memstream(&text, &len);
    if (!out || lease_write_csv(out, &l) != 0)
        abort();
    fclose(out);
    if (lease_parse_csv(text, &again, error) != 0 || memcmp(&l, &again, sizeof l) != 0)
        abort();
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    check(text);
    free(text);
    return 0;
}
