// Scalars of the configuration, each read by its key's type: the grammar of every type stands here
// once, for files, for defaults and for printing. Numbers are decimal only; durations and sizes are
// whole numbers with a unit.
#include "common/conf_value.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

// Largest first: printing takes the first that divides.
static const struct unit duration_units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000},
                                             {"s", 1000},     {"ms", 1},      {NULL, 0}};
static const struct unit size_units[] = {{"T", 1LL << 40}, {"G", 1 << 30}, {"M", 1 << 20},
                                         {"k", 1 << 10},   {"", 1},        {NULL, 0}};

static const struct {
    const char *name;
    size_t size;
    bool scalar;
} types[] = {
    [CONF_BOOL] = {"true or false", sizeof(bool), true},
    [CONF_INT] = {"whole number", sizeof(int64_t), true},
    [CONF_REAL] = {"number", sizeof(double), true},
    [CONF_DURATION] = {"duration", sizeof(int64_t), true},
    [CONF_SIZE] = {"size", sizeof(int64_t), true},
    [CONF_STRING] = {"text", sizeof(char *), true},
    [CONF_PATH] = {"path", sizeof(char *), true},
    [CONF_ENUM] = {"word", sizeof(int), true},
    [CONF_PREFIX_LIST] = {"list of prefixes", sizeof(struct conf_prefixes), false},
    [CONF_STRING_LIST] = {"list of texts", sizeof(struct conf_strings), false},
    [CONF_SECTION] = {"section", 0, false},
    [CONF_LIST] = {"list of sections", sizeof(struct conf_list), false},
};

bool conf_is_scalar(enum conf_type type)
{
    return types[type].scalar;
}

const char *conf_type_name(enum conf_type type)
{
    return types[type].name;
}

size_t conf_field_size(const struct conf_key *key)
{
    assert(key->type != CONF_SECTION);
    return types[key->type].size;
}

void *conf_field(const struct conf_key *key, void *base)
{
    return (char *)base + key->offset;
}

static bool has_limits(const struct conf_key *key)
{
    return key->min != 0 || key->max != 0;
}

bool conf_within(const struct conf_key *key, double n)
{
    return !has_limits(key) || (n >= key->min && n <= key->max);
}

static void units_print(const struct unit *units, int64_t v, char *out, size_t size)
{
    const struct unit *u = units;
    while (u[1].name && (v == 0 || v % u->factor != 0))
        u++;
    // Zero takes the plainest unit there is a name people expect: "0s", "0".
    if (v == 0 && units == duration_units)
        u--;
    snprintf(out, size, "%lld%s", (long long)(v / u->factor), u->name);
}

// The shortest text that reads back to the same number, with an exponent only where people would write
// one too.
static void real_print(double v, char *out, size_t size)
{
    int digits = 1;
    for (; digits <= 17; digits++) {
        snprintf(out, size, "%.*g", digits, v);
        if (strtod(out, NULL) == v)
            break;
    }
    const char *exponent = strchr(out, 'e');
    long power = exponent ? strtol(exponent + 1, NULL, 10) : 0;
    if (!exponent || power < -6 || power > 15)
        return;
    char plain[40];
    int decimals = digits - 1 - (int)power;
    snprintf(plain, sizeof plain, "%.*f", decimals > 0 ? decimals : 0, v);
    if (strtod(plain, NULL) == v && strlen(plain) < size)
        memcpy(out, plain, strlen(plain) + 1);
}

// A number in the words of the key's type.
static const char *number_text(const struct conf_key *key, double v, char out[static 40])
{
    if (key->type == CONF_DURATION)
        units_print(duration_units, (int64_t)v, out, 40);
    else if (key->type == CONF_SIZE)
        units_print(size_units, (int64_t)v, out, 40);
    else if (key->type == CONF_REAL)
        real_print(v, out, 40);
    else
        snprintf(out, 40, "%.0f", v);
    return out;
}

static void names_text(const struct conf_key *key, char *out, size_t size)
{
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; key->names[i] && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", i ? ", " : "", key->names[i]);
}

