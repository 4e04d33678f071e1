// The section `site:` of postern.yaml as the operator of the scenario's ISP would write it: its ranges,
// its servers, the lines it sold as mail servers, the hosting networks it knows. Nothing about who is
// infected.
#pragma once

#include "roster.h"

// 0, or a sysexits code after a line on `errors`.
int site_config_write(const char *path, const struct scenario *s, const struct roster *r,
                      FILE *errors);
