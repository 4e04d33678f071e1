// What is wrong with a journal, in words: for every program that reads or appends to one. The calls that
// read and write are in common/minute.h, the octets in docs/formats/journal.md.
//
// A file job that reads a damaged journal says each place and ends with EX_DATAERR; a folder that is no
// journal is EX_NOINPUT. A day whose key was deleted on purpose is no damage (`journal_stats.shredded`).
#pragma once

#include "common/minute.h"

#define JOURNAL_DAMAGE_TEXT_MAX 288

// The next place that was passed over since the last call, as "20261122.000001.pj, octet 4096: ...", for a
// message "FOLDER/TEXT". False: no more now. The first places are kept in full, of the rest the number.
bool journal_reader_damage(struct journal_reader *r, char out[static JOURNAL_DAMAGE_TEXT_MAX]);

// The same for a writer: what it found in the segment it goes on with, a tail that it cut, and why a commit
// failed. Known after journal_writer_open and after each commit.
bool journal_writer_damage(struct journal_writer *w, char out[static JOURNAL_DAMAGE_TEXT_MAX]);

// Is what the writer has open still where its name leads: the folder, the segment, the day's key? If not it is said
// (journal_writer_damage), and the next commit begins a segment where the journal is now. A commit of a synced journal
// looks too, before and behind, and succeeds only with what is there. Negative errno: the folder is gone, and cannot
// be made or written.
int journal_writer_look(struct journal_writer *w);
// So often segments or the folder were gone, and so often a key whose day has segments.
void journal_writer_lost(const struct journal_writer *w, uint64_t *gone, uint64_t *keys);

// May day keys be read and made there? 0 or a negative errno; journal_writer_open fails with -ENOKEY when not.
int journal_keys_check(const char *key_dir);

// Calls `fn` for each day with encrypted segments whose key is not in `key_dir`, or another. Negative errno.
int journal_unreadable(const char *dir, const char *key_dir,
                       void (*fn)(uint32_t day, uint64_t segments, void *ctx), void *ctx);

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