void conf_limits(const struct conf_key *key, char out[static CONF_ERROR_MAX])
{
    char low[40], high[40];
    out[0] = '\0';
    if (key->type == CONF_ENUM)
        names_text(key, out, CONF_ERROR_MAX);
    else if (has_limits(key))
        snprintf(out, CONF_ERROR_MAX, "from %s to %s%s", number_text(key, key->min, low),
                 number_text(key, key->max, high),
                 key->type == CONF_STRING || key->type == CONF_PATH ? " octets long"
                 : conf_is_scalar(key->type)                        ? ""
                                                                    : " elements");
}

void conf_describe(const struct conf_key *key, FILE *out)
{
    char limits[CONF_ERROR_MAX];
    conf_limits(key, limits);
    if (key->type == CONF_ENUM)
        fprintf(out, "one of %s", limits);
    else
        fprintf(out, "%s%s%s", conf_type_name(key->type), limits[0] ? " " : "", limits);
    if (key->unit)
        fprintf(out, ", in %s", key->unit);
    if (key->def)
        fprintf(out, "; default %s", key->def[0] ? key->def : "\"\"");
    else if (key->optional)
        fputs("; optional", out);
    else if (key->type != CONF_SECTION)
        fputs("; required", out);
}

// The fix of a wrong value: "use a duration from 1s to 7d, in minutes".
static void advise(const struct conf_key *key, char *out, size_t size)
{
    char limits[CONF_ERROR_MAX];
    conf_limits(key, limits);
    if (!limits[0] && key->type == CONF_DURATION)
        snprintf(limits, sizeof limits, "as 90s");
    else if (!limits[0] && key->type == CONF_SIZE)
        snprintf(limits, sizeof limits, "as 64k");
    snprintf(out, size, "use a %s%s%.200s%s%s", conf_type_name(key->type), limits[0] ? " " : "",
             limits, key->unit ? ", in " : "", key->unit ? key->unit : "");
}

static int refuse(const struct conf_key *key, const char *text, const char *what,
                  char error[static CONF_ERROR_MAX])
{
    char fix[CONF_ERROR_MAX - 140], quoted[80];
    advise(key, fix, sizeof fix);
    snprintf(error, CONF_ERROR_MAX, "%s %s; %s", conf_quote(text, quoted), what, fix);
    return -EINVAL;
}

static int check_range(const struct conf_key *key, const char *text, double v,
                       char error[static CONF_ERROR_MAX])
{
    char what[80], bound[40];
    if (conf_within(key, v))
        return 0;
    snprintf(what, sizeof what, v < key->min ? "is below %s" : "is above %s",
             number_text(key, v < key->min ? key->min : key->max, bound));
    return refuse(key, text, what, error);
}

// Decimal digits from *at on. -ERANGE: more than an int64_t holds.
static int digits_parse(const char **at, int64_t *out)
{
    int64_t v = 0;
    if (**at < '0' || **at > '9')
        return -EINVAL;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, **at - '0', &v))
            return -ERANGE;
    }
    *out = v;
    return 0;
}

static int int_parse(const struct conf_key *key, const char *text, int64_t *out,
                     char error[static CONF_ERROR_MAX])
{
    const char *at = text;
    int64_t v = 0;
    bool negative = *at == '-';
    if (*at == '-' || *at == '+')
        at++;
    int rc = digits_parse(&at, &v);
    if (rc == -ERANGE)
        return refuse(key, text, "is too large a number", error);
    if (rc != 0 || *at != '\0')
        return refuse(key, text, "is not a whole number", error);
    if (negative)
        v = -v;
    rc = check_range(key, text, (double)v, error);
    if (rc == 0)
        *out = v;
    return rc;
}

// [+-] digits [. digits] [e [+-] digits]: strtod alone would take "inf", "nan" and hexadecimal.
static bool is_decimal(const char *s)
{
    static const char digit[] = "0123456789";
    s += *s == '-' || *s == '+';
    size_t whole = strspn(s, digit);
    s += whole;
    if (*s == '.') {
        size_t part = strspn(++s, digit);
        s += part;
        if (part == 0)
            return false;
    }
    if (whole > 0 && (*s == 'e' || *s == 'E')) {
        s++;
        s += *s == '-' || *s == '+';
        size_t exponent = strspn(s, digit);
        s += exponent;
        if (exponent == 0)
            return false;
    }
    return whole > 0 && *s == '\0';
}

