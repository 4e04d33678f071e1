// Addresses, prefixes and times from text: what is taken formats to a text that is taken as the same.
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "common/timefmt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_address(const char *text)
{
    struct ip_addr a, again;
    char out[IP_TEXT_MAX];
    if (ip_parse(text, &a) != 0)
        return;
    if (ip_parse(ip_format(&a, out), &again) != 0 || !ip_equal(&a, &again))
        abort();
}

static void check_prefix(const char *text)
{
    struct ip_prefix p, again;
    char out[PREFIX_TEXT_MAX];
    if (prefix_parse(text, &p) != 0)
        return;
    if (prefix_parse(prefix_format(&p, out), &again) != 0 || prefix_compare(&p, &again) != 0 ||
        !prefix_contains(&p, &p.addr))
        abort();
}

static void check_time(const char *text)
{
    int64_t t_ms, again;
    char out[TIME_TEXT_MAX];
    if (time_parse(text, &t_ms) != 0)
        return;
    if (time_parse(time_format(t_ms, out), &again) != 0 || t_ms != again)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    check_address(text);
    check_prefix(text);
    check_time(text);
    free(text);
    return 0;
}
