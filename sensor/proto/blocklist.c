// See blocklist.h. Phrases are those that public blocklists document and that large receivers use in
// their replies; matching ignores case. The longest lists are searched only in 4xx and 5xx replies
// (the caller decides), a few a connection.
#include "proto/blocklist.h"

enum kind {
    KIND_UNKNOWN,  // lists for reasons of several kinds, or of a kind not told
    KIND_COMBINED, // a zone whose answer's code tells the kind; unknown without it
    KIND_POLICY,
    KIND_EXPLOIT,
    KIND_NEVER,
};

struct phrase {
    const char *text;
    uint8_t kind;
};

// Lower case, by first letter. Where one phrase begins with another the longer stands first.
static const struct phrase with_a[] = {
    {"abuseat.org", KIND_EXPLOIT},
    {NULL, 0},
};
static const struct phrase with_b[] = {
    {"barracudacentral", KIND_EXPLOIT},
    {"barracudanetworks.com/reputation", KIND_EXPLOIT},
    {"blocklist.de", KIND_EXPLOIT},
    {"bl.mailspike", KIND_EXPLOIT},
    {"blocklist", KIND_UNKNOWN},
    {"block list", KIND_UNKNOWN},
    {"blacklist", KIND_UNKNOWN},
    {"black list", KIND_UNKNOWN},
    {NULL, 0},
};
static const struct phrase with_c[] = {
    {"css.spamhaus", KIND_EXPLOIT},  {"cbl.abuseat.org", KIND_EXPLOIT}, {"cloudmark", KIND_UNKNOWN},
    {"csi.cloudmark", KIND_UNKNOWN}, {"consumer ip", KIND_POLICY},      {NULL, 0},
};
static const struct phrase with_d[] = {
    {"dbl.spamhaus.org", KIND_UNKNOWN}, // a domain's listing, not an address's
    {"dnsbl-1.uceprotect", KIND_EXPLOIT},
    {"dnsbl-2.uceprotect", KIND_NEVER},
    {"dnsbl-3.uceprotect", KIND_NEVER},
    {"dul.dnsbl.sorbs", KIND_POLICY},
    {"dul.sorbs", KIND_POLICY},
    {"dialups.mail-abuse", KIND_POLICY},
    {"dul.maps", KIND_POLICY},
    {"dnsbl.dronebl", KIND_EXPLOIT},
    {"dronebl", KIND_EXPLOIT},
    {"dnswl", KIND_NEVER},
    {"dynamic ip", KIND_POLICY},
    {"dynamic address", KIND_POLICY},
    {"dynamically assigned", KIND_POLICY},
    {"dynamic/residential", KIND_POLICY},
    {"dynamic pool", KIND_POLICY},
    {"dynamic host", KIND_POLICY},
    {"dial-up", KIND_POLICY},
    {"dialup", KIND_POLICY},
    {"dnsbl", KIND_UNKNOWN},
    {"denylist", KIND_UNKNOWN},
    {NULL, 0},
};
static const struct phrase with_e[] = {
    {"ers.trendmicro", KIND_UNKNOWN},
    {"end-user ip", KIND_POLICY},
    {NULL, 0},
};
static const struct phrase with_g[] = {
    {"generic reverse dns", KIND_POLICY},
    {"generic rdns", KIND_POLICY},
    {"generic ptr", KIND_POLICY},
    {NULL, 0},
};
static const struct phrase with_h[] = {
    {"hostkarma", KIND_UNKNOWN},
    {NULL, 0},
};
static const struct phrase with_i[] = {
    {"ivmsip", KIND_EXPLOIT},
    {"invaluement", KIND_EXPLOIT},
    {"ix.dnsbl.manitu", KIND_EXPLOIT},
    {NULL, 0},
};
static const struct phrase with_m[] = {
    {"mail-abuse", KIND_UNKNOWN},
    {NULL, 0},
};
static const struct phrase with_n[] = {
    {"noserver.dnsbl.sorbs", KIND_POLICY},
    {"nixspam", KIND_EXPLOIT},
    {"notauthorizederror", KIND_POLICY},
    {NULL, 0},
};
static const struct phrase with_p[] = {
    {"pbl.spamhaus.org", KIND_POLICY},
    {"pbl.spamhaus", KIND_POLICY},
    {"psbl.surriel", KIND_EXPLOIT},
    {"psbl.org", KIND_EXPLOIT},
    {"proofpoint.com/?ip", KIND_UNKNOWN},
    {"policy block list", KIND_POLICY},
    {NULL, 0},
};
static const struct phrase with_r[] = {
    {"residential", KIND_POLICY},
    {"rbl", KIND_UNKNOWN},
    {NULL, 0},
};
static const struct phrase with_s[] = {
    {"spamhaus.org/pbl", KIND_POLICY},
    {"spamhaus.org/query/pbl", KIND_POLICY},
    {"spamhaus pbl", KIND_POLICY},
    {"spamhaus-pbl", KIND_POLICY},
    {"spamhaus.org/xbl", KIND_EXPLOIT},
    {"spamhaus xbl", KIND_EXPLOIT},
    {"sbl.spamhaus.org", KIND_EXPLOIT},
    {"spamhaus.org/sbl", KIND_EXPLOIT}, // and .../sbl/query/SBLCSS
    {"spamhaus sbl", KIND_EXPLOIT},
    {"sblcss", KIND_EXPLOIT},
    {"spamhaus css", KIND_EXPLOIT},
    {"spamhaus", KIND_COMBINED},
    {"spamcop", KIND_EXPLOIT},
    {"spam.dnsbl.sorbs", KIND_EXPLOIT},
    {"socks.dnsbl.sorbs", KIND_EXPLOIT},
    {"sorbs", KIND_UNKNOWN},
    {"senderscore", KIND_UNKNOWN},
    {"senderbase", KIND_UNKNOWN},
    {"s3150", KIND_UNKNOWN}, // Microsoft: "part of their network is on our block list"
    {"s3140", KIND_UNKNOWN},
    {"send email directly to our servers", KIND_POLICY}, // Google, across a line's end
    {NULL, 0},
};
static const struct phrase with_t[] = {
    {"truncate.gbudb", KIND_EXPLOIT},
    {"talosintelligence", KIND_UNKNOWN},
    {NULL, 0},
};
static const struct phrase with_u[] = {
    {"uceprotect-level1", KIND_EXPLOIT},
    {"uceprotect level 1", KIND_EXPLOIT},
    {"uceprotect-level2", KIND_NEVER},
    {"uceprotect level 2", KIND_NEVER},
    {"uceprotect-level3", KIND_NEVER},
    {"uceprotect level 3", KIND_NEVER},
    {"uceprotect", KIND_UNKNOWN},
    {"unusual rate of unsolicited mail", KIND_EXPLOIT}, // Google
    {"unusual amount of unsolicited mail", KIND_EXPLOIT},
    {"unsolicitediperror", KIND_EXPLOIT},
    {NULL, 0},
};
static const struct phrase with_v[] = {
    {"very low reputation of the sending ip", KIND_EXPLOIT},
    {NULL, 0},
};
static const struct phrase with_w[] = {
    {"web.dnsbl.sorbs", KIND_EXPLOIT},
    {NULL, 0},
};
static const struct phrase with_x[] = {
    {"xbl.spamhaus.org", KIND_EXPLOIT}, // and sbl-xbl
    {NULL, 0},
};
static const struct phrase with_z[] = {
    {"zen.spamhaus.org", KIND_COMBINED},
    {"zen.dq.spamhaus", KIND_COMBINED},
    {NULL, 0},
};

