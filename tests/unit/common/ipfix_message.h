// IPFIX messages written by hand, octet by octet, for what our own encoder never says.
#pragma once

#include "common/buf.h"

struct ipfix_message {
    struct buf buf;
    size_t set_at;
};

static inline void message_begin(struct ipfix_message *m, uint32_t sequence, uint32_t domain)
{
    buf_clear(&m->buf);
    buf_be(&m->buf, 10, 2);
    buf_be(&m->buf, 0, 2);
    buf_be(&m->buf, 1795327200, 4); // export time
    buf_be(&m->buf, sequence, 4);
    buf_be(&m->buf, domain, 4);
}

static inline void message_set(struct ipfix_message *m, unsigned id)
{
    m->set_at = m->buf.len;
    buf_be(&m->buf, id, 2);
    buf_be(&m->buf, 0, 2);
}

static inline void message_set_end(struct ipfix_message *m)
{
    buf_patch_be(&m->buf, m->set_at + 2, m->buf.len - m->set_at, 2);
}

// An IANA element, or one of enterprise `pen`.
static inline void message_field(struct ipfix_message *m, uint32_t pen, unsigned id, unsigned len)
{
    buf_be(&m->buf, id | (pen ? 0x8000u : 0), 2);
    buf_be(&m->buf, len, 2);
    if (pen)
        buf_be(&m->buf, pen, 4);
}

static inline struct span message_end(struct ipfix_message *m)
{
    buf_patch_be(&m->buf, 2, m->buf.len, 2);
    return buf_span(&m->buf);
}
