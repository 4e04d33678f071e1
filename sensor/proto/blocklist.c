// See blocklist.h. Phrases are those that public blocklists document and that large receivers use in
// their replies; matching ignores case. The longest lists are searched only in 4xx and 5xx replies
// (the caller decides), a few a connection.
#include "proto/blocklist.h"

#include <endian.h>

enum kind {
    KIND_UNKNOWN,  // lists for reasons of several kinds, or of a kind not told
    KIND_COMBINED, // a zone whose answer's code tells the kind; unknown without it
    KIND_POLICY,
    KIND_EXPLOIT,
    KIND_NEVER,
};

#define PHRASE_MAX 40
#define HEAD       8 // octets compared at once

struct phrase {
    char text[PHRASE_MAX]; // the last one is empty
    uint8_t kind;
};

// Lower case, by first letter. Where one phrase begins with another the longer stands first.
static const struct phrase with_a[] = {
    {"abuseat.org", KIND_EXPLOIT},
    {"", 0},
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
    {"", 0},
};
static const struct phrase with_c[] = {
    {"css.spamhaus", KIND_EXPLOIT},  {"cbl.abuseat.org", KIND_EXPLOIT}, {"cloudmark", KIND_UNKNOWN},
    {"csi.cloudmark", KIND_UNKNOWN}, {"consumer ip", KIND_POLICY},      {"", 0},
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
    {"", 0},
};
static const struct phrase with_e[] = {
    {"ers.trendmicro", KIND_UNKNOWN},
    {"end-user ip", KIND_POLICY},
    {"", 0},
};
static const struct phrase with_g[] = {
    {"generic reverse dns", KIND_POLICY},
    {"generic rdns", KIND_POLICY},
    {"generic ptr", KIND_POLICY},
    {"", 0},
};
static const struct phrase with_h[] = {
    {"hostkarma", KIND_UNKNOWN},
    {"", 0},
};
static const struct phrase with_i[] = {
    {"ivmsip", KIND_EXPLOIT},
    {"invaluement", KIND_EXPLOIT},
    {"ix.dnsbl.manitu", KIND_EXPLOIT},
    {"", 0},
};
static const struct phrase with_m[] = {
    {"mail-abuse", KIND_UNKNOWN},
    {"", 0},
};
static const struct phrase with_n[] = {
    {"noserver.dnsbl.sorbs", KIND_POLICY},
    {"nixspam", KIND_EXPLOIT},
    {"notauthorizederror", KIND_POLICY},
    {"", 0},
};
static const struct phrase with_p[] = {
    {"pbl.spamhaus.org", KIND_POLICY},
    {"pbl.spamhaus", KIND_POLICY},
    {"psbl.surriel", KIND_EXPLOIT},
    {"psbl.org", KIND_EXPLOIT},
    {"proofpoint.com/?ip", KIND_UNKNOWN},
    {"policy block list", KIND_POLICY},
    {"", 0},
};
static const struct phrase with_r[] = {
    {"residential", KIND_POLICY},
    {"rbl", KIND_UNKNOWN},
    {"", 0},
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
    {"", 0},
};
static const struct phrase with_t[] = {
    {"truncate.gbudb", KIND_EXPLOIT},
    {"talosintelligence", KIND_UNKNOWN},
    {"", 0},
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
    {"", 0},
};
static const struct phrase with_v[] = {
    {"very low reputation of the sending ip", KIND_EXPLOIT},
    {"", 0},
};
static const struct phrase with_w[] = {
    {"web.dnsbl.sorbs", KIND_EXPLOIT},
    {"", 0},
};
static const struct phrase with_x[] = {
    {"xbl.spamhaus.org", KIND_EXPLOIT}, // and sbl-xbl
    {"", 0},
};
static const struct phrase with_z[] = {
    {"zen.spamhaus.org", KIND_COMBINED},
    {"zen.dq.spamhaus", KIND_COMBINED},
    {"", 0},
};

// What no letter begins, or may follow the first, is not searched for. Apart from the phrases: two cache lines
// are all that most words ask for.
#define L(letter) (1u << ((letter) - 'a'))
#define OTHER     (1u << 26)

static const uint32_t second_of[26] = {
    ['a' - 'a'] = L('b'),
    ['b' - 'a'] = L('a') | L('l'),
    ['c' - 'a'] = L('b') | L('l') | L('o') | L('s'),
    ['d' - 'a'] = L('b') | L('e') | L('i') | L('n') | L('r') | L('u') | L('y'),
    ['e' - 'a'] = L('n') | L('r'),
    ['g' - 'a'] = L('e'),
    ['h' - 'a'] = L('o'),
    ['i' - 'a'] = L('n') | L('v') | L('x'),
    ['m' - 'a'] = L('a'),
    ['n' - 'a'] = L('i') | L('o'),
    ['p' - 'a'] = L('b') | L('o') | L('r') | L('s'),
    ['r' - 'a'] = L('b') | L('e'),
    ['s' - 'a'] = L('b') | L('e') | L('o') | L('p') | OTHER,
    ['t' - 'a'] = L('a') | L('r'),
    ['u' - 'a'] = L('c') | L('n'),
    ['v' - 'a'] = L('e'),
    ['w' - 'a'] = L('e'),
    ['x' - 'a'] = L('b'),
    ['z' - 'a'] = L('e'),
};

