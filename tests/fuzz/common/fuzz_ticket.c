// Lines of the ticket feed: whatever is accepted is written again and read back to the same octets.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/ticket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ticket_change v, again;
    char error[160];
    json_t *j = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    if (!j)
        return 0;
    if (ticket_change_from_json(j, &v, error) == 0) {
        json_t *first = ticket_change_to_json(&v);
        char *text = first ? json_canonical(first) : NULL;
        if (!text || ticket_change_from_json(first, &again, error) != 0)
            abort();
        json_t *second = ticket_change_to_json(&again);
        char *repeat = second ? json_canonical(second) : NULL;
        if (!repeat || strcmp(text, repeat) != 0)
            abort();
        free(text);
        free(repeat);
        json_decref(first);
        json_decref(second);
    } else if (error[0] == '\0') {
        abort(); // refused without a word
    }
    json_decref(j);
    return 0;
}
