// Sealing a journal block: zstd over the entries and the hashes as they are, then encryption with the day's key when
// there is one, then a checksum over what is stored. The only file that includes zstd's header.
#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <zstd.h>

#include "common/journal_format.h"

// Of a minute of thousands of rows level 3 makes no less than level 1, and takes longer; such a block is a frame of its
// own. The small ones of early slices are packed as well as they can be: those of a chain are one frame, flushed
// behind each, and what they have in common stands there once.
#define LEVEL        1
#define LEVEL_PIECE  12
#define PIECE_OCTETS JOURNAL_CHAIN_OCTETS
#define PIECE_WINDOW 17 // log of octets: a chain, and its last piece

// Every zstd frame begins with these octets: from version 2 on they are left out.
static const uint8_t frame_magic[4] = {0x28, 0xb5, 0x2f, 0xfd};

#define NONCE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define SALT \
    8 // random octets that the nonce is made of; versions before have the whole nonce stored
#define TAG crypto_aead_xchacha20poly1305_ietf_ABYTES

_Static_assert(JOURNAL_KEY_SIZE == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key size");

enum piece_state {
    PIECES_NONE,
    PIECES_NEW,
    PIECES_BEGUN
}; // of a frame: none that can go on; without an octet

struct journal_sealer {
    ZSTD_CCtx *pack, *pack_pieces;
    ZSTD_DCtx *unpack, *unpack_pieces;
    ZSTD_CDict *pack_with, *pack_pieces_with;
    ZSTD_DDict *unpack_with[JOURNAL_ZSTD_PIECE + 1]; // by enum journal_compression
    enum piece_state packed, unpacked;
    struct buf frame;   // as zstd wants it
    struct buf between; // compressed octets before encryption, or after decryption
};

uint64_t journal_sum(struct span s)
{
    // libsodium's smallest digest is 16 octets.
    uint8_t digest[crypto_generichash_BYTES_MIN];
    crypto_generichash(digest, sizeof digest, s.data, s.len, NULL, 0);
    struct cursor c = cursor_of(span_of(digest, sizeof digest));
    return cursor_u64(&c);
}

// The header of the block says the size, and its number of the compression the dictionary.
static bool set_up_packer(ZSTD_CCtx *c, const ZSTD_CDict *with)
{
    return c && with && !ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_dictIDFlag, 0)) &&
           !ZSTD_isError(ZSTD_CCtx_refCDict(c, with));
}

static bool set_up(struct journal_sealer *s)
{
    const ZSTD_DDict *rows = s->unpack_with[JOURNAL_ZSTD_HASHES];
    return set_up_packer(s->pack, s->pack_with) &&
           set_up_packer(s->pack_pieces, s->pack_pieces_with) && s->unpack && s->unpack_pieces &&
           s->unpack_with[JOURNAL_ZSTD_DICTIONARY] && rows &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(s->pack_pieces, ZSTD_c_windowLog, PIECE_WINDOW)) &&
           !ZSTD_isError(
               ZSTD_DCtx_setParameter(s->unpack_pieces, ZSTD_d_windowLogMax, PIECE_WINDOW)) &&
           !ZSTD_isError(ZSTD_DCtx_refDDict(s->unpack_pieces, rows));
}

struct journal_sealer *journal_sealer_new(void)
{
    struct journal_sealer *s = calloc(1, sizeof *s);
    if (!s || sodium_init() < 0) {
        free(s);
        return NULL;
    }
    s->pack = ZSTD_createCCtx();
    s->pack_pieces = ZSTD_createCCtx();
    s->unpack = ZSTD_createDCtx();
    s->unpack_pieces = ZSTD_createDCtx();
    buf_init(&s->frame, ZSTD_compressBound(JOURNAL_RAW_MAX));
    buf_init(&s->between, ZSTD_compressBound(JOURNAL_RAW_MAX));
    s->pack_with = ZSTD_createCDict(journal_dictionary_2, JOURNAL_DICTIONARY_SIZE, LEVEL);
    s->pack_pieces_with = ZSTD_createCDict(journal_dictionary_2, JOURNAL_DICTIONARY_SIZE,
                                           LEVEL_PIECE);
    s->unpack_with[JOURNAL_ZSTD_DICTIONARY] = ZSTD_createDDict(journal_dictionary,
                                                               JOURNAL_DICTIONARY_SIZE);
    s->unpack_with[JOURNAL_ZSTD_HASHES] = ZSTD_createDDict(journal_dictionary_2,
                                                           JOURNAL_DICTIONARY_SIZE);
    if (!set_up(s)) {
        journal_sealer_free(s);
        return NULL;
    }
    return s;
}

