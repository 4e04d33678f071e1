// What analysis says of a party: opened, changed, closed, each with all that it rests on.
//
// One JSON object a line (docs/formats/verdict.md), canonical, so that the same journal gives the
// same octets. analysis alone writes verdicts, feed alone reads them.
#pragma once

#include "common/identity.h"
#include "common/json.h"

#define VERDICT_VERSION 1

enum verdict_class {
    VERDICT_SPAMBOT_DIRECT,
    VERDICT_SPAMBOT_SMARTHOST,
    VERDICT_COMPROMISED_ACCOUNT,
    VERDICT_SOCKS_RELAY,
    VERDICT_PROXY_ABUSE,
    VERDICT_BACKSCATTER,
    VERDICT_OPEN_RELAY,
    VERDICT_HARVESTER,
    VERDICT_AUTH_GUESSING,
    VERDICT_POLICY_LIMIT,
    VERDICT_CLASSES,
};

const char *verdict_class_name(unsigned c); // "spambot-direct", ...; NULL: out of range
int verdict_class_parse(const char *name);  // -EINVAL

enum verdict_event { VERDICT_OPENED, VERDICT_UPDATED, VERDICT_CLOSED };

const char *verdict_event_name(unsigned e); // "opened", ...; NULL: out of range

// How far the feed may go on it.
enum verdict_ceiling {
    VERDICT_OBSERVE,  // shown, no ticket
    VERDICT_TICKET,   // ticket only: one-way evidence, provisional party, proxy-abuse, dead queue
    VERDICT_RESTRICT, // block25, suspend-smarthost, lock-mailbox
    VERDICT_QUARANTINE,
};

const char *verdict_ceiling_name(unsigned c); // "observe", ...; NULL: out of range
int verdict_ceiling_parse(const char *name);  // -EINVAL

// Evidence of one family is correlated and counts once, by its strongest.
enum verdict_family {
    VERDICT_FAMILY_SPREAD,     // how many others are contacted
    VERDICT_FAMILY_CONTACT,    // how contacts end
    VERDICT_FAMILY_REJECTION,  // what recipients' servers say
    VERDICT_FAMILY_REPUTATION, // blocklist replies
    VERDICT_FAMILY_VOLUME,     // how much
    VERDICT_FAMILY_IDENTITY,   // under how many names
    VERDICT_FAMILY_RELAY,      // in matched with out
    VERDICT_FAMILY_LOGIN,      // tries and failures
    VERDICT_FAMILY_BEHAVIOUR,  // how the client speaks
    VERDICT_FAMILY_BASELINE,   // against its own past
    VERDICT_FAMILY_FILTER,     // the mail server's own filters
    VERDICT_FAMILIES,
};

const char *verdict_family_name(unsigned f); // "spread", "contact", ...

#define VERDICT_EVIDENCE_MAX 24
#define VERDICT_SENTENCE_MAX 256
#define VERDICT_NAME_MAX     32

struct verdict_evidence {
    char detector[VERDICT_NAME_MAX]; // "fan-out"
    uint8_t family;                  // enum verdict_family
    double measured;
    double limit;
    char unit[VERDICT_NAME_MAX]; // "providers"
    int32_t window_s;
    double log_odds;                     // natural logarithm, after the detector's cap
    bool conclusive;                     // suffices without a second family
    bool counted;                        // false: a stronger one of its family was counted instead
    int64_t first_ms, last_ms;           // events it rests on
    char sentence[VERDICT_SENTENCE_MAX]; // complete: subject, number, limit, time span
};

enum verdict_limitation {           // why it says less than it might
    VERDICT_LOSS = 1 << 0,          // packets were lost in its window
    VERDICT_ONE_SIDED = 1 << 1,     // one direction only
    VERDICT_TLS = 1 << 2,           // content families are blind
    VERDICT_FLOW_ONLY = 1 << 3,     // legal profile
    VERDICT_PROVISIONAL = 1 << 4,   // no lease known
    VERDICT_IDENTITY_HELD = 1 << 5, // identity ambiguous, stale or near a change
    VERDICT_UNVALIDATED = 1 << 6,   // one-way evidence, source not validated
    VERDICT_EXEMPT = 1 << 7,        // an exemption holds; still measured
    VERDICT_SITE_FAILURE = 1 << 8,  // the site's failure rate jumped
    VERDICT_DIGESTS_CUT = 1 << 9,
    VERDICT_LOOKS_LIKE_DEAD_QUEUE = 1 << 10,
    VERDICT_SAMPLED = 1 << 11,
    VERDICT_SHORT_HISTORY = 1 << 12, // role or baseline not learnt yet
    VERDICT_RELAY_UNSEEN = 1 << 13,  // a bot, or a relay whose other side the tap does not show
};

const char *verdict_limitation_name(uint32_t bit); // "loss", ...; NULL: no such bit
const char *verdict_limitation_text(uint32_t bit); // one sentence

enum verdict_source { VERDICT_FROM_PACKETS = 1, VERDICT_FROM_LOG = 2, VERDICT_FROM_EXPORT = 4 };

struct verdict {
    uint8_t event;  // enum verdict_event
    char id[40];    // stays through opened, updated, closed; of party, class and first time
    uint8_t class_; // enum verdict_class
    // 1 + the class of another: when closed the cause that the same events are told as from now on, else one that is open
    // beside it of the same party; 0: none.
    uint8_t other_class;
    struct party party;
    struct subscriber_key key; // the address last seen of the party
    char pop[LEASE_NAME_MAX];
    char network_class[LEASE_NAME_MAX];
    uint8_t confidence;   // enum identity_confidence
    uint32_t doubts;      // enum identity_doubt
    int64_t first_ms;     // first event it rests on
    int64_t last_ms;      // last event
    int64_t made_ms;      // when it was made, in packet time
    double prior;         // log-odds before evidence, by class and role
    double log_odds;      // prior + counted evidence
    double score;         // 1 / (1 + exp(-log_odds)), 0.0-1.0
    uint8_t ceiling;      // enum verdict_ceiling
    uint32_t limitations; // enum verdict_limitation
    uint32_t sources;     // enum verdict_source
    uint32_t loss_ppm;    // of its window
    uint32_t observed_s;  // seconds watched of its window
    uint32_t window_s;
    char role[VERDICT_NAME_MAX]; // "household", "mail-server", "unknown"
    char rules_version[VERDICT_NAME_MAX];
    char conf_hash[33];
    char inputs[64]; // journal cursors "from-to": what to replay to see it again
    uint32_t evidence_count;
    struct verdict_evidence evidence[VERDICT_EVIDENCE_MAX];
};

// Does the class's own mark count in it, or has the class none? A later verdict of the same offence may rest on what
// is left of it, such as refusals without the bounces.
bool verdict_tells_class(const struct verdict *v);

// One sentence: who, what, since when, on what (the class's own mark, else the strongest evidence); the source is
// said where it is not packets alone.
void verdict_sentence(const struct verdict *v, char out[static VERDICT_SENTENCE_MAX]);

json_t *verdict_to_json(const struct verdict *v); // new reference; NULL: out of memory
// -EINVAL with the key at fault in `error`.
int verdict_from_json(const json_t *j, struct verdict *v, char error[static 160]);
json_t *verdict_evidence_to_json(const struct verdict_evidence *e);
