// One journal entry as a JSON object.
#pragma once

#include "common/json.h"
#include "common/minute.h"

json_t *dump_entry(const struct journal_entry *e); // a new reference; NULL: out of memory