void journal_sealer_free(struct journal_sealer *s)
{
    if (!s)
        return;
    ZSTD_freeCCtx(s->pack);
    ZSTD_freeCCtx(s->pack_pieces);
    ZSTD_freeDCtx(s->unpack);
    ZSTD_freeDCtx(s->unpack_pieces);
    ZSTD_freeCDict(s->pack_with);
    ZSTD_freeCDict(s->pack_pieces_with);
    ZSTD_freeDDict(s->unpack_with[JOURNAL_ZSTD_DICTIONARY]);
    ZSTD_freeDDict(s->unpack_with[JOURNAL_ZSTD_HASHES]);
    buf_fini(&s->frame);
    buf_fini(&s->between);
    free(s);
}

// Makes room for `len` octets whose content is written by somebody else.
static uint8_t *room(struct buf *b, size_t len)
{
    if (len > b->max - b->len)
        return NULL;
    if (b->cap - b->len < len) {
        uint8_t *data = realloc(b->data, b->len + len);
        if (!data)
            return NULL;
        b->data = data;
        b->cap = b->len + len;
    }
    return b->data + b->len;
}

static size_t drop_magic(uint8_t *frame, size_t len)
{
    assert(len > sizeof frame_magic && memcmp(frame, frame_magic, sizeof frame_magic) == 0);
    len -= sizeof frame_magic;
    memmove(frame, frame + sizeof frame_magic, len);
    return len;
}

// The next piece of the chain's frame into `at`, which has room for all of it: its length, or a negative errno. No entries
// are no octets.
static ssize_t pack_piece(struct journal_sealer *s, bool begins, struct span entries, uint8_t *at,
                          size_t size)
{
    if (begins) {
        ZSTD_CCtx_reset(s->pack_pieces, ZSTD_reset_session_only);
        s->packed = PIECES_NEW;
    }
    assert(s->packed != PIECES_NONE);
    if (entries.len == 0)
        return 0;
    ZSTD_inBuffer in = {entries.data, entries.len, 0};
    ZSTD_outBuffer out = {at, size, 0};
    size_t left = ZSTD_compressStream2(s->pack_pieces, &out, &in, ZSTD_e_flush);
    if (ZSTD_isError(left) || left > 0) {
        s->packed = PIECES_NONE;
        return -ENOMEM;
    }
    bool first = s->packed == PIECES_NEW;
    s->packed = PIECES_BEGUN;
    return (ssize_t)(first ? drop_magic(at, out.pos) : out.pos);
}

static ssize_t pack_frame(struct journal_sealer *s, struct span entries, uint8_t *at, size_t size)
{
    size_t len = ZSTD_compress2(s->pack, at, size, entries.data, entries.len);
    return ZSTD_isError(len) ? -ENOMEM : (ssize_t)drop_magic(at, len);
}

// Entries packed, and the hashes behind them.
static int pack(struct journal_sealer *s, const struct journal_block *b, struct span entries,
                struct span hashes, struct buf *out)
{
    // A frame's and a block's head more: of a piece less than the bound may be left by those before it.
    size_t bound = ZSTD_compressBound(entries.len) + 64;
    uint8_t *at = room(out, bound + hashes.len);
    if (!at)
        return -ENOMEM;
    ssize_t packed = b->compression == JOURNAL_ZSTD_PIECE
                         ? pack_piece(s, b->back == 0, entries, at, bound)
                         : pack_frame(s, entries, at, bound);
    if (packed < 0)
        return (int)packed;
    size_t len = (size_t)packed;
    if (hashes.len > 0)
        memcpy(at + len, hashes.data, hashes.len);
    out->len += len + hashes.len;
    return 0;
}

