// The reader of JSON lines: what it takes has one canonical form, which reads back to itself; the
// next line is always found.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

#define LINE_MAX_OCTETS 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0; // fmemopen takes no empty buffer
    size_t newlines = 0, lines = 0;
    for (size_t i = 0; i < size; i++)
        newlines += data[i] == '\n';
    FILE *f = fmemopen((void *)(uintptr_t)data, size, "r");
    if (!f)
        abort();
    json_t *value = NULL;
    char error[160];
    for (int rc; (rc = json_read_line(f, LINE_MAX_OCTETS, &value, error)) != 0; lines++) {
        if (rc < 0)
            continue;
        char *text = json_canonical(value);
        json_t *again = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
        char *second = again ? json_canonical(again) : NULL;
        if (!second || strcmp(text, second) != 0)
            abort();
        free(text);
        free(second);
        json_decref(again);
        json_decref(value);
    }
    if (lines != newlines + (data[size - 1] != '\n'))
        abort();
    fclose(f);
    return 0;
}