static const struct phrase *const by_letter[26] = {
    ['a' - 'a'] = with_a, ['b' - 'a'] = with_b, ['c' - 'a'] = with_c, ['d' - 'a'] = with_d,
    ['e' - 'a'] = with_e, ['g' - 'a'] = with_g, ['h' - 'a'] = with_h, ['i' - 'a'] = with_i,
    ['m' - 'a'] = with_m, ['n' - 'a'] = with_n, ['p' - 'a'] = with_p, ['r' - 'a'] = with_r,
    ['s' - 'a'] = with_s, ['t' - 'a'] = with_t, ['u' - 'a'] = with_u, ['v' - 'a'] = with_v,
    ['w' - 'a'] = with_w, ['x' - 'a'] = with_x, ['z' - 'a'] = with_z,
};

// Letters and digits.
static const bool word_octet[256] = {
    ['0'] = true, ['1'] = true, ['2'] = true, ['3'] = true, ['4'] = true, ['5'] = true,
    ['6'] = true, ['7'] = true, ['8'] = true, ['9'] = true, ['A'] = true, ['B'] = true,
    ['C'] = true, ['D'] = true, ['E'] = true, ['F'] = true, ['G'] = true, ['H'] = true,
    ['I'] = true, ['J'] = true, ['K'] = true, ['L'] = true, ['M'] = true, ['N'] = true,
    ['O'] = true, ['P'] = true, ['Q'] = true, ['R'] = true, ['S'] = true, ['T'] = true,
    ['U'] = true, ['V'] = true, ['W'] = true, ['X'] = true, ['Y'] = true, ['Z'] = true,
    ['a'] = true, ['b'] = true, ['c'] = true, ['d'] = true, ['e'] = true, ['f'] = true,
    ['g'] = true, ['h'] = true, ['i'] = true, ['j'] = true, ['k'] = true, ['l'] = true,
    ['m'] = true, ['n'] = true, ['o'] = true, ['p'] = true, ['q'] = true, ['r'] = true,
    ['s'] = true, ['t'] = true, ['u'] = true, ['v'] = true, ['w'] = true, ['x'] = true,
    ['y'] = true, ['z'] = true,
};

static bool is_word_octet(uint8_t o)
{
    return word_octet[o];
}

static void note(struct blocklist_finding *b, uint8_t kind)
{
    switch (kind) {
    case KIND_POLICY: b->policy = true; break;
    case KIND_EXPLOIT: b->exploit = true; break;
    case KIND_COMBINED: b->combined = true; break;
    case KIND_NEVER: b->discounted = true; return;
    default: break;
    }
    b->listed = true;
}