// Two blocks of a day have the same nonce only when header and 64 random bits are the same, also when a block that
// failed is written again in its place.
static void nonce_of(const uint8_t salt[static SALT], struct span bound, uint8_t out[static NONCE])
{
    crypto_generichash_state s;
    crypto_generichash_init(&s, NULL, 0, NONCE);
    crypto_generichash_update(&s, salt, SALT);
    crypto_generichash_update(&s, bound.data, bound.len);
    crypto_generichash_final(&s, out, NONCE);
}

static int encrypt(struct journal_block *b, struct span plain, const struct journal_key *key,
                   struct buf *out)
{
    b->cipher = JOURNAL_XCHACHA20POLY1305;
    b->stored = (uint32_t)(SALT + plain.len + TAG);
    uint8_t nonce[NONCE], header[JOURNAL_BLOCK_HEADER_MAX];
    b->header = (uint8_t)journal_block_put(b, header);
    uint8_t *at = room(out, b->stored);
    if (!at)
        return -ENOMEM;
    randombytes_buf(at, SALT);
    nonce_of(at, span_of(header, journal_block_bound(b)), nonce);
    crypto_aead_xchacha20poly1305_ietf_encrypt(at + SALT, NULL, plain.data, plain.len, header,
                                               journal_block_bound(b), NULL, nonce, key->octet);
    out->len += b->stored;
    return 0;
}

int journal_seal(struct journal_sealer *s, struct journal_block *b, struct span entries,
                 struct span hashes, const struct journal_key *key, struct buf *out)
{
    if (entries.len > JOURNAL_RAW_MAX || hashes.len > JOURNAL_RAW_MAX - entries.len)
        return -EMSGSIZE;
    // Room for the longest header; what is stored moves up to the one it gets.
    uint8_t header[JOURNAL_BLOCK_HEADER_MAX] = {0};
    buf_clear(out);
    buf_bytes(out, header, sizeof header);
    struct buf *packed = key ? &s->between : out;
    if (key)
        buf_clear(packed);
    size_t from = packed->len;
    b->compression = entries.len <= PIECE_OCTETS ? JOURNAL_ZSTD_PIECE : JOURNAL_ZSTD_HASHES;
    int rc = pack(s, b, entries, hashes, packed);
    if (rc < 0)
        return rc;
    b->version = JOURNAL_VERSION;
    b->raw = (uint32_t)(entries.len + hashes.len);
    b->hashes = (uint32_t)hashes.len;
    b->cipher = JOURNAL_PLAIN;
    b->stored = (uint32_t)(packed->len - from);
    if (key && (rc = encrypt(b, buf_span(packed), key, out)) < 0)
        return rc;
    b->payload_sum = journal_block_sum(b, span_of(out->data + sizeof header, b->stored));
    b->header = (uint8_t)journal_block_put(b, header);
    memcpy(out->data, header, b->header);
    memmove(out->data + b->header, out->data + sizeof header, b->stored);
    out->len = (size_t)b->header + b->stored;
    return 0;
}

static int decrypt(struct journal_sealer *s, const struct journal_block *b, struct span header,
                   struct span stored, const struct journal_key *key, struct span *plain)
{
    if (!key)
        return -ENOKEY;
    size_t front = b->version > 2 ? SALT : NONCE;
    uint8_t nonce[NONCE];
    if (stored.len < front + TAG)
        return -EINVAL;
    size_t len = stored.len - front - TAG;
    if (front == SALT)
        nonce_of(stored.data, span_cut(header, 0, journal_block_bound(b)), nonce);
    else
        memcpy(nonce, stored.data, NONCE);
    buf_clear(&s->between);
    uint8_t *at = room(&s->between, len > 0 ? len : 1);
    if (!at)
        return -ENOMEM;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(at, NULL, NULL, stored.data + front,
                                                   stored.len - front, header.data,
                                                   journal_block_bound(b), nonce, key->octet) != 0)
        return -EINVAL;
    *plain = span_of(at, len);
    return 0;
}