static int real_parse(const struct conf_key *key, const char *text, double *out,
                      char error[static CONF_ERROR_MAX])
{
    if (!is_decimal(text))
        return refuse(key, text, "is not a number", error);
    double v = strtod(text, NULL);
    if (v > 1e300 || v < -1e300)
        return refuse(key, text, "is too large a number", error);
    int rc = check_range(key, text, v, error);
    if (rc == 0)
        *out = v == 0 ? 0 : v; // no negative zero
    return rc;
}

static int units_parse(const struct conf_key *key, const struct unit *units, const char *what,
                       const char *text, int64_t *out, char error[static CONF_ERROR_MAX])
{
    const char *at = text;
    int64_t v = 0;
    int rc = digits_parse(&at, &v);
    if (rc == -EINVAL)
        return refuse(key, text, what, error);
    at += strspn(at, "0123456789");
    const struct unit *u = units;
    while (u->name && strcmp(u->name, at) != 0)
        u++;
    if (!u->name)
        return refuse(key, text, what, error);
    if (rc == -ERANGE || __builtin_mul_overflow(v, u->factor, &v))
        return refuse(key, text, "is too large", error);
    rc = check_range(key, text, (double)v, error);
    if (rc == 0)
        *out = v;
    return rc;
}

static int text_parse(const struct conf_key *key, const char *folder, const char *text, char **out,
                      char error[static CONF_ERROR_MAX])
{
    char what[80];
    size_t len = strlen(text);
    if (key->type == CONF_PATH && len == 0)
        return refuse(key, text, "is no path", error);
    if (!conf_within(key, (double)len)) {
        snprintf(what, sizeof what, "has %zu octets", len);
        return refuse(key, text, what, error);
    }
    char *copy = NULL;
    if (key->type == CONF_PATH && text[0] != '/') {
        const char *slash = folder[strlen(folder) - 1] == '/' ? "" : "/";
        if (asprintf(&copy, "%s%s%s", folder, slash, text) < 0)
            copy = NULL;
    } else {
        copy = strdup(text);
    }
    if (!copy)
        return -ENOMEM;
    *out = copy;
    return 0;
}

static int enum_parse(const struct conf_key *key, const char *text, int *out,
                      char error[static CONF_ERROR_MAX])
{
    char names[CONF_ERROR_MAX - 200], quoted[80];
    size_t count = 0;
    for (; key->names[count]; count++) {
        if (strcmp(key->names[count], text) == 0) {
            *out = (int)count;
            return 0;
        }
    }
    const char *nearest = conf_nearest(text, key->names, count);
    names_text(key, names, sizeof names);
    if (nearest)
        snprintf(error, CONF_ERROR_MAX, "%s is not one of %s; did you mean \"%s\"?",
                 conf_quote(text, quoted), names, nearest);
    else
        snprintf(error, CONF_ERROR_MAX, "%s is not known; use one of %s", conf_quote(text, quoted),
                 names);
    return -EINVAL;
}

int conf_prefix_parse(const char *text, struct ip_prefix *out, char error[static CONF_ERROR_MAX])
{
    char quoted[80], address[IP_TEXT_MAX], prefix[PREFIX_TEXT_MAX];
    if (prefix_parse(text, out) == 0)
        return 0;
    conf_quote(text, quoted);
    snprintf(error, CONF_ERROR_MAX,
             "%s is not a prefix; write an address with a length, as 192.0.2.0/24 or 2001:db8::/32",
             quoted);
    // The commonest slip: an address of the network instead of the network.
    const char *slash = strchr(text, '/');
    const char *at = slash ? slash + 1 : "";
    size_t n = slash ? (size_t)(slash - text) : 0;
    struct ip_addr a;
    int64_t len;
    if (n == 0 || n >= sizeof address || digits_parse(&at, &len) != 0 || *at != '\0')
        return -EINVAL;
    memcpy(address, text, n);
    address[n] = '\0';
    if (ip_parse(address, &a) != 0)
        return -EINVAL;
    int64_t most = (int64_t)ip_size(a.family) * 8;
    struct ip_prefix p = prefix_of(&a, len < most ? (uint8_t)len : (uint8_t)most);
    prefix_format(&p, prefix);
    if (len > most)
        snprintf(error, CONF_ERROR_MAX, "%s has a length above %lld; use one from 0 to %lld",
                 quoted, (long long)most, (long long)most);
    else if (!ip_equal(&p.addr, &a))
        snprintf(error, CONF_ERROR_MAX, "%s has bits set behind its length; write %s", quoted,
                 prefix);
    return -EINVAL;
}

