// The octets of a journal, shared by its writer and its reader: segment header, block header, the
// entries within a block, and the sealing of a block (zstd, BLAKE2b, encryption by day key).
// docs/formats/journal.md describes them. All integers are big-endian.
#pragma once

#include "common/journal.h"

#define JOURNAL_VERSION         3 // of blocks; versions 1 and 2 are still read
#define JOURNAL_SEGMENT_VERSION 4 // of segments; those before are read, and not chained

// Segment files are named YYYYMMDD.NNNNNN.pj.
#define JOURNAL_NAME_MAX 32

#define JOURNAL_SEGMENT_HEADER     64
#define JOURNAL_SEGMENT_HEADER_OLD 40 // before version 4
#define JOURNAL_BLOCK_HEADER_MAX   96

// A block holds at most this before compression; a reader refuses to unpack more.
#define JOURNAL_RAW_MAX (256u << 20)

// How a block's entries are packed: zstd, alone or with the dictionary of rows of version 1 (both are read only), or
// with that of version 2 and the rows' hashes as they are behind it: a frame of its own, or a piece of the
// frame of its chain.
enum journal_compression {
    JOURNAL_ZSTD = 1,
    JOURNAL_ZSTD_DICTIONARY = 2,
    JOURNAL_ZSTD_HASHES = 3,
    JOURNAL_ZSTD_PIECE = 4
};

// A chain of blocks ends behind so many octets of entries and hashes, or when its marks span so long: what one
// damaged block may take with it, and what is read again to read one.
#define JOURNAL_CHAIN_OCTETS 65536
#define JOURNAL_CHAIN_MS     (5 * 60000)

#define JOURNAL_DICTIONARY_SIZE 4096
extern const uint8_t journal_dictionary[JOURNAL_DICTIONARY_SIZE];   // of JOURNAL_ZSTD_DICTIONARY
extern const uint8_t journal_dictionary_2[JOURNAL_DICTIONARY_SIZE]; // of JOURNAL_ZSTD_HASHES

enum journal_cipher { JOURNAL_PLAIN = 0, JOURNAL_XCHACHA20POLY1305 = 1 };

// What a segment is known by to the one behind it.
struct journal_link {
    uint32_t day, number; // day 0: none
    uint64_t octets;
    uint64_t digest; // journal_digest_segment
};

struct journal_segment {
    uint16_t version;
    uint32_t day;    // YYYYMMDD
    uint32_t number; // from 1
    uint8_t cipher;  // enum journal_cipher
    uint64_t key_id; // first 8 octets of BLAKE2b of the day key; 0: plain
    uint64_t sum;    // of the header; filled in by journal_segment_get
    struct journal_link before;
};

struct journal_block {
    uint8_t version; // of the header; what is written is the last
    uint8_t header;  // its octets
    uint8_t cipher;
    uint8_t compression; // enum journal_compression; journal_seal makes the last two
    uint32_t back;       // octets from the beginning of its chain to this block; 0: it begins one
    uint32_t stored;     // octets that follow the header
    uint32_t raw;        // of them unpacked: entries, and behind them
    uint32_t hashes;     // so many octets of hashes
    int64_t mark_ms;
    int64_t minute_min, minute_max; // of the rows; min > max: no rows
    uint32_t rows, coverages, sites;
    uint64_t payload_sum; // journal_block_sum of the stored octets
};

const char *journal_segment_name(uint32_t day, uint32_t number, char out[static JOURNAL_NAME_MAX]);
int journal_segment_parse(const char *name, uint32_t *day, uint32_t *number); // -EINVAL
uint32_t journal_day(int64_t t_ms);                                           // UTC, as YYYYMMDD

void journal_segment_put(const struct journal_segment *s,
                         uint8_t out[static JOURNAL_SEGMENT_HEADER]);
size_t journal_segment_header(const struct journal_segment *s); // its octets
// -EINVAL: no journal, or damaged; -EAGAIN: not whole yet; -EPROTONOSUPPORT: another version.
int journal_segment_get(struct span s, struct journal_segment *out);
// The same of a file of `size` octets.
int journal_segment_read(int fd, uint64_t size, struct journal_segment *out);

// The header's octets; how many.
size_t journal_block_put(const struct journal_block *b,
                         uint8_t out[static JOURNAL_BLOCK_HEADER_MAX]);
// From octets that begin with a header, of any version. -EINVAL.
int journal_block_get(struct span s, struct journal_block *out);
// The octets of a header that are bound to its ciphertext: all but the checksums.
size_t journal_block_bound(const struct journal_block *b);
uint64_t journal_block_sum(const struct journal_block *b, struct span stored);
// Does a block begin at `at` that lies within `size`? Its header's octets too.
bool journal_block_at(int fd, uint64_t at, uint64_t size, struct journal_block *out,
                      uint8_t header[static JOURNAL_BLOCK_HEADER_MAX]);

