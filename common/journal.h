// What is wrong with a journal, in words: for every program that reads or appends to one. The calls that
// read and write are in common/minute.h, the octets in docs/formats/journal.md.
//
// A file job that reads a damaged journal says each place and ends with EX_DATAERR; a folder that is no
// journal is EX_NOINPUT. A day whose key was deleted on purpose is no damage (`journal_stats.shredded`).
#pragma once

#include "common/minute.h"

#define JOURNAL_DAMAGE_TEXT_MAX 224

// The next place that was passed over since the last call, as "20261122.000001.pj, octet 4096: ...", for a
// message "FOLDER/TEXT". False: no more now. The first places are kept in full, of the rest the number.
bool journal_reader_damage(struct journal_reader *r, char out[static JOURNAL_DAMAGE_TEXT_MAX]);

// The same for a writer: what it found in the segment it goes on with, a tail that it cut, and why a commit
// failed. Known after journal_writer_open and after each commit.
bool journal_writer_damage(struct journal_writer *w, char out[static JOURNAL_DAMAGE_TEXT_MAX]);

// Is there a journal to read? 0; -ENOENT: no such folder; -ENODATA: a folder, but no journal; another
// negative errno. journal_check_text names the fix.
int journal_check(const char *dir);
const char *journal_check_text(int rc);

// Removes whole days before `day_from` (YYYYMMDD), and the oldest days while the journal has more than `octets_max`
// octets (0: no bound). A day's key is deleted, and that synced, before its segments. The segment that is
// written stays; of its day the oldest segments go alone. Readers go on with what is left. Negative errno;
// `*removed` segments went all the same.
int journal_retain(const char *dir, const char *key_dir, uint32_t day_from, uint64_t octets_max,
                   uint64_t *removed);
