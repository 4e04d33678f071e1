// Verdict lines: whatever is accepted is written again and read back to the same octets.
#include "common/verdict.h"
#include "json_again.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int rewrite(const json_t *in, json_t **out, char error[static JSON_AGAIN_ERROR_MAX])
{
    static struct verdict v;
    int rc = verdict_from_json(in, &v, error);
    if (rc == 0)
        *out = verdict_to_json(&v);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_again(data, size, rewrite);
    return 0;
}
