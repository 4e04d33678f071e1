// Which sensors see a key: learnt from its rows, noted beside its file, so that the silence of a sensor
// is not taken for silence of the subscribers behind it.
#pragma once

#include "series/write_key.h"

// The sensors of a row.
uint64_t sight_of_row(struct watched *w, const struct minute_row *r);

// Who decides about the gap that ends with minute `m`; NULL: about one that lasts. Negative errno.
int sight_before(struct key_writer *kw, struct series_key *k, const struct series_minute *m,
                 uint64_t *out);
// The minute was written: notes who saw it when that is news.
int sight_note(struct key_writer *kw, struct series_key *k, const struct series_minute *m);
