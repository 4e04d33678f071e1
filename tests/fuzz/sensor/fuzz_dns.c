// DNS: over UDP when the input's first octet is odd, else over TCP.
#include "dialogue_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t udp = size > 0 && (data[0] & 1) ? 17 : 6;
    fuzz_dialogue(data, size, 53, udp);
    return 0;
}