int conf_value_parse(const struct conf_key *key, const char *folder, const char *text, void *field,
                     char error[static CONF_ERROR_MAX])
{
    switch (key->type) {
    case CONF_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
            char quoted[80];
            snprintf(error, CONF_ERROR_MAX, "%s is not true or false; write one of the two",
                     conf_quote(text, quoted));
            return -EINVAL;
        }
        *(bool *)field = text[0] == 't';
        return 0;
    case CONF_INT: return int_parse(key, text, field, error);
    case CONF_REAL: return real_parse(key, text, field, error);
    case CONF_DURATION:
        return units_parse(key, duration_units,
                           "is not a duration, a whole number with the unit ms, s, m, h or d", text,
                           field, error);
    case CONF_SIZE:
        return units_parse(key, size_units,
                           "is not a size, a whole number with k, M, G, T or nothing behind it",
                           text, field, error);
    case CONF_STRING:
    case CONF_PATH: return text_parse(key, folder, text, field, error);
    case CONF_ENUM: return enum_parse(key, text, field, error);
    case CONF_PREFIX_LIST:
    case CONF_STRING_LIST:
    case CONF_SECTION:
    case CONF_LIST: break;
    }
    assert(false && "not a scalar type");
    return -EINVAL;
}

// Plain YAML needs no quotes when nothing in it can be taken for structure.
static bool is_plain(const char *s)
{
    size_t len = strlen(s);
    if (len == 0 ||
        !strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/", s[0]))
        return false;
    for (const char *p = s; *p; p++) {
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
              strchr("_./:@+-", *p)))
            return false;
    }
    return s[len - 1] != ':';
}

// The code point at *at, stepping over it. The text came through libyaml or is a table's ASCII, so
// it is UTF-8; anything else is taken octet by octet.
static uint32_t code_point(const unsigned char **at)
{
    const unsigned char *s = *at;
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc0 ? 2 : 1;
    uint32_t c = n == 1 ? s[0] : s[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            (*at)++;
            return s[0];
        }
        c = c << 6 | (s[i] & 0x3fu);
    }
    *at += n;
    return c;
}

void conf_text_print(const char *text, FILE *out)
{
    if (is_plain(text)) {
        fputs(text, out);
        return;
    }
    putc('"', out);
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        const unsigned char *start = s;
        uint32_t c = code_point(&s);
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", (int)c);
        else if (c < 0x20 || (c >= 0x7f && c < 0xa0))
            fprintf(out, "\\x%02x", c);
        else if (c == 0x2028 || c == 0x2029 || c == 0xfeff || c == 0xfffe || c == 0xffff)
            fprintf(out, "\\u%04x", c); // line breaks and what YAML does not take as it is
        else
            fwrite(start, 1, (size_t)(s - start), out);
    }
    putc('"', out);
}

void conf_value_print(const struct conf_key *key, const void *field, FILE *out)
{
    char text[40];
    const bool *flag = field;
    const int64_t *number = field;
    const double *real = field;
    const int *index = field;
    char *const *string = field;
    switch (key->type) {
    case CONF_BOOL: fputs(*flag ? "true" : "false", out); return;
    case CONF_INT: fprintf(out, "%lld", (long long)*number); return;
    case CONF_REAL: real_print(*real, text, sizeof text); break;
    case CONF_DURATION: units_print(duration_units, *number, text, sizeof text); break;
    case CONF_SIZE: units_print(size_units, *number, text, sizeof text); break;
    case CONF_STRING:
    case CONF_PATH: conf_text_print(*string ? *string : "", out); return;
    case CONF_ENUM: conf_text_print(key->names[*index], out); return;
    case CONF_PREFIX_LIST:
    case CONF_STRING_LIST:
    case CONF_SECTION:
    case CONF_LIST: assert(false && "not a scalar type"); return;
    }
    fputs(text, out);
}
