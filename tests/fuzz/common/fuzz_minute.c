// A minute row from any octets: refused, or taken and then written and read back to the same octets. The
// row may be added to itself.
#include <stdint.h>
#include <stdlib.h>

#include "common/minute.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(const struct minute_row *r, struct buf *out)
{
    buf_init(out, 1 << 24);
    minute_row_encode(r, out);
    if (out->failed)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct distinct_budget budget = {.sketches_max = 8};
    struct cursor c = cursor_of(span_of(data, size));
    struct minute_row row, again, sum = {0};
    if (minute_row_decode(&c, &row, &budget) < 0) {
        if (row.digest || row.key.kind != 0 || budget.sketches != 0)
            abort();
        return 0;
    }
    struct buf first, second;
    encode(&row, &first);
    c = cursor_of(buf_span(&first));
    if (minute_row_decode(&c, &again, NULL) < 0 || cursor_left(&c) != 0)
        abort();
    encode(&again, &second);
    if (!span_equal(buf_span(&first), buf_span(&second)))
        abort();
    if (minute_row_add(&sum, &row, 64, &budget) < 0 ||
        minute_row_add(&sum, &again, 64, &budget) < 0)
        abort();
    minute_row_fini(&row, &budget);
    minute_row_fini(&again, NULL);
    minute_row_fini(&sum, &budget);
    buf_fini(&first);
    buf_fini(&second);
    return 0;
}