bool journal_read_at(int fd, void *out, size_t len, uint64_t offset); // all of it, or false
// The first valid block header from `from` on whose block lies within `size`: how to go on behind damage.
// UINT64_MAX: none.
uint64_t journal_find_block(int fd, uint64_t from, uint64_t size);

// The first segment at or behind *day.*number. 1: they are it; 0: none; negative errno.
int journal_segment_find(int dir, uint32_t *day, uint32_t *number);

// The newest segment older than `before` (day << 32 | number), in the same form. 1; 0: none; negative errno.
int journal_segment_before(int dir, uint64_t before, uint64_t *out);

// Beside the segments, so that a folder without any can be told from a journal that is still empty.
#define JOURNAL_TAG "FORMAT"
int journal_tag_write(int dir); // does nothing when it is there

// ---- Damage: places that could not be used

enum journal_fault {
    JOURNAL_FAULT_SEGMENT,
    JOURNAL_FAULT_VERSION,
    JOURNAL_FAULT_NO_KEY,
    JOURNAL_FAULT_OTHER_KEY,
    JOURNAL_FAULT_HEADER,
    JOURNAL_FAULT_BLOCK,
    JOURNAL_FAULT_CHAIN,
    JOURNAL_FAULT_ENTRY,
    JOURNAL_FAULT_TORN,
    JOURNAL_FAULT_FULL,
    JOURNAL_FAULT_WRITE,
    JOURNAL_FAULT_EMPTY,
    JOURNAL_FAULT_NAME,
    JOURNAL_FAULT_COPY,
    JOURNAL_FAULT_MISSING,
    JOURNAL_FAULT_CUT,
    JOURNAL_FAULT_LONGER,
    JOURNAL_FAULT_CHANGED,
    JOURNAL_FAULT_ORDER,
    JOURNAL_FAULT_UNBEGUN,
    JOURNAL_FAULT_KEY_LOST,
    JOURNAL_FAULT_GONE,
    JOURNAL_FAULT_FOLDER,
};

#define JOURNAL_DAMAGE_KEPT 16

struct journal_place {
    uint8_t fault;
    uint32_t day, segment;
    uint64_t offset;
};

struct journal_damage { // zeroed: none
    struct journal_place place[JOURNAL_DAMAGE_KEPT];
    size_t first, count;
    uint64_t more;
};

void journal_damage_add(struct journal_damage *d, enum journal_fault fault, uint32_t day,
                        uint32_t segment, uint64_t offset);
bool journal_damage_take(struct journal_damage *d, char out[static JOURNAL_DAMAGE_TEXT_MAX]);

// ---- Segments in their chain (journal_link.c): each says which it was written behind, and what that was then

// A segment's digest: of its header, and with each block of that and the block's header.
uint64_t journal_digest_begin(const struct journal_segment *s); // NULL: its header cannot be read
uint64_t journal_digest(uint64_t before, struct span block_header);
// The same of a whole file. 0 when its header cannot be read.
uint64_t journal_digest_segment(int fd, uint64_t size);

// What stands before a segment, as a reader passed it.
struct journal_passed {
    struct journal_link link; // day 0: none
    bool digest_known;        // all of it was read, and no damage met
};

// Is what a segment says of itself and of the one before it so, in the folder as it is? `day`, `number`: of its name.
// Faults and the segments they are of go to `d`; how many. *use is false when it is a copy of another.
unsigned journal_link_check(int dir, uint32_t day, uint32_t number, const struct journal_segment *s,
                            const struct journal_passed *passed, struct journal_damage *d,
                            bool *use);

// The first segment that retention has kept; those before went on purpose.
#define JOURNAL_FIRST "FIRST"
int journal_first_write(int dir, uint32_t day, uint32_t number, bool sync);
int journal_first_make(int dir); // does nothing when it is there
bool journal_is_retired(int dir, uint32_t day, uint32_t number);
// Behind the name of a segment that somebody took out on purpose: not read, and not missed.
#define JOURNAL_OUT ".out"

// What was written last: behind each synced block, and at the end of a job. It says no more than there is.
#define JOURNAL_LAST "LAST"
int journal_last_write(int dir, const struct journal_link *l);
bool journal_last_read(int dir, struct journal_link *out); // false: none, or not whole
// Behind the newest segment's last whole block, at `whole` (`fd` -1: there is no segment from day.number on): was there more?
// How many faults, as journal_link_check.
unsigned journal_end_check(int dir, uint32_t day, uint32_t number, int fd, uint64_t whole,
                           struct journal_damage *d);

