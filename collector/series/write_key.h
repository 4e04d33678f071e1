// Writing one key: its file, the gap before a minute, the minute, its lease, amendments; and for a
// series of everybody together every minute, with what the forecast says of it.
#pragma once

#include "series/files.h"
#include "series/keys.h"
#include "series/watched.h"
#include "series/writer.h"

struct key_writer {
    const char *rrd_dir; // borrowed
    struct series_files *files;
    struct watched *watched;
    struct distinct_budget *budget; // borrowed
    struct series_stats *stats;     // borrowed
    uint32_t creations, creations_max;
    uint32_t together;
    int64_t before_minute; // of the round
    bool repeating;
    uint32_t errors_in_a_row;
    // Under way to rrdcached: what to do with a key when the batch has been taken, or has not.
    struct uncommitted {
        struct series_key *key;
        int64_t last_s; // before
        uint32_t minutes;
    } * uncommitted;
    size_t uncommitted_count, uncommitted_cap;
};

int key_writer_init(struct key_writer *kw, const struct series_options *o,
                    struct distinct_budget *budget, struct series_stats *stats,
                    char error[static RRDFILE_ERROR_MAX]);
void key_writer_fini(struct key_writer *kw);

// Whose the row's key is: noted in the minute when it is another than so far. -ENOMEM.
int key_writer_lease(struct series_key *k, struct series_minute *m, const struct minute_row *r);

// Writes what is due before `before_minute`. true: the key stays in the queue.
bool key_writer_write(struct key_writer *kw, struct series_key *k);
// Forgets minutes that the file has already: they were given again.
void key_writer_drop_repeated(struct key_writer *kw, struct series_key *k);
// Waits for rrdcached; keys whose batch was not taken keep their minutes.
void key_writer_commit(struct key_writer *kw);

void key_writer_error(struct key_writer *kw, const char *text);
