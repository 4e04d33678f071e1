// Analysis as one object: rows, site minutes and coverage go in, in the journal's order; verdicts come
// out. It reads no clock and no file, so the same journal gives the same verdicts.
#pragma once

#include "common/control.h"
#include "common/daemon.h"
#include "common/verdict.h"
#include "settings.h"

#define ENGINE_RULES_VERSION "2026.11" // changes when a detector or the policy judges otherwise

struct engine;
struct overrides;

struct engine_options {
    const struct settings *settings;   // borrowed for good
    const struct conf_site *site;      // borrowed for good
    const struct overrides *overrides; // borrowed for good; NULL: none
    const char *conf_hash;             // 32 hex digits; copied
};

typedef void (*engine_verdict_fn)(const struct verdict *v, void *ctx);

struct engine *engine_new(const struct engine_options *options, engine_verdict_fn fn,
                          void *ctx); // NULL: out of memory
void engine_free(struct engine *e);

// Another configuration from here on; what is remembered stays, and so does analysis.parties_max. 0 or
// -ENOMEM, then the old one stays.
int engine_reconfigure(struct engine *e, const struct engine_options *options);

// `from` and `to`: journal positions before and behind the entry, for a verdict's inputs. 0 or
// -ENOMEM.
int engine_row(struct engine *e, const struct minute_row *r, const struct journal_cursor *from,
               const struct journal_cursor *to);
void engine_site(struct engine *e, const struct minute_site *m);
void engine_coverage(struct engine *e, const struct coverage_minute *c);

// Time has passed to `mark_ms`: verdicts without support for long enough are closed.
void engine_mark(struct engine *e, int64_t mark_ms);

// Counters and what is not visible.
void engine_status(const struct engine *e, struct control_status *out);
