// The working directory of a test: made before it and entered, removed behind it with all that is in it.
#pragma once

#include <unistd.h>

#include "scratch.h"

#define FOLDER_TEST(test) cmocka_unit_test_setup_teardown(test, folder_enter, folder_leave)

static char folder[SCRATCH_MAX];

static inline int folder_enter(void **state)
{
    (void)state;
    return scratch_make(folder) == 0 && chdir(folder) == 0 ? 0 : -1;
}

static inline int folder_leave(void **state)
{
    (void)state;
    return chdir("/") == 0 ? scratch_remove(folder) : -1;
}
