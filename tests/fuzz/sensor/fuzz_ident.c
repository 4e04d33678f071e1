// Identification on an ordinary port, nDPI included.
#include "dialogue_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_dialogue(data, size, 8081, 6);
    return 0;
}
