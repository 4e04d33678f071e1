// What a detector is: one file in detectors/ that ends in one descriptor, and one line in registry.c.
//
// A detector looks at a party's window (and a small state of its own) and says what it found as
// evidence: numbers, limit, and how much it weighs in natural log-odds, after its own cap. It decides
// nothing: policy.c does. docs/detectors/NAME.md argues each one's rule and defaults.
#pragma once

#include "common/conf.h"
#include "window.h"

// What has to be seen for a detector to work; site.c says what is.
enum detector_need {
    DETECTOR_PORT25 = 1 << 0,       // attempts on port 25 reach the mirror
    DETECTOR_ANSWERS = 1 << 1,      // both directions
    DETECTOR_HANDSHAKES = 1 << 2,   // packets, not a router's flow export
    DETECTOR_ENVELOPE = 1 << 3,     // the dialogue with anybody's server (legal profile)
    DETECTOR_OWN_DIALOGUE = 1 << 4, // the dialogue with our own smarthost
    DETECTOR_UNSAMPLED = 1 << 5,
    DETECTOR_OTHER_PORTS = 1 << 6, // what flows on ports of no mail, not its ends alone (tier B)
};

#define DETECTOR_CLASS(c) (1u << (c))

// What evidence rests on: facts that one and the same event makes once. Two findings that share one are one witness,
// whatever their families (docs/detectors/evidence.md).
enum detector_raw {
    DETECTOR_RAW_FAILED = 1 << 0,   // providers on port 25 that did not answer, or turned it away
    DETECTOR_RAW_REACHED = 1 << 1,  // those that did
    DETECTOR_RAW_HOURS = 1 << 2,    // when there was mail
    DETECTOR_RAW_REFUSALS = 1 << 3, // 5xx for recipients and messages that name no blocklist
    DETECTOR_RAW_LISTINGS = 1 << 4, // replies that name one
    DETECTOR_RAW_SPEECH = 1 << 5,   // how the client speaks
    DETECTOR_RAW_SIZES = 1 << 6,    // what a session on port 25 carries
    DETECTOR_RAW_TLS_CLIENT = 1 << 7,
    DETECTOR_RAW_NULL_SENDERS = 1 << 8,
    DETECTOR_RAW_VOLUME = 1 << 9,    // recipients and messages through mail services
    DETECTOR_RAW_NAMES = 1 << 10,    // senders, domains, HELO names
    DETECTOR_RAW_ACCOUNTS = 1 << 11, // users that log in or try to
    DETECTOR_RAW_SERVICES = 1 << 12, // providers of submission and mailboxes
    DETECTOR_RAW_SERVICE_SESSIONS = 1 << 13,
    DETECTOR_RAW_RELAYED = 1 << 14, // in matched with out
    DETECTOR_RAW_LONG_FLOW = 1 << 15,
    DETECTOR_RAW_PAST = 1 << 16,     // the party's own, which makes no witness
    DETECTOR_RAW_PLACES = 1 << 17,   // from where an account is used
    DETECTOR_RAW_FILTERED = 1 << 18, // what filters and destinations made of its mail
    DETECTOR_RAW_TRIES = 1 << 19,    // failed logins, counted
};

struct calendar;
struct prints;
struct site;

struct detector_ctx {
    int64_t now_ms;
    const void *conf; // the detector's own section
    enum role role;
    double factor;     // of the party's profile: multiplies limits that are counts
    bool site_failing; // mail fails for many parties now: failures say nothing of one
    int64_t site_failing_since_ms;
    bool port25_blocked;
    bool flagged;              // a verdict is open: what happens now is nobody's habit
    const struct site *site;   // when was watched
    struct calendar *calendar; // the site's clock
    int64_t day_ms;            // when the local day began
    struct prints *prints;     // the site's TLS clients
};

struct detector_finding {
    struct verdict_evidence evidence;
    uint32_t supports;     // classes it speaks for
    uint32_t defines;      // of these, the ones it may open: others need a finding of their own
    uint8_t ceiling;       // what may be done on this alone (enum verdict_ceiling)
    uint32_t limitations;  // enum verdict_limitation
    bool rests_on_silence; // nothing that came back is part of it
    uint32_t raw;          // enum detector_raw
};