// The dotted quad that begins here, with nothing of a number or name on either side.
static bool quad_at(struct span text, size_t i, uint8_t out[static 4])
{
    if (i > 1 && text.data[i - 1] == '.' && is_word_octet(text.data[i - 2]))
        return false;
    size_t at = i;
    for (int part = 0; part < 4; part++) {
        unsigned v = 0, digits = 0;
        while (at < text.len && text.data[at] >= '0' && text.data[at] <= '9' && digits < 4) {
            v = v * 10 + (unsigned)(text.data[at++] - '0');
            digits++;
        }
        if (digits == 0 || digits > 3 || v > 255)
            return false;
        out[part] = (uint8_t)v;
        if (part < 3 && (at >= text.len || text.data[at++] != '.'))
            return false;
    }
    // "1.2.3.4.dsl.example" and "4.3.2.1.zone" name a host, not the address.
    if (at < text.len &&
        (is_word_octet(text.data[at]) ||
         (text.data[at] == '.' && at + 1 < text.len && is_word_octet(text.data[at + 1]))))
        return false;
    return true;
}

// An answer of a blocklist, 127.0.0.x: the last octet tells why.
static void note_answer(struct blocklist_finding *b, const uint8_t quad[static 4])
{
    if (quad[1] == 255 && quad[2] == 255)
        b->query_refused = true;
    else if (quad[1] == 0 && quad[2] == 0 && quad[3] >= 2)
        b->answer = quad[3];
}

// At digits that begin a word.
static void look_for_address(struct blocklist_finding *b, struct span text, size_t i,
                             const struct ip_addr *client)
{
    uint8_t quad[4];
    if (!quad_at(text, i, quad))
        return;
    if (quad[0] == 127)
        note_answer(b, quad);
    if (client->family == IP_V4 && memcmp(quad, client->octet, 4) == 0)
        b->names_us = true;
}

static bool is_v6_octet(uint8_t o)
{
    return (o >= '0' && o <= '9') || (o >= 'a' && o <= 'f') || (o >= 'A' && o <= 'F') || o == ':';
}

static void look_for_v6(struct blocklist_finding *b, struct span text, const struct ip_addr *client)
{
    for (size_t i = 0; i < text.len;) {
        size_t n = 0;
        while (i + n < text.len && is_v6_octet(text.data[i + n]))
            n++;
        char word[IP_TEXT_MAX];
        struct ip_addr addr;
        if (n > 2 && n < sizeof word) {
            memcpy(word, text.data + i, n);
            // A colon or two may belong to the sentence ("[2001:db8::1]: listed").
            while (n > 2 && word[n - 1] == ':' && word[n - 2] != ':')
                n--;
            word[n] = '\0';
            if (ip_parse(word, &addr) == 0 && ip_equal(&addr, client))
                b->names_us = true;
        }
        i += n ? n : 1;
    }
}

// Most phrases that begin with the right letter fail at the second.
static bool begins(struct span s, const char *phrase)
{
    return s.len > 1 && (s.data[1] | 0x20) == phrase[1] && span_begins(s, phrase);
}

void blocklist_look(struct blocklist_finding *b, struct span text, const struct ip_addr *client)
{
    size_t known = 0; // up to here stands a phrase that was found: its words begin no other
    for (size_t i = 0;;) {
        // Every phrase begins a word, but for labels inside a name, where a dot or hyphen stands.
        while (i < text.len && !is_word_octet(text.data[i]))
            i++;
        if (i == text.len)
            break;
        unsigned letter = (text.data[i] | 0x20u) - 'a';
        const struct phrase *p = i >= known && letter < 26 ? by_letter[letter] : NULL;
        if (text.data[i] <= '9')
            look_for_address(b, text, i, client);
        if (p) {
            struct span rest = span_cut(text, i, text.len);
            while (p->text && !begins(rest, p->text))
                p++;
            if (p->text) {
                note(b, p->kind);
                known = i + strlen(p->text);
            }
        }
        while (i < text.len && is_word_octet(text.data[i]))
            i++;
    }
    if (client->family == IP_V6)
        look_for_v6(b, text, client);
}

enum blocklist_kind blocklist_kind(const struct blocklist_finding *b)
{
    if (!b->listed || b->query_refused)
        return BLOCKLIST_NONE;
    // Spamhaus' numbers: SBL and CSS, XBL, PBL.
    if (b->combined && !b->exploit && !b->policy && b->answer != 0) {
        if (b->answer <= 7 || b->answer == 9)
            return BLOCKLIST_EXPLOIT;
        if (b->answer == 10 || b->answer == 11)
            return BLOCKLIST_POLICY;
    }
    // A general word ("blocked using ... blacklist") does not outweigh a list that never counts.
    if (b->exploit)
        return BLOCKLIST_EXPLOIT;
    if (b->policy)
        return BLOCKLIST_POLICY;
    return b->discounted && !b->combined ? BLOCKLIST_NONE : BLOCKLIST_UNKNOWN;
}
