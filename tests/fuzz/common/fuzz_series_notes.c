// Notes beside a series: whatever stands in the file, leases follow one another and amendments are
// numbers that a series can have.
#include "common/series_notes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct series_notes n;
    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    size_t bad = series_notes_bad_line(text);
    if (bad > size + 1)
        abort();
    if (series_notes_parse(text, &n) == 0) {
        for (size_t i = 0; i < n.leases; i++)
            if (!memchr(n.lease[i].party, '\0', sizeof n.lease[i].party) || !n.lease[i].party[0] ||
                n.lease[i].start_s < 0 || (i > 0 && n.lease[i - 1].end_s != n.lease[i].start_s))
                abort();
        for (size_t i = 0; i < n.amendments; i++)
            for (unsigned v = 0; v < SERIES_SOURCES; v++)
                if (!isfinite(n.amendment[i].delta[v]) || !(n.amendment[i].total[v] >= 0))
                    abort();
        series_notes_free(&n);
    }
    free(text);
    return 0;
}
