// Case codes. See case_code.h.
#include "feed/case_code.h"

#include <stdio.h>

#define HALF 5 // characters on each side of the dash

void case_code_make(const struct keyed_hash_key *key, const char *verdict_id, unsigned attempt,
                    char out[static CASE_CODE_MAX])
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    char text[128];
    // A blank keeps it apart from any mailbox that is hashed with the same kind.
    int len = snprintf(text, sizeof text, "case %u %.64s", attempt, verdict_id);
    uint64_t h = keyed_hash(key, KEYED_HASH_MAILBOX, span_of(text, (size_t)len)).value;
    char *at = out;
    for (unsigned i = 0; i < 2 * HALF; i++, h >>= 5) {
        if (i == HALF)
            *at++ = '-';
        *at++ = alphabet[h & 31];
    }
    *at = '\0';
}
