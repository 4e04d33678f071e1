// POP3 and IMAP, by the input's first octet.
#include "dialogue_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint16_t port = size > 0 && (data[0] & 4) ? 143 : 110;
    fuzz_dialogue(data, size, port, 6);
    return 0;
}
