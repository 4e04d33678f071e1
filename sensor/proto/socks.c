// See socks.h.
#include "proto/socks.h"

#include "ident.h"

struct record_socks *socks_result(struct proto_flow *f)
{
    return &proto_result_part(f, RECORD_HAS_SOCKS)->socks;
}

// Of tunnels inside one another, the outermost alone counts what is relayed: octets inside pass both.
static bool counts(const struct proto_flow *f, const struct socks_relay *r)
{
    return f->stack[0].state == r;
}

static void hash_first(struct proto_flow *f, struct socks_relay *r)
{
    if (r->hashed || r->first_len == 0)
        return;
    r->hashed = true;
    socks_result(f)->first_octets_hash =
        keyed_hash(f->context->key, 0, span_of(r->first, r->first_len)).value;
    explicit_bzero(r->first, sizeof r->first);
}

void socks_count(struct proto_flow *f, struct socks_relay *r, enum proto_side side,
                 struct span data)
{
    if (!counts(f, r))
        return;
    socks_result(f)->relayed_octets[side] += data.len;
    if (side != r->client || r->hashed)
        return;
    struct span part = span_cut(data, 0, (size_t)(SOCKS_FIRST_OCTETS - r->first_len));
    memcpy(r->first + r->first_len, part.data, part.len);
    r->first_len = (uint8_t)(r->first_len + part.len);
    if (r->first_len == SOCKS_FIRST_OCTETS)
        hash_first(f, r);
}

void socks_rest(struct proto_flow *f, struct socks_relay *r, enum proto_side side, struct span rest,
                int64_t t_us)
{
    if (!r->asked || !r->granted) {
        r->early[side] += rest.len;
        return;
    }
    r->relaying = true;
    uint8_t depth = f->depth;
    proto_switch(f, &ident_peek, side, (struct span){0}, t_us);
    bool pushed = f->depth > depth;
    for (int i = 0; i < 2; i++) {
        if (counts(f, r))
            socks_result(f)->relayed_octets[i] += r->early[i];
        if (pushed && r->early[i] > 0)
            ident_peek.gap(f, f->stack[depth].state, (enum proto_side)i, r->early[i], t_us);
    }
    if (rest.len > 0) {
        socks_count(f, r, side, rest);
        if (pushed)
            proto_pass(f, side, rest, t_us);
    }
}

void socks_passed(struct proto_flow *f, void *state, enum proto_side side, struct span data)
{
    socks_count(f, state, side, data);
}

void socks_inner(struct proto_flow *f, void *state, uint8_t app)
{
    (void)state;
    socks_result(f)->inner_app = app;
}

void socks_gap(struct proto_flow *f, void *state, enum proto_side side, uint64_t missing,
               int64_t t_us)
{
    (void)side;
    (void)missing;
    (void)t_us;
    struct socks_relay *r = state;
    if (r->relaying)
        return;
    r->dead = true;
    proto_result(f)->incomplete |= RECORD_PARSER_LOST;
}

void socks_close(struct proto_flow *f, void *state, enum proto_end end, int64_t t_us)
{
    (void)end;
    (void)t_us;
    hash_first(f, state);
}
