// The list of domains that the collector's answer brings, and its file: any text, and what is taken of it is in order.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "allotment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct allotment a = {0};
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (allotment_parse(text, &a) == 0) {
        assert(a.count > 0 && a.count <= ALLOTMENT_RANGES_MAX);
        for (unsigned i = 0; i < a.count; i++) {
            assert(a.range[i].first > 0 && a.range[i].first <= a.range[i].last);
            assert(allotment_has(&a, a.range[i].first, 1));
            assert(allotment_has(&a, a.range[i].last, 1));
        }
    } else {
        assert(a.count == 0);
    }
    free(text);
    return 0;
}
