// What there is to put into a scenario.
#pragma once

#include <stdio.h>

// Families with their keys, types, defaults and help.
void list_families(FILE *out);
