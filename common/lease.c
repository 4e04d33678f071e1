// Leases as CSV: one table of columns, errors that name the column and the fix.
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/identity.h"
#include "common/timefmt.h"
#include "common/utf8.h"

#define COLUMNS    16
#define NEEDED     15 // the source came later
#define CELL_MAX   256
#define PORT_LAST  65535
#define INTERIM_MS INT64_C(1800000) // practice: 30 minutes

// How a column is read: false with what is wrong, and the fix, in `why`.
typedef bool (*column_fn)(const char *cell, struct lease *l, size_t offset, const char **why);

static bool fail(const char **why, const char *text)
{
    *why = text;
    return false;
}

static bool read_realm(const char *cell, struct lease *l, size_t offset, const char **why)
{
    (void)offset;
    return realm_parse(cell, &l->key.realm) == 0 ||
           fail(why, "is no realm; lower-case letters, digits and :./-#, at most 47");
}

static bool read_prefix(const char *cell, struct lease *l, size_t offset, const char **why)
{
    (void)offset;
    return prefix_parse(cell, &l->key.prefix) == 0 ||
           fail(why, "is no address or prefix; write 192.0.2.7 or 2001:db8:1::/56, host bits zero");
}

static bool read_digits(const char *cell, int64_t max, int64_t *out)
{
    int64_t v = 0;
    for (const char *p = cell; *p; p++) {
        if (!isdigit((unsigned char)*p) || v > max / 10)
            return false;
        v = v * 10 + (*p - '0');
    }
    *out = v;
    return *cell && v <= max;
}

static bool read_port(const char *cell, struct lease *l, size_t offset, const char **why)
{
    int64_t v = offset == offsetof(struct lease, key.port_first) ? 0 : PORT_LAST;
    if (*cell && !read_digits(cell, PORT_LAST, &v))
        return fail(why, "is no port; write 0 to 65535, or nothing for the whole address");
    uint16_t port = (uint16_t)v;
    memcpy((char *)l + offset, &port, sizeof port);
    return l->key.port_first <= l->key.port_last ||
           offset == offsetof(struct lease, key.port_first) ||
           fail(why, "is below port_first; exchange the two");
}

static bool read_party(const char *cell, struct lease *l, size_t offset, const char **why)
{
    (void)offset;
    char text[PARTY_TEXT_MAX + CELL_MAX];
    snprintf(text, sizeof text, "%s%s", strchr(cell, ':') ? "" : "line:", cell);
    if (party_parse(text, &l->party) != 0 || l->party.kind == PARTY_PROVISIONAL)
        return fail(why, "is no party; write line:ACCOUNT or mailbox:KEYID:HASH");
    return true;
}

static bool read_time(const char *cell, struct lease *l, size_t offset, const char **why)
{
    int64_t t = 0;
    bool start = offset == offsetof(struct lease, start_ms);
    if (*cell == 0 && start)
        return fail(why, "is missing; write a time such as 2026-11-22T05:52:00Z");
    if (*cell && time_parse(cell, &t) != 0)
        return fail(why, "is no time; write it as 2026-11-22T05:52:00Z");
    if (*cell == 0 && offset == offsetof(struct lease, last_seen_ms))
        t = l->start_ms;
    if (*cell && t < l->start_ms && !start)
        return fail(why, "lies before the start");
    memcpy((char *)l + offset, &t, sizeof t);
    return true;
}

static bool read_interim(const char *cell, struct lease *l, size_t offset, const char **why)
{
    (void)offset;
    int64_t s = INTERIM_MS / 1000;
    if (*cell && (!read_digits(cell, 31536000, &s) || s == 0))
        return fail(why, "is no interval; write seconds, 1 to 31536000, or nothing for 1800");
    l->interim_ms = s * 1000;
    return true;
}

