// Inside of the engine: what engine.c (rows in, time passes) and judge.c (verdicts out) share.
#pragma once

#include "ballot.h"
#include "engine.h"
#include "party.h"
#include "prints.h"
#include "site.h"

struct engine_counters {
    uint64_t rows, amendments, opened, updated, closed, exempted, expired, unobserved, deferred,
        passed_over;
};

struct engine {
    struct engine_options options;
    char conf_hash[33];
    engine_verdict_fn fn;
    void *ctx;
    struct site site;
    struct ballot ballot;  // whether mail fails for everybody
    struct prints *prints; // the TLS clients of the site
    struct calendar *calendar;
    struct party_table *parties;
    struct prefix_set *servers; // site.mail_servers
    struct policy_class rules[VERDICT_CLASSES];
    bool on[DETECTORS_MAX];
    size_t state_offset[DETECTORS_MAX];
    const void *conf[DETECTORS_MAX];
    int64_t expired_ms, looked_ms, mark_ms;
    int64_t close_ms;                // no open verdict can be closed before; 0: not known
    bool exempts;                    // exemptions may have begun with the configuration
    struct window_contacts contacts; // of the row at hand
    struct engine_counters counters;
};

// Is the detector on, and is what it needs seen?
bool engine_works(const struct engine *e, size_t detector);

// The detector's state of the party, to be read; zeros where it keeps none of such parties.
const void *engine_state(const struct engine *e, struct party_state *p, size_t detector);
bool engine_has_state(const struct party_state *p, size_t detector);

// Why a detector is off or blind here, in words. False: it works.
bool engine_why_off(const struct engine *e, size_t detector, char out[static 200]);

// What detectors are told of the party at that time.
struct detector_ctx engine_context(const struct engine *e, const struct party_state *p,
                                   int64_t now_ms);

// One class in question for a party: what policy makes of it now.
struct judge_view {
    unsigned class_;
    double open; // score from which it opens
    struct judgement judgement;
    const struct verdict *verdict; // open; borrowed; NULL: none
    int64_t supported_ms;          // of an open one: evidence last supported it
    int64_t closes_ms;             // and when it closes unless evidence supports it again
    const char *explained_by;      // class that is open and its cause; NULL: none
    bool deferred; // it would open, and rests on failures while mail fails for the whole site
};

// All classes that anything is found for, or that are open; changes nothing. How many.
size_t judge_look(const struct engine *e, struct party_state *p, int64_t now_ms,
                  struct judge_view out[static VERDICT_CLASSES]);

// The name of a party's verdict that was opened then.
#define JUDGE_ID_MAX 40
void judge_name(const struct party *party, unsigned class_, int64_t opened_ms,
                char out[static JUDGE_ID_MAX]);

// Evaluates all detectors on the party and opens or goes on with its verdicts. 0 or -ENOMEM.
int judge_party(struct engine *e, struct party_state *p, struct detector_ctx *ctx,
                const struct journal_cursor *to);

// Says of open verdicts that they are exempt by now: whoever acts on them lets go.
void judge_exempt(struct engine *e, struct party_state *p, int64_t now_ms);

// The address is somebody else's: what is open of who had it before is over.
void judge_end(struct engine *e, struct party_state *p, int64_t now_ms);

// Verdicts that waited for a sign of the lease are what they would have been at once, if the row tells of one.
void judge_confirm(struct engine *e, struct party_state *p, const struct minute_row *r);

// Closes verdicts that nothing has supported for their quiet time. When the next may be, INT64_MAX: none.
int64_t judge_close_quiet(struct engine *e, struct party_state *p, int64_t now_ms);