// ---- Entries of a block: kind, length, body

struct journal_row {  // one to be written
    struct span body; // as minute_row_put made it
    int64_t ahead;    // so far its hashes stand behind the end of those of the row before
    int64_t minute, cut_ms;
};
void journal_entry_row(const struct journal_row *r, int64_t mark_ms, struct buf *out);
void journal_entry_coverage(const struct coverage_minute *m, struct buf *out);
void journal_entry_site(const struct minute_site *s, struct buf *out);

void journal_entry_position(const struct journal_position *p, struct buf *out);
// The position that a block's entries begin with. False: they do not.
bool journal_entry_get_position(struct cursor c, struct journal_position *out);

// The rows of a block before it is committed.
struct journal_rows;
struct journal_rows *journal_rows_new(void); // NULL: out of memory
void journal_rows_free(struct journal_rows *w);
void journal_rows_clear(struct journal_rows *w);
// The rows are written; what follows may refer to their hashes.
void journal_rows_go_on(struct journal_rows *w);
// -EMSGSIZE: together they would be more than `octets_max`; -ENOMEM. The row is not taken then.
int journal_rows_put(struct journal_rows *w, const struct minute_row *r, size_t octets_max);
size_t journal_rows_octets(const struct journal_rows *w); // of entries and hashes, at most
// Those of the rows, or with `whole` those of the chain's blocks before too, so that they can be read without these.
struct span journal_rows_hashes(const struct journal_rows *w, bool whole);
// Appends their entries, by key, minute, and order of putting. -ENOMEM.
int journal_rows_gather(struct journal_rows *w, int64_t mark_ms, bool whole, struct buf *out);

struct journal_entries { // of a block, being read
    struct cursor left;
    uint8_t version;    // of the rows
    struct span hashes; // of the chain up to here
    size_t hashes_at;   // values used up by the rows read
    int64_t mark_ms;    // of the block: times of rows are told from it
};

// `raw`, `hashes` as journal_unseal made them.
struct journal_entries journal_entries_of(const struct journal_block *b, struct span raw,
                                          struct span hashes);

// Reads the next entry into `e`, whose row the caller finishes. 1; 0: end, or only entries of kinds not
// known here; -EINVAL: broken; -ENOMEM.
int journal_entry_get(struct journal_entries *from, struct journal_entry *e);

// ---- Sealing

#define JOURNAL_KEY_SIZE 32

struct journal_key {
    uint32_t day; // 0: none
    uint64_t id;
    uint8_t octet[JOURNAL_KEY_SIZE];
};

uint64_t journal_sum(struct span s); // the first 64 bits of BLAKE2b-128

// The key of a day from `key_dir`/YYYYMMDD.key (32 octets as 64 hex digits and a newline). With
// `create` a missing one is made. -ENOENT: none (shredded); -EPERM: others may read it; -EINVAL.
int journal_key_load(const char *key_dir, uint32_t day, bool create, struct journal_key *out);

bool journal_key_exists(const char *key_dir, uint32_t day);

struct journal_sealer; // compression and encryption contexts, reused

struct journal_sealer *journal_sealer_new(void); // NULL: out of memory
void journal_sealer_free(struct journal_sealer *s);

// Makes a whole block of entries and hashes, header included, into `out` (cleared first). `b` says minutes, counts,
// mark and `back`; the rest is filled in. What goes on in a chain has to follow what was sealed last; after an
// error, or when that was not written, a new chain begins. `key` NULL: plain. -ENOMEM, -EMSGSIZE.
int journal_seal(struct journal_sealer *s, struct journal_block *b, struct span entries,
                 struct span hashes, const struct journal_key *key, struct buf *out);

// The other way: `stored` behind a checked header. `raw` becomes the entries; to `hashes`, those of the chain, the
// block's are appended. What goes on in a chain has to follow what was unsealed last. -EINVAL: damaged; -ENOKEY.
int journal_unseal(struct journal_sealer *s, const struct journal_block *b, struct span header,
                   struct span stored, const struct journal_key *key, struct buf *raw,
                   struct buf *hashes);

// ---- Blocks of a segment in chains: to read one, those before it in its chain are read (journal_chain.c)

struct journal_chain;

struct journal_chain *journal_chain_new(void); // NULL: out of memory
void journal_chain_free(struct journal_chain *c);
void journal_chain_forget(struct journal_chain *c); // another segment follows
// Reads the block whose header stands at `at`; `*out` is borrowed until the next call. -EINVAL: damaged; -ESTALE:
// behind damage in its chain; -ENOKEY; -EIO; -ENOMEM.
int journal_chain_load(struct journal_chain *c, int fd, uint64_t at, uint64_t size,
                       const struct journal_key *key, struct journal_entries *out);
