// The one place that names every family.
#pragma once

#include "families/family.h"

extern const struct family family_household, family_bot_direct;
