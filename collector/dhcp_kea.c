// Lines gather in a bounded buffer; one that does not fit is passed over to its end and counted.
#include "dhcp_kea.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/json.h"

#define LINE_OCTETS 16384
#define COLUMNS_MAX 32
#define FOREVER     UINT32_MAX

enum column {
    ADDRESS,
    HWADDR,
    CLIENT_ID,
    DUID,
    VALID_LIFETIME,
    EXPIRE,
    LEASE_TYPE,
    PREFIX_LEN,
    STATE,
    USER_CONTEXT,
    COLUMNS_N,
};

static const char *const names[COLUMNS_N] = {
    [ADDRESS] = "address",       [HWADDR] = "hwaddr",
    [CLIENT_ID] = "client_id",   [DUID] = "duid",
    [EXPIRE] = "expire",         [VALID_LIFETIME] = "valid_lifetime",
    [LEASE_TYPE] = "lease_type", [PREFIX_LEN] = "prefix_len",
    [STATE] = "state",           [USER_CONTEXT] = "user_context",
};

enum { TYPE_NA = 0, TYPE_PD = 2 };
enum { STATE_ASSIGNED = 0, STATE_DECLINED = 1, STATE_EXPIRED = 2 };

struct dhcp_kea {
    dhcp_lease_fn fn;
    void *ctx;
    char line[LINE_OCTETS];
    size_t len;
    bool too_long, has_header;
    int column[COLUMNS_N]; // -1: not there
    uint64_t broken;
};

struct dhcp_kea *dhcp_kea_new(dhcp_lease_fn fn, void *ctx)
{
    struct dhcp_kea *k = calloc(1, sizeof *k);
    if (k) {
        k->fn = fn;
        k->ctx = ctx;
    }
    return k;
}

void dhcp_kea_free(struct dhcp_kea *k)
{
    free(k);
}

void dhcp_kea_begin(struct dhcp_kea *k)
{
    k->len = 0;
    k->too_long = k->has_header = false;
}

uint64_t dhcp_kea_broken(const struct dhcp_kea *k)
{
    return k->broken;
}

// ---- Values

static size_t cut_line(char *line, char *cell[static COLUMNS_MAX])
{
    size_t n = 0;
    for (char *at = line; at && n < COLUMNS_MAX;)
        cell[n++] = strsep(&at, ",");
    return n;
}

static bool number(const char *text, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;
    size_t n = strspn(text, "0123456789");
    if (n == 0 || n > 18 || text[n])
        return false;
    for (; *text; text++)
        v = v * 10 + (uint64_t)(*text - '0');
    *out = v;
    return v <= max;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10 : -1;
}

// Pairs of digits, with or without colons and a leading 0x.
static bool hex(const char *text, struct dhcp_id *out)
{
    out->len = 0;
    if (text[0] == '0' && text[1] == 'x')
        text += 2;
    while (*text) {
        if (*text == ':') {
            text++;
            continue;
        }
        int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);
        if (low < 0 || out->len == DHCP_ID_MAX)
            return false;
        out->octet[out->len++] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    return true;
}

static void unescape(char *text)
{
    char *to = text;
    for (const char *at = text; *at; to++) {
        int high, low;
        if (strncmp(at, "&#x", 3) == 0 && (high = hex_digit(at[3])) >= 0 &&
            (low = hex_digit(at[4])) >= 0) {
            *to = (char)(high << 4 | low);
            at += 5;
        } else {
            *to = *at++;
        }
    }
    *to = '\0';
}

// ---- The relay's words

static void set_id(struct dhcp_id *id, const uint8_t *octets, size_t len)
{
    if (id->len == 0 && len > 0 && len <= DHCP_ID_MAX) {
        memcpy(id->octet, octets, len);
        id->len = (uint16_t)len;
    }
}

// Option 82: code, length, value.
static void relay_options4(const char *text, struct dhcp_lease *d)
{
    struct dhcp_id all;
    if (!text || !hex(text, &all))
        return;
    for (size_t at = 0; at + 2 <= all.len;) {
        size_t len = all.octet[at + 1];
        if (at + 2 + len > all.len)
            return;
        if (all.octet[at] == 1)
            set_id(&d->circuit_id, all.octet + at + 2, len);
        else if (all.octet[at] == 2)
            set_id(&d->remote_id, all.octet + at + 2, len);
        at += 2 + len;
    }
}

// DHCPv6: two octets code, two octets length. 37 begins with an enterprise number.
static void relay_options6(const char *text, struct dhcp_lease *d)
{
    struct dhcp_id all;
    if (!text || !hex(text, &all))
        return;
    for (size_t at = 0; at + 4 <= all.len;) {
        size_t code = (size_t)all.octet[at] << 8 | all.octet[at + 1];
        size_t len = (size_t)all.octet[at + 2] << 8 | all.octet[at + 3];
        const uint8_t *value = all.octet + at + 4;
        if (at + 4 + len > all.len)
            return;
        if (code == 18)
            set_id(&d->circuit_id, value, len);
        else if (code == 37 && len > 4)
            set_id(&d->remote_id, value + 4, len - 4);
        at += 4 + len;
    }
}

static void set_hex(json_t *o, const char *name, struct dhcp_id *id)
{
    const char *text = json_string_value(json_object_get(o, name));
    struct dhcp_id v;
    if (text && hex(text, &v))
        set_id(id, v.octet, v.len);
}

