// Lines of the ticket feed: whatever is accepted is written again and read back to the same octets.
#include "common/ticket.h"
#include "json_again.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int rewrite(const json_t *in, json_t **out, char error[static JSON_AGAIN_ERROR_MAX])
{
    static struct ticket_change v;
    int rc = ticket_change_from_json(in, &v, error);
    if (rc == 0)
        *out = ticket_change_to_json(&v);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_again(data, size, rewrite);
    return 0;
}