// Six pairs of hex digits joined by ':' or '-'.
static bool read_mac(const char *cell, struct lease *l, size_t offset, const char **why)
{
    (void)offset;
    if (*cell == 0)
        return true;
    const char *wrong = "is no MAC address; write 02:00:5e:10:00:01";
    if (strlen(cell) != 17)
        return fail(why, wrong);
    for (size_t i = 0; i < 17; i++) {
        if (i % 3 == 2 ? cell[i] != cell[2] || !strchr(":-", cell[i])
                       : !isxdigit((unsigned char)cell[i]))
            return fail(why, wrong);
    }
    for (size_t i = 0; i < 6; i++)
        l->mac[i] = (uint8_t)strtoul(cell + 3 * i, NULL, 16);
    return true;
}

static bool read_name(const char *cell, struct lease *l, size_t offset, const char **why)
{
    if (strlen(cell) >= LEASE_NAME_MAX)
        return fail(why, "is too long; at most 63 octets");
    if (!utf8_is_clean(cell))
        return fail(why, "is no text; write UTF-8 without control characters");
    memcpy((char *)l + offset, cell, strlen(cell));
    return true;
}

static const char *const sources[] = {
    [LEASE_CSV] = "csv",
    [LEASE_RADIUS] = "radius",
    [LEASE_DHCP_KEA] = "kea",
    [LEASE_DHCP_ISC] = "isc",
    [LEASE_CGNAT_TABLE] = "cgnat-table",
    [LEASE_CGNAT_FORMULA] = "cgnat-formula",
    [LEASE_PREFIX_MAP] = "prefix-map",
};

const char *lease_source_name(uint8_t source)
{
    return source < sizeof sources / sizeof *sources ? sources[source] : NULL;
}

static bool read_source(const char *cell, struct lease *l, size_t offset, const char **why)
{
    (void)offset;
    if (!*cell)
        return true;
    for (uint8_t i = LEASE_CSV; i < sizeof sources / sizeof *sources; i++)
        if (strcmp(sources[i], cell) == 0) {
            l->source = i;
            return true;
        }
    return fail(why, "is no source; write csv, radius, kea, isc or nothing");
}

static const struct column {
    const char *name;
    column_fn read;
    size_t offset;
} columns[COLUMNS] = {
    {"realm", read_realm, 0},
    {"prefix", read_prefix, 0},
    {"port_first", read_port, offsetof(struct lease, key.port_first)},
    {"port_last", read_port, offsetof(struct lease, key.port_last)},
    {"party", read_party, 0},
    {"start", read_time, offsetof(struct lease, start_ms)},
    {"end", read_time, offsetof(struct lease, end_ms)},
    {"last_seen", read_time, offsetof(struct lease, last_seen_ms)},
    {"interim_s", read_interim, 0},
    {"mac", read_mac, 0},
    {"nas", read_name, offsetof(struct lease, nas)},
    {"session", read_name, offsetof(struct lease, session_id)},
    {"user", read_name, offsetof(struct lease, user_name)},
    {"pop", read_name, offsetof(struct lease, pop)},
    {"class", read_name, offsetof(struct lease, network_class)},
    {"source", read_source, 0},
};

// The next cell (RFC 4180). Returns what follows its comma, NULL behind the last one; `*why` is set
// when it is broken.
static const char *next_cell(const char *at, char cell[static CELL_MAX], const char **why)
{
    size_t n = 0;
    bool quoted = *at == '"', closed = !quoted;
    if (quoted)
        at++;
    for (;; at++) {
        if (quoted && *at == '"') {
            if (at[1] != '"') {
                at++;
                closed = true;
                break;
            }
            at++; // two quotes stand for one
        } else if (quoted ? *at == 0 : *at == ',' || *at == 0 || *at == '\r' || *at == '\n') {
            break;
        } else if (!quoted && *at == '"') {
            *why = "has a quote inside; quote the whole field and double the quote";
            return NULL;
        }
        if (n == CELL_MAX - 1) {
            *why = "is too long; at most 255 octets";
            return NULL;
        }
        cell[n++] = *at;
    }
    cell[n] = 0;
    if (!closed) {
        *why = "has no closing quote; end it with \"";
        return NULL;
    }
    if (*at == ',')
        return at + 1;
    at += strspn(at, "\r\n");
    if (*at)
        *why = "goes on behind its closing quote; put a comma there";
    return NULL;
}