#define DETECTOR_FINDINGS_MAX 4

// A mailbox has no flows of its own and a line no log-ins to be told of: what is kept of either alone lies in the same
// place. A party that has no such state is not observed by the detector, which is shown zeros instead.
enum detector_whose { DETECTOR_OF_ALL, DETECTOR_OF_LINES, DETECTOR_OF_MAILBOXES };

struct detector_descriptor {
    const char *name;    // "fan-out"
    const char *section; // "fan_out"
    const char *help;
    uint8_t family; // enum verdict_family
    uint32_t needs; // enum detector_need, all of them
    uint32_t raw;   // enum detector_raw of its findings, unless one says otherwise
    // Roles (FEATURE_MX, ...) whose dialogue its findings rest on: sessions under TLS tell it nothing, or a HELO name at
    // most. 0: it works through TLS.
    uint32_t reads;
    const struct conf_key *keys;
    size_t conf_size;
    size_t state_size; // octets of own state a party; zeroed is valid
    uint8_t whose;     // enum detector_whose: parties that have one
    // Learns from a row that has just been added to the window. May be NULL.
    void (*observe)(void *state, const struct window *w, const struct minute_row *r,
                    const struct window_contacts *contacts, const struct detector_ctx *ctx);
    // Fills `out` with what stands at ctx->now_ms; returns how many.
    size_t (*evaluate)(const struct window *w, const void *state, const struct detector_ctx *ctx,
                       struct detector_finding out[static DETECTOR_FINDINGS_MAX]);
    // The party is found to be a bot that is worth a quarantine, by evidence that allows that much. Said again as
    // long as it is so. May be NULL.
    void (*confirm)(void *state, const struct detector_ctx *ctx);
    // What of its section contradicts itself: a sentence with the fix, and the key; NULL: nothing. May be NULL.
    const char *(*check)(const void *conf, const char **key);
};

// NULL-terminated, in the order in which they are shown.
extern const struct detector_descriptor *const detectors[];

#define DETECTORS_MAX 32

// All detectors' states together are at most so large: with the rest of a party, 8 kB (party.c).
#define DETECTOR_STATES_MAX 2752

// Octets of all detectors' states together, and where one's begins.
size_t detector_state_size(void);
size_t detector_state_offset(size_t index);

// ---- For detectors

// "10 minutes", "1 hour", "45 seconds": whole units, rounded.
#define DETECTOR_SPAN_MAX 32
const char *detector_span(int64_t seconds, char out[static DETECTOR_SPAN_MAX]);

// Classes that spread and refusals speak for, by what the party does at mail servers. Of these,
// spambot-direct alone can be opened by them.
uint32_t detector_classes_of(const struct window *w, int64_t now_ms);

// Which class mail is of that a party sends under many names: of our smarthost's, of others' submission servers, or
// straight to mail providers, by where most of its accepted recipients of the day went. 0: none was seen to be taken.
uint32_t detector_class_of_mail(const struct window *w, int64_t now_ms);

// "a household without a mail server", ...: who a limit is for.
const char *detector_role_text(enum role role);

// Whether most of what fails in this row has nothing to do with mail: somebody knocks at addresses or peers, and the
// ports of submission and mailbox servers are some of many (a worm, BitTorrent). No list of mail servers then. `rows`
// is the caller's, zero at first: rows are cut at failures and some hold few, so it stays so for ten more.
bool detector_is_wide(uint8_t *rows, const struct minute_row *r);

// Weight of a count over its limit: `at_limit` when it is just passed, `per_doubling` more each time
// it doubles, `cap` at most. 0 when it is not passed.
double detector_excess(double measured, double limit, double at_limit, double per_doubling,
                       double cap);

// The earliest first event of several features.
int64_t detector_first(const struct window *w, const enum feature *features, size_t count,
                       int64_t now_ms, int32_t window_s);

// The latest last event of those that there were in the window; `now_ms` when there was none.
int64_t detector_last(const struct window *w, const enum feature *features, size_t count,
                      int64_t now_ms, int32_t window_s);

// A finding with detector, family, numbers and times filled; the sentence is the caller's.
struct detector_finding detector_finding_of(const struct detector_descriptor *d, double measured,
                                            double limit, const char *unit, int32_t window_s,
                                            double log_odds);