static const struct phrase *const phrases_of[26] = {
    ['a' - 'a'] = with_a, ['b' - 'a'] = with_b, ['c' - 'a'] = with_c, ['d' - 'a'] = with_d,
    ['e' - 'a'] = with_e, ['g' - 'a'] = with_g, ['h' - 'a'] = with_h, ['i' - 'a'] = with_i,
    ['m' - 'a'] = with_m, ['n' - 'a'] = with_n, ['p' - 'a'] = with_p, ['r' - 'a'] = with_r,
    ['s' - 'a'] = with_s, ['t' - 'a'] = with_t, ['u' - 'a'] = with_u, ['v' - 'a'] = with_v,
    ['w' - 'a'] = with_w, ['x' - 'a'] = with_x, ['z' - 'a'] = with_z,
};

// Letters and digits.
static bool is_word_octet(uint8_t o)
{
    return (o | 0x20u) - 'a' < 26 || (unsigned)o - '0' < 10;
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

static uint8_t lower(uint8_t o)
{
    return o >= 'A' && o <= 'Z' ? o | 0x20 : o;
}

static uint64_t word_of(const void *octets)
{
    uint64_t w;
    memcpy(&w, octets, sizeof w);
    return w;
}

#define EACH UINT64_C(0x0101010101010101)
#define HIGH (EACH << 7)

// The first octets of a text, behind a short one zeros.
static uint64_t first_of(struct span s)
{
    uint8_t octets[HEAD] = {0};
    if (s.len >= HEAD)
        return word_of(s.data);
    memcpy(octets, s.data, s.len);
    return word_of(octets);
}

// The same in small letters.
static uint64_t head_of(struct span s)
{
    uint64_t w = first_of(s), low = w & ~HIGH;
    uint64_t from_a = low + EACH * (0x80 - 'A'), behind_z = low + EACH * (0x7f - 'Z');
    return w | ((from_a ^ behind_z) & ~w & HIGH) >> 2;
}

// The highest bits of the octets that are letters or digits.
static uint64_t word_octets(uint64_t w)
{
    uint64_t low = w & ~HIGH, small = low | EACH * 0x20;
    uint64_t letters = (small + EACH * (0x80 - 'a')) & ~(small + EACH * (0x7f - 'z'));
    uint64_t digits = (low + EACH * (0x80 - '0')) & ~(low + EACH * (0x7f - '9'));
    return (letters | digits) & ~w & HIGH;
}

// Has a phrase's word no octet that the text's has not? Behind a short phrase's end anything may stand.
static bool agrees(uint64_t phrase, uint64_t text)
{
    // All ones in the octets that are not zero; none of a phrase has its highest bit set.
    uint64_t there = ((phrase + EACH * 0x7f) >> 7 & EACH) * 0xff;
    return ((phrase ^ text) & there) == 0;
}

static bool goes_on(struct span s, const char *phrase)
{
    size_t i = HEAD;
    while (phrase[i] != 0 && i < s.len && lower(s.data[i]) == (uint8_t)phrase[i])
        i++;
    return phrase[i] == 0;
}

// The phrase that begins at a word's beginning; NULL: none.
static const struct phrase *phrase_at(struct span word)
{
    unsigned first = (word.data[0] | 0x20u) - 'a';
    if (first >= 26 || word.len < 2)
        return NULL;
    unsigned second = (word.data[1] | 0x20u) - 'a';
    if (!(second_of[first] & (second < 26 ? 1u << second : OTHER)))
        return NULL;
    uint64_t head = head_of(word);
    const uint64_t three = htole64(0xffffff); // no phrase is shorter
    for (const struct phrase *p = phrases_of[first]; p->text[0] != 0; p++)
        if (((word_of(p->text) ^ head) & three) == 0 && agrees(word_of(p->text), head) &&
            (p->text[HEAD - 1] == 0 || goes_on(word, p->text)))
            return p;
    return NULL;
}

const char *blocklist_phrase(size_t n)
{
    for (size_t i = 0; i < 26; i++)
        for (const struct phrase *p = phrases_of[i]; p && p->text[0] != 0; p++)
            if (n-- == 0)
                return p->text;
    return NULL;
}

// At a word's beginning.
static void look_at_word(struct blocklist_finding *b, struct span text, size_t i, size_t *known,
                         const struct ip_addr *client)
{
    if (text.data[i] <= '9') {
        look_for_address(b, text, i, client);
    } else if (i >= *known) {
        const struct phrase *p = phrase_at(span_of(text.data + i, text.len - i));
        if (p) {
            note(b, p->kind);
            *known = i + strlen(p->text);
        }
    }
}

void blocklist_look(struct blocklist_finding *b, struct span text, const struct ip_addr *client)
{
    size_t known = 0;    // up to here stands a phrase that was found: its words begin no other
    uint64_t before = 0; // 0x80: the octet in front belongs to a word
    // Every phrase begins a word, but for labels inside a name, where a dot or hyphen stands.
    for (size_t at = 0; at < text.len; at += HEAD) {
        uint64_t words = word_octets(le64toh(first_of(span_of(text.data + at, text.len - at))));
        uint64_t begins = words & ~(words << 8 | before);
        before = words >> 56;
        for (; begins != 0; begins &= begins - 1)
            look_at_word(b, text, at + (size_t)__builtin_ctzll(begins) / 8, &known, client);
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