// "column 6 (start): 'yesterday' is no time; write ..."
static int report(char error[static 160], size_t column, const char *cell, const char *why)
{
    char shown[25];
    size_t n = 0;
    for (; n < sizeof shown - 1 && cell[n]; n++) // what is shown stays one line of ASCII
        shown[n] = cell[n] >= 0x20 && cell[n] < 0x7f ? cell[n] : '?';
    shown[n] = 0;
    snprintf(error, 160, "column %zu (%s): '%s%s' %s", column + 1, columns[column].name, shown,
             cell[n] ? "..." : "", why);
    return -EINVAL;
}

int lease_parse_csv(const char *line, struct lease *out, char error[static 160])
{
    struct lease l = {.key.kind = SUBSCRIBER_ADDRESS, .source = LEASE_CSV};
    const char *at = line;
    for (size_t i = 0; i < COLUMNS; i++) {
        char cell[CELL_MAX] = "";
        const char *why = NULL;
        if (!at && i >= NEEDED)
            break;
        if (!at) {
            snprintf(error, 160, "column %zu (%s) is missing; a line has %d columns", i + 1,
                     columns[i].name, NEEDED);
            return -EINVAL;
        }
        at = next_cell(at, cell, &why);
        if (why || !columns[i].read(cell, &l, columns[i].offset, &why))
            return report(error, i, cell, why);
    }
    if (at) {
        snprintf(error, 160, "more than %d columns; quote a field that has a comma in it", COLUMNS);
        return -EINVAL;
    }
    if (l.end_ms && l.last_seen_ms > l.end_ms)
        return report(error, 7, "", "lies behind the end");
    *out = l;
    return 0;
}

static void write_cell(FILE *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fprintf(out, ",%s", text);
        return;
    }
    fputs(",\"", out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void write_time(FILE *out, int64_t t_ms)
{
    char text[TIME_TEXT_MAX];
    fprintf(out, ",%s", time_format(t_ms, text));
}

int lease_write_csv(FILE *out, const struct lease *l)
{
    static const uint8_t no_mac[6];
    char prefix[PREFIX_TEXT_MAX], party[PARTY_TEXT_MAX];
    fprintf(out, "%.47s,%s", l->key.realm.name, prefix_format(&l->key.prefix, prefix));
    if (l->key.port_first == 0 && l->key.port_last == PORT_LAST)
        fputs(",,", out);
    else
        fprintf(out, ",%u,%u", l->key.port_first, l->key.port_last);
    write_cell(out, party_format(&l->party, party));
    write_time(out, l->start_ms);
    if (l->end_ms)
        write_time(out, l->end_ms);
    else
        fputc(',', out);
    write_time(out, l->last_seen_ms);
    fprintf(out, ",%lld,", (long long)(l->interim_ms / 1000));
    if (memcmp(l->mac, no_mac, sizeof no_mac) != 0)
        fprintf(out, "%02x:%02x:%02x:%02x:%02x:%02x", l->mac[0], l->mac[1], l->mac[2], l->mac[3],
                l->mac[4], l->mac[5]);
    write_cell(out, l->nas);
    write_cell(out, l->session_id);
    write_cell(out, l->user_name);
    write_cell(out, l->pop);
    write_cell(out, l->network_class);
    const char *source = lease_source_name(l->source);
    if (source && l->source != LEASE_CSV)
        fprintf(out, ",%s", source);
    fputc('\n', out);
    return ferror(out) ? -EIO : 0;
}
