// The registered domain of a server name, by a small table of second-level suffixes: enough to count
// mail providers. A name under a private suffix (a hoster's customers) counts as its hoster.
#include <stdio.h>

#include "proto/tls_hello.h"

// Second labels under which country registries register: "co" in co.uk. Only below two-letter
// top-level domains, and only where the registry is known to do so.
static const struct {
    const char *tld;
    const char *second; // blank-separated
} second_level[] = {
    {"ae", "ac co gov net org sch"},
    {"ar", "com edu gob gov net org tur"},
    {"at", "ac co gv or"},
    {"au", "asn com edu gov id net org"},
    {"bd", "ac com edu gov net org"},
    {"br", "com edu eco gov ind jus net org blog"},
    {"cn", "ac com edu gov net org"},
    {"co", "com edu gov net nom org"},
    {"cr", "ac co ed fi go or"},
    {"cy", "ac com gov net org"},
    {"do", "com edu gob net org"},
    {"ec", "com edu fin gob gov net org"},
    {"eg", "com edu gov net org"},
    {"fj", "ac com net org"},
    {"fr", "asso com gouv nom"},
    {"gh", "com edu gov org"},
    {"gr", "com edu gov net org"},
    {"gt", "com edu gob net org"},
    {"hk", "com edu gov idv net org"},
    {"hu", "co info org"},
    {"id", "ac co go mil net or sch web"},
    {"il", "ac co gov k12 muni net org"},
    {"in", "ac co edu firm gen gov ind net nic org res"},
    {"ir", "ac co gov net org sch"},
    {"it", "edu gov"},
    {"jp", "ac ad co ed go gr lg ne or"},
    {"ke", "ac co go ne or sc"},
    {"kr", "ac co go ne or pe re"},
    {"lk", "ac com edu gov net org"},
    {"ma", "ac co gov net org press"},
    {"mx", "com edu gob net org"},
    {"my", "com edu gov net org"},
    {"ng", "com edu gov net org"},
    {"ni", "com edu gob net org"},
    {"np", "com edu gov net org"},
    {"nz", "ac co geek gen govt iwi kiwi maori net org school"},
    {"pa", "com edu gob net org"},
    {"pe", "com edu gob net nom org"},
    {"ph", "com edu gov net org"},
    {"pk", "com edu gov net org"},
    {"pl", "com edu gov info net org waw"},
    {"pt", "com edu gov org"},
    {"py", "com edu gov net org"},
    {"ro", "com info nom org"},
    {"rs", "ac co edu gov in org"},
    {"ru", "ac com edu msk net org pp spb"},
    {"sa", "com edu gov net org"},
    {"sg", "com edu gov net org per"},
    {"sv", "com edu gob org"},
    {"th", "ac co go in mi net or"},
    {"tr", "av bel com edu gen gov info k12 net org"},
    {"tw", "com edu gov idv net org"},
    {"tz", "ac co go ne or"},
    {"ua", "com edu gov in kiev net org"},
    {"ug", "ac co com go ne or org"},
    {"uk", "ac co gov ltd me net nhs org plc police sch"},
    {"uy", "com edu gub net org"},
    {"ve", "co com edu gob info net org web"},
    {"vn", "ac com edu gov info net org"},
    {"za", "ac co gov law net nom org school web"},
    {"zm", "ac co com gov net org"},
    {"zw", "ac co gov org"},
};

static bool word_in(const char *list, struct span word)
{
    while (*list) {
        size_t n = strcspn(list, " ");
        if (n == word.len && strncasecmp(list, (const char *)word.data, n) == 0)
            return true;
        list += n;
        list += *list == ' ';
    }
    return false;
}

static bool is_second_level(struct span tld, struct span second)
{
    if (tld.len != 2)
        return false;
    const char a = (char)(tld.data[0] | 0x20), b = (char)(tld.data[1] | 0x20);
    for (size_t i = 0; i < sizeof second_level / sizeof *second_level; i++)
        if (second_level[i].tld[0] == a && second_level[i].tld[1] == b)
            return word_in(second_level[i].second, second);
    return false;
}

// The label that ends at `end`; `*begin` is where it begins.
static struct span label_before(struct span host, size_t end, size_t *begin)
{
    size_t at = end;
    while (at > 0 && host.data[at - 1] != '.')
        at--;
    *begin = at;
    return span_cut(host, at, end - at);
}

// What may stand in a host name, in small letters; zero: nothing else may.
static const char host_octet[256] = {
#define X(c)     [c] = c
#define CASES(c) [c] = c, [(c) - 'a' + 'A'] = c
    X('-'),     X('_'),     X('.'),     X('0'),     X('1'),     X('2'),     X('3'),     X('4'),
    X('5'),     X('6'),     X('7'),     X('8'),     X('9'),     CASES('a'), CASES('b'), CASES('c'),
    CASES('d'), CASES('e'), CASES('f'), CASES('g'), CASES('h'), CASES('i'), CASES('j'), CASES('k'),
    CASES('l'), CASES('m'), CASES('n'), CASES('o'), CASES('p'), CASES('q'), CASES('r'), CASES('s'),
    CASES('t'), CASES('u'), CASES('v'), CASES('w'), CASES('x'), CASES('y'), CASES('z'),
#undef CASES
#undef X
};

void tls_registered_domain(struct span host, char *out, size_t size)
{
    out[0] = '\0';
    while (host.len > 0 && host.data[host.len - 1] == '.')
        host.len--;
    for (size_t i = 0; i < host.len; i++)
        if (host_octet[host.data[i]] == 0)
            return;
    size_t begin;
    struct span tld = label_before(host, host.len, &begin);
    if (begin < 2 || tld.len == 0 || (tld.data[0] >= '0' && tld.data[0] <= '9'))
        return;
    struct span second = label_before(host, begin - 1, &begin);
    if (second.len == 0)
        return;
    if (begin >= 2 && is_second_level(tld, second))
        label_before(host, begin - 1, &begin);
    struct span domain = span_cut(host, begin, host.len);
    if (domain.len >= size)
        domain = span_cut(domain, domain.len - size + 1, domain.len);
    for (size_t i = 0; i < domain.len; i++)
        out[i] = host_octet[domain.data[i]];
    out[domain.len] = '\0';
}
