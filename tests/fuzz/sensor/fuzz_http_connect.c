// Tunnels by HTTP CONNECT, asked for once and again, and what they relay, on a port that says nothing.
#include "dialogue_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_dialogue(data, size, 3128, 6);
    return 0;
}
