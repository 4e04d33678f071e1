// All families, in the order in which a scenario's parties are played.
#include "families/registry.h"

const struct family *const families[] = {
    &family_household,
    &family_bot_direct,
    NULL,
};
