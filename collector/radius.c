// Attributes one after another through a bounded cursor; keyed sums by OpenSSL's MD5, which this protocol
// demands.
#include "radius.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "common/cursor.h"
#include "common/utf8.h"

#define CODE_REQUEST  4
#define CODE_RESPONSE 5
#define AUTHENTICATOR 4 // its offset
#define SUM           16

#define VENDOR_DSL_FORUM 3561
#define IPV6_PREFIX_MIN  16 // shorter is no line's; the least of site.subscriber_len_v6

enum attribute {
    USER_NAME = 1,
    NAS_IP_ADDRESS = 4,
    FRAMED_IP_ADDRESS = 8,
    CLASS = 25,
    VENDOR = 26,
    CALLING_STATION_ID = 31,
    NAS_IDENTIFIER = 32,
    PROXY_STATE = 33,
    ACCT_STATUS_TYPE = 40,
    ACCT_DELAY_TIME = 41,
    ACCT_SESSION_ID = 44,
    ACCT_SESSION_TIME = 46,
    EVENT_TIMESTAMP = 55,
    ACCT_INTERIM_INTERVAL = 85,
    NAS_PORT_ID = 87,
    NAS_IPV6_ADDRESS = 95,
    FRAMED_IPV6_PREFIX = 97,
    DELEGATED_IPV6_PREFIX = 123,
    FRAMED_IPV6_ADDRESS = 168,
};

// ---- Signing

static bool sum(uint8_t out[static SUM], const struct span *part, size_t parts)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md && EVP_DigestInit_ex(md, EVP_md5(), NULL) == 1;
    for (size_t i = 0; ok && i < parts; i++)
        ok = EVP_DigestUpdate(md, part[i].data, part[i].len) == 1;
    ok = ok && EVP_DigestFinal_ex(md, out, NULL) == 1;
    EVP_MD_CTX_free(md);
    return ok;
}

// Octets behind the length the packet tells are padding.
static struct span whole(struct span packet)
{
    size_t len = (size_t)packet.data[2] << 8 | packet.data[3];
    return span_cut(packet, 0, len < packet.len ? len : packet.len);
}

bool radius_is_signed(struct span packet, struct span secret)
{
    static const uint8_t zero[SUM];
    uint8_t made[SUM];
    packet = whole(packet);
    struct span part[] = {span_cut(packet, 0, AUTHENTICATOR), span_of(zero, SUM),
                          span_cut(packet, RADIUS_HEADER, packet.len), secret};
    return packet.len >= RADIUS_HEADER && secret.len > 0 && sum(made, part, 4) &&
           CRYPTO_memcmp(made, packet.data + AUTHENTICATOR, SUM) == 0;
}

size_t radius_answer(struct span packet, struct span secret, uint8_t out[static RADIUS_PACKET_MAX])
{
    packet = whole(packet);
    size_t len = RADIUS_HEADER;
    struct cursor c = cursor_of(span_cut(packet, RADIUS_HEADER, packet.len));
    while (cursor_left(&c) >= 2) {
        struct span rest = cursor_rest(&c);
        struct span attribute = cursor_take(&c, rest.data[1] < 2 ? 2 : rest.data[1]);
        if (c.failed || rest.data[0] != PROXY_STATE || len + attribute.len > RADIUS_PACKET_MAX)
            continue;
        memcpy(out + len, attribute.data, attribute.len);
        len += attribute.len;
    }
    out[0] = CODE_RESPONSE;
    out[1] = packet.data[1];
    out[2] = (uint8_t)(len >> 8);
    out[3] = (uint8_t)len;
    struct span part[] = {span_of(out, AUTHENTICATOR), span_cut(packet, AUTHENTICATOR, SUM),
                          span_of(out + RADIUS_HEADER, len - RADIUS_HEADER), secret};
    return sum(out + AUTHENTICATOR, part, 4) ? len : 0;
}

// ---- Attributes

static bool put_prefix(struct radius_accounting *a, const struct ip_addr *addr, uint8_t len)
{
    if (a->prefixes == RADIUS_PREFIXES_MAX) {
        a->prefixes_cut++;
        return true;
    }
    a->prefix[a->prefixes++] = prefix_of(addr, len);
    return true;
}

static struct ip_addr address(uint8_t family, struct span s)
{
    struct ip_addr addr = {.family = family};
    memcpy(addr.octet, s.data, s.len < sizeof addr.octet ? s.len : sizeof addr.octet);
    return addr;
}

// 0.0.0.0, ::, ::/0: what access routers write where a session has no address of the kind. Nobody's lease.
static bool is_unspecified(struct span v)
{
    for (size_t i = 0; i < v.len; i++)
        if (v.data[i] != 0)
            return false;
    return true;
}

static bool framed_ipv4(struct radius_accounting *a, struct span v)
{
    static const uint8_t user_chooses[] = {255, 255, 255, 255},
                         nas_chooses[] = {255, 255, 255, 254};
    if (v.len != 4)
        return false;
    if (memcmp(v.data, user_chooses, 4) == 0 || memcmp(v.data, nas_chooses, 4) == 0)
        return true; // RFC 2865: no address, but who is to choose it
    if (is_unspecified(v))
        return true;
    struct ip_addr addr = address(IP_V4, v);
    return put_prefix(a, &addr, 32);
}

// One octet reserved, the length, then as many octets as it needs.
static bool ipv6_prefix(struct radius_accounting *a, struct span v)
{
    if (v.len < 2 || v.len > 18 || v.data[1] > 128 || 8 * (v.len - 2) < v.data[1])
        return false;
    struct span octets = span_cut(v, 2, v.len);
    if (is_unspecified(octets))
        return true;
    if (v.data[1] < IPV6_PREFIX_MIN)
        return false;
    struct ip_addr addr = address(IP_V6, octets);
    return put_prefix(a, &addr, v.data[1]);
}

