// A small strict CSV reader: no quotes, no blanks, every field checked where it stands.
#include "flow_facts.h"

#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>

enum column {
    START,
    PEER,
    PORT,
    SRC_PORT,
    PACKETS_OUT,
    OCTETS_OUT,
    PACKETS_IN,
    OCTETS_IN,
    DURATION,
    COLUMNS
};
static const char *const column_names[COLUMNS] = {"start_s",    "peer",        "port",
                                                  "src_port",   "packets_out", "octets_out",
                                                  "packets_in", "octets_in",   "duration_s"};
enum { LINE_LIMIT = 1024, ROWS_MAX = 20000000 };

struct reader {
    const char *path;
    FILE *errors;
    size_t line;
    enum column order[COLUMNS]; // of the fields
};

// A field of the current line; `column` counts from one, in octets.
struct field {
    const char *text;
    size_t len, column;
};

static int wrong(const struct reader *r, const struct field *f, const char *what)
{
    int shown = f->len < 40 ? (int)f->len : 40;
    fprintf(r->errors, "%s:%zu:%zu: \"%.*s\" %s\n", r->path, r->line, f->column, shown, f->text,
            what);
    return EX_DATAERR;
}

// Splits at commas. Returns how many fields there were, COLUMNS + 1 at most.
static size_t split(const char *line, size_t len, struct field out[static COLUMNS + 1])
{
    size_t n = 0, start = 0;
    for (size_t i = 0; i <= len && n <= COLUMNS; i++) {
        if (i < len && line[i] != ',')
            continue;
        out[n++] = (struct field){.text = line + start, .len = i - start, .column = start + 1};
        start = i + 1;
    }
    return n;
}

