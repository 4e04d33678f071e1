// Realms as people write them: only what a sensor can have named. See identity.h, docs/formats/identity.md.
//
// On the wire and in files any well-formed realm is taken: a later sensor may know layers that this program does not.
// In a configuration an impossible one is a slip, and what is said of it would hold for nobody.
#include <string.h>

#include "common/addr.h"
#include "common/identity.h"

#define HASH_DIGITS 32

static const char no_realm[] =
    "is no realm; lower-case letters, digits and : . / - # in layers such as vlan:101 or "
    "qinq:101.7/pppoe:4711";

// Decimal without sign or leading zeros; `*text` goes behind it.
static bool take_number(const char **text, uint64_t max)
{
    uint64_t v = 0;
    const char *at = *text;
    for (; *at >= '0' && *at <= '9' && v <= max; at++)
        v = v * 10 + (uint64_t)(*at - '0');
    bool good = at > *text && v <= max && (**text != '0' || at == *text + 1);
    *text = at;
    return good;
}

// A layer's kind, the numbers behind it (`second` 0: one), and what is wrong when they do not fit.
static const struct layer {
    const char *kind;
    uint64_t first, second;
    const char *wrong;
} layers[] = {
    {"vlan:", 4095, 0, "has a VLAN that is none; write vlan:0 to vlan:4095"},
    {"qinq:", 4095, 4095, "has a VLAN in VLAN that is none; write two of 0 to 4095, as qinq:101.7"},
    {"pppoe:", 65535, 0, "has a PPPoE session that is none; write pppoe:0 to pppoe:65535"},
    {"mpls:", 1048575, 0, "has an MPLS label that is none; write mpls:0 to mpls:1048575"},
    {"vni:", 16777215, 0, "has a VXLAN network that is none; write vni:0 to vni:16777215"},
    {"l2tp:", UINT32_MAX, UINT32_MAX,
     "has an L2TP session that is none; write tunnel and session, as l2tp:12.4"},
    {"gtp:", UINT32_MAX, 0, "has a GTP tunnel that is none; write gtp:0 to gtp:4294967295"},
};

static const char *check_layer(const char *text)
{
    struct ip_addr b4;
    for (size_t i = 0; i < sizeof layers / sizeof layers[0]; i++) {
        const struct layer *l = &layers[i];
        size_t n = strlen(l->kind);
        if (strncmp(text, l->kind, n) != 0)
            continue;
        const char *at = text + n;
        bool good = take_number(&at, l->first) &&
                    (l->second == 0 || (*at++ == '.' && take_number(&at, l->second)));
        return good && *at == '\0' ? NULL : l->wrong;
    }
    if (strncmp(text, "b4:", 3) == 0)
        return ip_parse(text + 3, &b4) == 0
                   ? NULL
                   : "has a B4 address that is none; write it as b4:2001:db8::1";
    if (strncmp(text, "name:", 5) == 0)
        return text[5] != '\0' ? NULL : "has a name that is empty; write it as name:pop-1";
    return "names a layer that there is not; use vlan, qinq, pppoe, mpls, vni, l2tp, gtp, b4 or "
           "name, as vlan:101";
}

const char *realm_check(const char *text)
{
    struct realm r;
    if (realm_parse(text, &r) != 0)
        return no_realm;
    if (r.name[0] == '#') // too long to be written out
        return strlen(r.name) == 1 + HASH_DIGITS &&
                       strspn(r.name + 1, "0123456789abcdef") == HASH_DIGITS
                   ? NULL
                   : "is a hash that is none; write # and 32 hex digits, as the sensor does";
    char *rest = r.name[0] != '\0' ? r.name : NULL;
    const char *wrong = NULL;
    while (rest && !wrong)
        wrong = check_layer(strsep(&rest, "/"));
    return wrong;
}
