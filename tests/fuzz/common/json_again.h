// Lines of JSON with a reader and a writer of ours: whatever is accepted is written again and read back to the same
// octets, and what is refused is refused with a word.
#pragma once

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

#define JSON_AGAIN_ERROR_MAX 160

// Reads `in` and writes what was understood: a new reference in `out`, or an error and its text.
typedef int (*json_again_fn)(const json_t *in, json_t **out,
                             char error[static JSON_AGAIN_ERROR_MAX]);

static inline char *json_again_text(const json_t *in, json_again_fn rewrite, json_t **out)
{
    char error[JSON_AGAIN_ERROR_MAX] = "";
    *out = NULL;
    if (rewrite(in, out, error) != 0) {
        if (error[0] == '\0')
            abort(); // refused without a word
        return NULL;
    }
    char *text = *out ? json_canonical(*out) : NULL;
    if (!text)
        abort();
    return text;
}

static inline void json_again(const uint8_t *data, size_t size, json_again_fn rewrite)
{
    json_t *j = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL), *first, *second;
    if (!j)
        return;
    char *text = json_again_text(j, rewrite, &first);
    if (text) {
        char *repeat = json_again_text(first, rewrite, &second);
        if (!repeat || strcmp(text, repeat) != 0)
            abort();
        free(repeat);
        json_decref(second);
    }
    free(text);
    json_decref(first);
    json_decref(j);
}
