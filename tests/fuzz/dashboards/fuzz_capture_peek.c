// Any octets as a capture's beginning: the answer is one of three, and nothing is read past the end.
#include "command/capture_peek.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t t_ms = INT64_MIN;
    enum capture_peek_result result = capture_peek(span_of(data, size), &t_ms);
    if ((result == CAPTURE_PEEK_FOUND) != (t_ms != INT64_MIN))
        abort();
    return 0;
}