static bool ipv6_address(struct radius_accounting *a, struct span v)
{
    if (v.len != 16)
        return false;
    if (is_unspecified(v))
        return true;
    struct ip_addr addr = address(IP_V6, v);
    return put_prefix(a, &addr, 128);
}

static bool number(struct span v, uint32_t *out)
{
    struct cursor c = cursor_of(v);
    *out = cursor_u32(&c);
    return v.len == 4;
}

// RFC 4679: what the DSL access node says of the line.
static bool vendor(struct radius_accounting *a, struct span v)
{
    struct cursor c = cursor_of(v);
    if (cursor_u32(&c) != VENDOR_DSL_FORUM || c.failed)
        return v.len >= 4;
    while (cursor_left(&c) >= 2) {
        uint8_t type = cursor_u8(&c), len = cursor_u8(&c);
        struct span value = cursor_take(&c, len < 2 ? SIZE_MAX : (size_t)len - 2);
        if (c.failed)
            return false;
        if (type == 1)
            a->circuit_id = value;
        else if (type == 2)
            a->remote_id = value;
    }
    return true;
}

static bool attribute(struct radius_accounting *a, uint8_t type, struct span v)
{
    uint32_t n;
    switch (type) {
    case USER_NAME: a->user_name = v; break;
    case NAS_IP_ADDRESS:
        if (v.len != 4)
            return false;
        if (a->nas_addr.family == 0)
            a->nas_addr = address(IP_V4, v);
        break;
    case NAS_IPV6_ADDRESS:
        if (v.len != 16)
            return false;
        if (a->nas_addr.family == 0)
            a->nas_addr = address(IP_V6, v);
        break;
    case FRAMED_IP_ADDRESS: return framed_ipv4(a, v);
    case CLASS: a->class_ = v; break;
    case VENDOR: return vendor(a, v);
    case CALLING_STATION_ID: a->calling_station = v; break;
    case NAS_IDENTIFIER: a->nas_identifier = v; break;
    case ACCT_STATUS_TYPE: return number(v, &a->status);
    case ACCT_DELAY_TIME: return number(v, &a->delay_s);
    case ACCT_SESSION_ID: a->session_id = v; break;
    case ACCT_SESSION_TIME: return number(v, &a->session_s);
    case EVENT_TIMESTAMP:
        if (!number(v, &n))
            return false;
        a->event_s = n;
        break;
    case ACCT_INTERIM_INTERVAL: return number(v, &a->interim_s);
    case NAS_PORT_ID: a->nas_port_id = v; break;
    case FRAMED_IPV6_PREFIX:
    case DELEGATED_IPV6_PREFIX: return ipv6_prefix(a, v);
    case FRAMED_IPV6_ADDRESS: return ipv6_address(a, v);
    default: break;
    }
    return true;
}

enum radius_refusal radius_decode(struct span packet, struct radius_accounting *out)
{
    struct radius_accounting a = {0};
    struct cursor c = cursor_of(packet);
    uint8_t code = cursor_u8(&c);
    cursor_u8(&c);
    uint16_t len = cursor_u16(&c);
    if (c.failed || len < RADIUS_HEADER || len > packet.len || len > RADIUS_PACKET_MAX)
        return RADIUS_REFUSED_BROKEN;
    if (code != CODE_REQUEST)
        return RADIUS_REFUSED_CODE;
    bool fits = true;
    c = cursor_of(span_cut(packet, RADIUS_HEADER, (size_t)len - RADIUS_HEADER));
    while (cursor_left(&c) > 0) {
        uint8_t type = cursor_u8(&c), size = cursor_u8(&c);
        struct span v = cursor_take(&c, size < 2 ? SIZE_MAX : (size_t)size - 2);
        if (c.failed)
            return RADIUS_REFUSED_BROKEN;
        fits = attribute(&a, type, v) && fits;
    }
    if (!fits || a.status == 0)
        return RADIUS_REFUSED_VALUE;
    *out = a;
    return RADIUS_TAKEN;
}

// ---- Values as text

bool radius_text(struct span s, char *out, size_t size)
{
    while (s.len > 0 && s.data[s.len - 1] == 0) // some routers send the closing zero too
        s.len--;
    if (s.len == 0)
        return false;
    if (s.len < size && !memchr(s.data, 0, s.len)) {
        memcpy(out, s.data, s.len);
        out[s.len] = '\0';
        if (utf8_is_clean(out) && out[0] != ' ' && out[s.len - 1] != ' ')
            return true;
    }
    if (2 * s.len + 2 >= size)
        return false;
    snprintf(out, size, "0x");
    for (size_t i = 0; i < s.len; i++)
        snprintf(out + 2 + 2 * i, 3, "%02x", s.data[i]);
    return true;
}

bool radius_mac(struct span s, uint8_t out[static 6])
{
    uint8_t mac[6] = {0};
    size_t digits = 0;
    for (size_t i = 0; i < s.len; i++) {
        char ch = (char)s.data[i];
        if (ch == ':' || ch == '-' || ch == '.')
            continue;
        if (!isxdigit((unsigned char)ch) || digits == 12)
            return false;
        unsigned v = (unsigned)(ch <= '9' ? ch - '0' : (ch | 0x20) - 'a' + 10);
        mac[digits / 2] = (uint8_t)((unsigned)mac[digits / 2] << 4 | v);
        digits++;
    }
    if (digits != 12)
        return false;
    memcpy(out, mac, sizeof mac);
    return true;
}
