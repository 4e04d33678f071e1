// SOCKS dialogues and what they relay, on a port that says nothing.
#include "dialogue_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_dialogue(data, size, 4145, 6);
    return 0;
}