static void user_context(char *text, struct dhcp_lease *d)
{
    unescape(text);
    json_t *all = text[0] == '{' ? json_loads(text, 0, NULL) : NULL;
    json_t *isc = json_object_get(all, "ISC");
    json_t *four = json_object_get(isc, "relay-agent-info");
    if (json_is_string(four)) { // before Kea 2.4
        relay_options4(json_string_value(four), d);
    } else if (four) {
        relay_options4(json_string_value(json_object_get(four, "sub-options")), d);
        set_hex(four, "remote-id", &d->remote_id);
    }
    json_t *relays = json_object_get(isc, "relay-info");
    if (!relays)
        relays = json_object_get(isc, "relays");
    // The relay nearest to the client knows the line: the one with the fewest hops behind it.
    for (json_int_t hop = 0; hop < 32 && d->remote_id.len == 0; hop++)
        for (size_t i = 0; i < json_array_size(relays) && i < 32; i++) {
            json_t *relay = json_array_get(relays, i);
            if (json_integer_value(json_object_get(relay, "hop")) == hop)
                relay_options6(json_string_value(json_object_get(relay, "options")), d);
        }
    json_decref(all);
}

// ---- Lines

static const char *value(const struct dhcp_kea *k, char **cell, size_t count, enum column c)
{
    int at = k->column[c];
    return at >= 0 && (size_t)at < count ? cell[at] : "";
}

static bool read_header(struct dhcp_kea *k, char **cell, size_t count)
{
    for (int c = 0; c < COLUMNS_N; c++) {
        k->column[c] = -1;
        for (size_t i = 0; i < count; i++)
            if (strcmp(cell[i], names[c]) == 0)
                k->column[c] = (int)i;
    }
    return k->column[ADDRESS] >= 0 && k->column[EXPIRE] >= 0 && k->column[VALID_LIFETIME] >= 0;
}

static bool read_prefix(const struct dhcp_kea *k, char **cell, size_t n, struct dhcp_lease *d)
{
    struct ip_addr addr;
    uint64_t type = TYPE_NA, len = 128;
    if (ip_parse(value(k, cell, n, ADDRESS), &addr) != 0)
        return false;
    if (addr.family == IP_V4) {
        d->prefix = prefix_of(&addr, 32);
        return true;
    }
    if (!number(value(k, cell, n, LEASE_TYPE), TYPE_PD, &type) ||
        (type == TYPE_PD && !number(value(k, cell, n, PREFIX_LEN), 128, &len)))
        return false;
    d->prefix = prefix_of(&addr, type == TYPE_PD ? (uint8_t)len : 128);
    return true;
}

static bool read_times(const struct dhcp_kea *k, char **cell, size_t n, struct dhcp_lease *d)
{
    uint64_t expire, lifetime, state = STATE_ASSIGNED;
    const char *state_text = value(k, cell, n, STATE);
    if (!number(value(k, cell, n, EXPIRE), (uint64_t)1 << 40, &expire) ||
        !number(value(k, cell, n, VALID_LIFETIME), UINT32_MAX, &lifetime) ||
        (state_text[0] && !number(state_text, 255, &state)) || lifetime > expire)
        return false;
    d->seen_ms = 1000 * (int64_t)(expire - lifetime);
    d->end_ms = lifetime == FOREVER ? 0 : 1000 * (int64_t)expire;
    d->dropped = lifetime == 0; // how Kea takes a lease out of an appended file
    d->ended = !d->dropped && state != STATE_ASSIGNED;
    return state != STATE_DECLINED; // an address in conflict is nobody's
}

static int take_line(struct dhcp_kea *k)
{
    char *cell[COLUMNS_MAX];
    struct dhcp_lease d = {.seen_ms = 0};
    struct dhcp_id mac;
    k->line[k->len] = '\0';
    size_t n = cut_line(k->line, cell);
    if (!k->has_header) {
        k->has_header = read_header(k, cell, n);
        k->broken += !k->has_header;
        return 0;
    }
    if (!read_prefix(k, cell, n, &d)) {
        k->broken++;
        return 0;
    }
    if (!read_times(k, cell, n, &d)) {
        k->broken += strcmp(value(k, cell, n, STATE), "1") != 0;
        return 0;
    }
    d.has_mac = hex(value(k, cell, n, HWADDR), &mac) && mac.len == 6;
    if (d.has_mac)
        memcpy(d.mac, mac.octet, 6);
    if (!hex(value(k, cell, n, DUID), &d.client_id) || d.client_id.len == 0)
        hex(value(k, cell, n, CLIENT_ID), &d.client_id);
    if (!d.has_mac && d.prefix.addr.family == IP_V6)
        d.has_mac = dhcp_duid_mac(&d.client_id, d.mac);
    int at = k->column[USER_CONTEXT];
    if (at >= 0 && (size_t)at < n)
        user_context(cell[at], &d);
    return k->fn(&d, k->ctx);
}

static int end_line(struct dhcp_kea *k)
{
    int rc = 0;
    if (k->len > 0 && k->line[k->len - 1] == '\r')
        k->len--;
    if (k->too_long)
        k->broken++;
    else if (k->len > 0)
        rc = take_line(k);
    k->len = 0;
    k->too_long = false;
    return rc;
}

int dhcp_kea_feed(struct dhcp_kea *k, struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '\n') {
            int rc = end_line(k);
            if (rc < 0)
                return rc;
        } else if (k->len < LINE_OCTETS - 1) {
            k->line[k->len++] = s.data[i] ? (char)s.data[i] : ' ';
        } else {
            k->too_long = true;
        }
    }
    return 0;
}
