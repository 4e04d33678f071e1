// The truth file: a JSON object a line. The first says what the capture is, the others who is what
// since when, innocents too. docs/generator.md lists the fields.
#pragma once

#include <stdio.h>

#include "scenario.h"

// Each returns 0 or -EIO.
int truth_head(FILE *out, const struct scenario *s, const struct run *run);
int truth_party(FILE *out, const struct party *p);