static int add_magic(struct journal_sealer *s, struct span *frame)
{
    buf_clear(&s->frame);
    buf_bytes(&s->frame, frame_magic, sizeof frame_magic);
    buf_bytes(&s->frame, frame->data, frame->len);
    *frame = buf_span(&s->frame);
    return s->frame.failed ? -ENOMEM : 0;
}

static int unpack_piece(struct journal_sealer *s, bool begins, struct span piece, uint8_t *at,
                        size_t len)
{
    if (begins) {
        ZSTD_DCtx_reset(s->unpack_pieces, ZSTD_reset_session_only);
        s->unpacked = PIECES_NEW;
    }
    if (s->unpacked == PIECES_NONE)
        return -EINVAL;
    if (len == 0)
        return piece.len == 0 ? 0 : -EINVAL;
    if (s->unpacked == PIECES_NEW && add_magic(s, &piece) < 0)
        return -ENOMEM;
    s->unpacked = PIECES_NONE;
    ZSTD_inBuffer in = {piece.data, piece.len, 0};
    ZSTD_outBuffer out = {at, len + 1, 0}; // one more, to see that there is no more
    while (in.pos < in.size && out.pos < out.size) {
        size_t before = in.pos + out.pos;
        // A frame that ends has no next piece.
        size_t left = ZSTD_decompressStream(s->unpack_pieces, &out, &in);
        if (ZSTD_isError(left) || left == 0 || in.pos + out.pos == before)
            return -EINVAL;
    }
    if (in.pos < in.size || out.pos != len)
        return -EINVAL;
    s->unpacked = PIECES_BEGUN;
    return 0;
}

// Exactly `len` octets, or -EINVAL. There is room for one more.
static int unpack(struct journal_sealer *s, const struct journal_block *b, struct span frame,
                  uint8_t *out, size_t len)
{
    if (b->compression == JOURNAL_ZSTD_PIECE)
        return unpack_piece(s, b->back == 0, frame, out, len);
    if (b->version > 1 && add_magic(s, &frame) < 0)
        return -ENOMEM;
    size_t got = ZSTD_decompress_usingDDict(s->unpack, out, len, frame.data, frame.len,
                                            s->unpack_with[b->compression]);
    return ZSTD_isError(got) || got != len ? -EINVAL : 0;
}

int journal_unseal(struct journal_sealer *s, const struct journal_block *b, struct span header,
                   struct span stored, const struct journal_key *key, struct buf *raw,
                   struct buf *hashes)
{
    if (stored.len != b->stored || header.len != b->header ||
        journal_block_sum(b, stored) != b->payload_sum)
        return -EINVAL;
    struct span packed = stored;
    if (b->cipher == JOURNAL_XCHACHA20POLY1305) {
        int rc = decrypt(s, b, header, stored, key, &packed);
        if (rc < 0)
            return rc;
    }
    if (b->hashes > packed.len || b->hashes > b->raw)
        return -EINVAL;
    size_t entries = b->raw - b->hashes;
    buf_clear(raw);
    uint8_t *at = room(raw, entries + 1);
    if (!at)
        return -ENOMEM;
    struct span frame = span_cut(packed, 0, packed.len - b->hashes);
    int rc = unpack(s, b, frame, at, entries);
    if (rc < 0)
        return rc;
    raw->len = entries;
    struct span own = span_cut(packed, frame.len, packed.len);
    at = own.len > 0 ? room(hashes, own.len) : NULL;
    if (own.len > 0 && !at)
        return -ENOMEM;
    if (at)
        memcpy(at, own.data, own.len);
    hashes->len += own.len;
    return 0;
}
