// Is a dialogue SOCKS? On any port, so the rules are strict: what both sides say has to be whole and
// consistent. TDS, DCE-RPC, OpenFlow and others begin with the same octets. With one side only, the
// request as a whole has to be there.
#include "proto/socks.h"

static bool is_name_octet(uint8_t o)
{
    return o > ' ' && o < 0x7f;
}

// Length of a NUL-terminated printable text at `at`, NUL included; 0: its end is not here yet;
// -1: no such text.
static int text_at(struct span s, size_t at, bool may_be_empty)
{
    size_t n = 0;
    while (at + n < s.len && n <= SOCKS_NAME_MAX) {
        uint8_t o = s.data[at + n];
        if (o == 0)
            return n > 0 || may_be_empty ? (int)n + 1 : -1;
        if (o < ' ' || o == 0x7f)
            return -1;
        n++;
    }
    return n > SOCKS_NAME_MAX ? -1 : 0;
}

// Length of a SOCKS4 or 4a request at the beginning of `c`; 0: not whole yet; -1: none.
static int request4(struct span c)
{
    static const uint8_t version = 4;
    if (c.len > 0 && c.data[0] != version)
        return -1;
    if (c.len > 1 && c.data[1] != RECORD_SOCKS_CONNECT && c.data[1] != RECORD_SOCKS_BIND)
        return -1;
    if (c.len < 9)
        return 0;
    bool port = c.data[2] != 0 || c.data[3] != 0;
    bool named = c.data[4] == 0 && c.data[5] == 0 && c.data[6] == 0 && c.data[7] != 0;
    // "This network" is no place to go to, but for the name's mark 0.0.0.x; nor is port 0, but whom BIND
    // awaits may come from any.
    if (c.data[1] == RECORD_SOCKS_CONNECT && (!port || (c.data[4] == 0 && !named)))
        return -1;
    int user = text_at(c, 8, true);
    if (user <= 0 || !named)
        return user <= 0 ? user : 8 + user;
    int name = text_at(c, 8 + (size_t)user, false);
    return name <= 0 ? name : 8 + user + name;
}

enum proto_match socks4_match(const struct proto_peek *p)
{
    struct span c = p->first[PROTO_INITIATOR], s = p->first[PROTO_RESPONDER];
    if (p->ip_proto != 6 || p->midstream)
        return PROTO_NO;
    int len = request4(c);
    if (len < 0)
        return PROTO_NO;
    if (s.len == 0) {
        // One side only: nothing else may follow but what the target is told.
        if (len > 0 && p->final)
            return PROTO_YES;
        return PROTO_MAYBE;
    }
    // The reply's version is 0; some servers give their own.
    if (len == 0 || (s.data[0] != 0 && s.data[0] != 4) ||
        (s.len > 1 && (s.data[1] < 0x5a || s.data[1] > 0x5d)))
        return PROTO_NO;
    return s.len > 1 ? PROTO_YES : PROTO_MAYBE;
}

// ---- SOCKS5.

// Length of a greeting; 0: not whole yet; -1: none. IANA has assigned methods 0 to 9; 0x80 and above
// are private.
static int greeting5(struct span c)
{
    if (c.len > 0 && c.data[0] != 5)
        return -1;
    if (c.len < 2)
        return 0;
    size_t n = c.data[1];
    if (n == 0 || n > 16)
        return -1;
    for (size_t i = 0; i < n && 2 + i < c.len; i++) {
        uint8_t m = c.data[2 + i];
        if (m > 9 && m < 0x80)
            return -1;
        for (size_t k = 0; k < i; k++)
            if (c.data[2 + k] == m)
                return -1;
    }
    return c.len < 2 + n ? 0 : (int)(2 + n);
}

// Is `s` the server's answer to this greeting? It chooses one of the methods, or none.
static enum proto_match method5(struct span greeting, struct span s)
{
    if (s.len == 0)
        return PROTO_MAYBE;
    if (s.data[0] != 5)
        return PROTO_NO;
    if (s.len < 2)
        return PROTO_MAYBE;
    uint8_t m = s.data[1];
    return m == 0xff || memchr(greeting.data + 2, m, greeting.len - 2) ? PROTO_YES : PROTO_NO;
}

// Length of the username and password message (RFC 1929) at the beginning of `c`, as above.
static int login5(struct span c)
{
    if (c.len > 0 && c.data[0] != 1)
        return -1;
    if (c.len < 2 || c.len < 3 + (size_t)c.data[1])
        return 0;
    size_t user = c.data[1], pass = c.data[2 + user];
    return c.len < 3 + user + pass ? 0 : (int)(3 + user + pass);
}

// Is this a whole request?
static enum proto_match request5(struct span c)
{
    if (c.len < 4)
        return PROTO_MAYBE;
    if (c.data[0] != 5 || c.data[1] < RECORD_SOCKS_CONNECT || c.data[1] > RECORD_SOCKS_UDP ||
        c.data[2] != 0)
        return PROTO_NO;
    switch (c.data[3]) {
    case 1: return c.len < 10 ? PROTO_MAYBE : PROTO_YES;
    case 4: return c.len < 22 ? PROTO_MAYBE : PROTO_YES;
    case 3: break;
    default: return PROTO_NO;
    }
    if (c.len < 5 || c.len < 7 + (size_t)c.data[4])
        return PROTO_MAYBE;
    for (size_t i = 0; i < c.data[4]; i++)
        if (!is_name_octet(c.data[5 + i]))
            return PROTO_NO;
    return c.data[4] > 0 ? PROTO_YES : PROTO_NO;
}

// The client alone: behind the greeting a login and a request, or the request at once.
static enum proto_match client_alone5(struct span c, size_t greeting)
{
    struct span rest = span_cut(c, greeting, c.len);
    if (rest.len > 0 && rest.data[0] == 1) {
        int login = login5(rest);
        if (login <= 0)
            return login == 0 ? PROTO_MAYBE : PROTO_NO;
        rest = span_cut(rest, (size_t)login, rest.len);
    }
    return rest.len == 0 ? PROTO_MAYBE : request5(rest);
}

// `c` greets and `s` answers.
static enum proto_match dialogue5(struct span c, struct span s)
{
    int len = greeting5(c);
    if (len < 0)
        return PROTO_NO;
    if (len == 0)
        return s.len == 0 ? PROTO_MAYBE : PROTO_NO;
    if (s.len == 0)
        return client_alone5(c, (size_t)len);
    return method5(span_cut(c, 0, (size_t)len), s);
}

enum proto_match socks5_match(const struct proto_peek *p)
{
    if (p->ip_proto != 6 || p->midstream)
        return PROTO_NO;
    return dialogue5(p->first[PROTO_INITIATOR], p->first[PROTO_RESPONDER]);
}

// Backconnect: who initiated is the server, and waits for the greeting. The responder alone proves
// nothing.
enum proto_match socks5_match_reverse(const struct proto_peek *p)
{
    struct span c = p->first[PROTO_INITIATOR], s = p->first[PROTO_RESPONDER];
    if (p->ip_proto != 6 || p->midstream || !p->responder_spoke_first)
        return PROTO_NO;
    enum proto_match m = dialogue5(s, c);
    return m == PROTO_YES && c.len == 0 ? PROTO_MAYBE : m;
}
