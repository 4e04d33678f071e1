// The IPFIX decoder: whatever comes, records it gives are possible, are the same when the octets
// come in pieces, and survive being written and read again.
#include <errno.h>
#include <stdlib.h>

#include "common/ipfix.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(struct ipfix_encoder *e, struct ipfix_decoder *d, const struct record *r)
{
    static struct record again;
    ipfix_encoder_reset(e);
    ipfix_decoder_reset(d);
    if (ipfix_encoder_put(e, r) != 0)
        abort();
    struct span m = ipfix_encoder_take(e);
    if (ipfix_decoder_feed(d, m) != m.len || !ipfix_decoder_next(d, &again) ||
        memcmp(&again, r, sizeof again) != 0)
        abort();
}

// Records in `in`, fed `piece` octets at a time; each is tried again when there is an encoder.
static size_t decode(struct span in, size_t piece, struct ipfix_encoder *e,
                     struct ipfix_decoder *d2)
{
    static struct record r;
    struct ipfix_decoder *d = ipfix_decoder_new();
    size_t at = 0, n = 0;
    if (!d)
        return 0;
    for (;;) {
        while (ipfix_decoder_next(d, &r)) {
            n++;
            if (record_check(&r))
                abort();
            if (e)
                round_trip(e, d2, &r);
        }
        if (at == in.len)
            break;
        size_t taken = ipfix_decoder_feed(d, span_cut(in, at, piece));
        if (taken == 0)
            abort();
        at += taken;
    }
    ipfix_decoder_end(d);
    if (ipfix_decoder_stats(d)->records != n || ipfix_decoder_stats(d)->octets != in.len)
        abort();
    ipfix_decoder_free(d);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ipfix_encoder *encoder;
    static struct ipfix_decoder *decoder;
    if (!encoder)
        encoder = ipfix_encoder_new(1, 4096);
    if (!decoder)
        decoder = ipfix_decoder_new();
    if (!encoder || !decoder)
        return 0;
    struct span in = span_of(data, size);
    size_t whole = decode(in, SIZE_MAX, encoder, decoder);
    size_t pieces = decode(in, 1 + size % 37, NULL, NULL);
    if (whole != pieces)
        abort();
    return 0;
}
