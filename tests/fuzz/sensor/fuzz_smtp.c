// SMTP dialogues on port 25.
#include "dialogue_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_dialogue(data, size, 25, 6);
    return 0;
}