static bool whole(const struct field *f, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;
    if (f->len == 0 || f->len > 18)
        return false;
    for (size_t i = 0; i < f->len; i++) {
        if (f->text[i] < '0' || f->text[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(f->text[i] - '0');
    }
    if (v > max)
        return false;
    *out = v;
    return true;
}

// Seconds with up to nine decimals, to nanoseconds.
static bool seconds(const struct field *f, int64_t *out)
{
    const char *dot = memchr(f->text, '.', f->len);
    struct field before = {.text = f->text, .len = dot ? (size_t)(dot - f->text) : f->len};
    uint64_t s, fraction = 0;
    if (!whole(&before, 366 * 86400, &s))
        return false;
    if (dot) {
        struct field after = {.text = dot + 1, .len = f->len - before.len - 1};
        if (after.len > 9 || !whole(&after, 999999999, &fraction))
            return false;
        for (size_t i = after.len; i < 9; i++)
            fraction *= 10;
    }
    *out = (int64_t)(s * 1000000000 + fraction);
    return true;
}

static int take(const struct reader *r, const struct field *f, enum column column,
                struct flow_fact *out)
{
    uint64_t v = 0;
    char text[IP_TEXT_MAX];
    switch (column) {
    case START:
    case DURATION:
        if (!seconds(f, column == START ? &out->start_ns : &out->duration_ns))
            return wrong(r, f, "is no time in seconds, like 317.673");
        return 0;
    case PEER:
        snprintf(text, sizeof text, "%.*s", f->len < sizeof text ? (int)f->len : 0, f->text);
        if (ip_parse(text, &out->peer) < 0)
            return wrong(r, f, "is no IP address");
        out->line = (uint32_t)r->line;
        out->column = (uint32_t)f->column;
        return 0;
    case PORT:
    case SRC_PORT:
        if (!whole(f, 65535, &v) || v == 0)
            return wrong(r, f, "is no port; use 1 to 65535");
        *(column == PORT ? &out->port : &out->src_port) = (uint16_t)v;
        return 0;
    case PACKETS_OUT:
    case PACKETS_IN:
        if (!whole(f, 10000000, &v))
            return wrong(r, f, "is no number of packets; use 0 to 10000000");
        *(column == PACKETS_OUT ? &out->packets_out : &out->packets_in) = (uint32_t)v;
        return 0;
    default:
        if (!whole(f, 1000000000000, &v))
            return wrong(r, f, "is no number of octets; use 0 to 1000000000000");
        *(column == OCTETS_OUT ? &out->octets_out : &out->octets_in) = v;
        return 0;
    }
}

static int read_header(struct reader *r, const char *line, size_t len)
{
    struct field f[COLUMNS + 1];
    bool seen[COLUMNS] = {false};
    size_t n = split(line, len, f);
    for (size_t i = 0; i < n && i < COLUMNS; i++) {
        size_t c = 0;
        while (c < COLUMNS && (strlen(column_names[c]) != f[i].len ||
                               memcmp(column_names[c], f[i].text, f[i].len) != 0))
            c++;
        if (c == COLUMNS)
            return wrong(r, &f[i],
                         "is no column; the first line must name start_s,peer,port,src_port,"
                         "packets_out,octets_out,packets_in,octets_in,duration_s");
        if (seen[c])
            return wrong(r, &f[i], "stands twice in the first line");
        seen[c] = true;
        r->order[i] = (enum column)c;
    }
    for (size_t c = 0; c < COLUMNS; c++)
        if (!seen[c]) {
            fprintf(r->errors, "%s:1:%zu: the column \"%s\" is missing\n", r->path, len + 1,
                    column_names[c]);
            return EX_DATAERR;
        }
    if (n > COLUMNS)
        return wrong(r, &f[COLUMNS], "is one column too many");
    return 0;
}

static int read_row(struct reader *r, const char *line, size_t len, struct flow_fact *out)
{
    struct field f[COLUMNS + 1];
    size_t n = split(line, len, f);
    *out = (struct flow_fact){0};
    for (size_t i = 0; i < n && i < COLUMNS; i++) {
        int rc = take(r, &f[i], r->order[i], out);
        if (rc != 0)
            return rc;
    }
    if (n > COLUMNS)
        return wrong(r, &f[COLUMNS], "is one field too many");
    if (n < COLUMNS) {
        fprintf(r->errors, "%s:%zu:%zu: the line ends here; %zu of %d fields are there\n", r->path,
                r->line, len + 1, n, COLUMNS);
        return EX_DATAERR;
    }
    if (out->packets_out == 0 && out->packets_in == 0)
        return wrong(r, &f[0], "begins a flow without packets");
    return 0;
}

static int append(struct flow_facts *all, size_t *cap, const struct flow_fact *one)
{
    if (all->count == *cap) {
        size_t more = *cap ? *cap * 2 : 1024;
        struct flow_fact *grown = realloc(all->item, more * sizeof *grown);
        if (!grown)
            return EX_OSERR;
        all->item = grown;
        *cap = more;
    }
    all->item[all->count++] = *one;
    return 0;
}

static int read_rows(struct reader *r, FILE *in, struct flow_facts *all)
{
    char line[LINE_LIMIT];
    size_t cap = 0;
    while (fgets(line, sizeof line, in)) {
        size_t len = strlen(line);
        r->line++;
        if (len + 1 == sizeof line && line[len - 1] != '\n') {
            fprintf(r->errors, "%s:%zu:%zu: the line is too long\n", r->path, r->line, len);
            return EX_DATAERR;
        }
        while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r'))
            len--;
        struct flow_fact one;
        int rc = 0;
        if (r->line == 1)
            rc = read_header(r, line, len);
        else if (len > 0 && (rc = read_row(r, line, len, &one)) == 0)
            rc = all->count < ROWS_MAX ? append(all, &cap, &one) : EX_DATAERR;
        if (rc != 0)
            return rc;
    }
    if (ferror(in))
        return EX_IOERR;
    if (r->line == 0) {
        fprintf(r->errors, "%s:1:1: the file is empty\n", r->path);
        return EX_DATAERR;
    }
    return 0;
}

// By every column, the start first.
static int compare(const void *a, const void *b)
{
    const struct flow_fact *x = a, *y = b;
#define ORDER(m)      \
    if (x->m != y->m) \
        return x->m < y->m ? -1 : 1;
    ORDER(start_ns)
    ORDER(src_port)
    ORDER(port)
    ORDER(duration_ns)
    ORDER(packets_out)
    ORDER(packets_in)
    ORDER(octets_out)
    ORDER(octets_in)
#undef ORDER
    return memcmp(&x->peer, &y->peer, sizeof x->peer);
}

// In order of starts, and each flow once: an exporter with two taps says everything twice.
static void tidy(struct flow_facts *all)
{
    size_t kept = 0;
    if (all->count > 1)
        qsort(all->item, all->count, sizeof *all->item, compare);
    for (size_t i = 0; i < all->count; i++) {
        if (kept > 0 && compare(&all->item[i], &all->item[kept - 1]) == 0)
            continue;
        all->item[kept++] = all->item[i];
    }
    all->repeated = all->count - kept;
    all->count = kept;
}

int flow_facts_read(FILE *in, const char *name, struct flow_facts *out, FILE *errors)
{
    struct reader r = {.path = name, .errors = errors};
    struct flow_facts all = {0};
    int rc = read_rows(&r, in, &all);
    if (rc == 0) {
        tidy(&all);
        *out = all;
    } else {
        flow_facts_free(&all);
    }
    return rc;
}

int flow_facts_load(const char *path, struct flow_facts *out, FILE *errors)
{
    FILE *in = fopen(path, "r");
    if (!in) {
        fprintf(errors, "%s: %s\n", path, strerror(errno));
        return EX_NOINPUT;
    }
    int rc = flow_facts_read(in, path, out, errors);
    fclose(in);
    return rc;
}

void flow_facts_free(struct flow_facts *f)
{
    free(f->item);
    *f = (struct flow_facts){0};
}
