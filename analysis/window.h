// All that analysis remembers of a party: at most 8 kB, whatever the party does.
//
// Counts come from rows, what happened within a minute from their digests. Rows are additive (early
// slices, closing rows, amendments), so each is added once and nothing is replaced. Detectors' own
// state lies behind the window (registry.h).
#pragma once

#include "common/verdict.h"
#include "feature.h"
#include "providers.h"
#include "role.h"

struct window {
    int64_t first_ms;      // first row's minute
    int64_t last_ms;       // latest cut
    uint32_t loss_ppm[2];  // worst of this hour and of the one before
    uint32_t quality_hour; // hour of loss_ppm[0]
    uint32_t cut_minute;   // latest minute whose digests were cut, 0: none
    int64_t scan_ms;       // latest row that scanned addresses, 0: none
    uint32_t flags;        // union of minute_flags
    uint32_t source_end
        [3]; // when the latest minute ended that packets, a log, an export told of; minutes
    struct role_state role;
    struct feature_rings features;
    struct providers providers;
};

// Contacts of a row, in the order in which they ended.
#define WINDOW_CONTACTS_MAX 256

struct window_contacts {
    size_t count;
    struct contact contact[WINDOW_CONTACTS_MAX];
};

struct window_options {
    int64_t memory_ms;     // how long a contacted provider stays known
    bool source_validated; // suspected spoofing is the subscriber's own
    bool named_server;     // the operator's word for this key
    bool site_failing;     // mail fails for many: a failed contact is none that one learns from
};

// Adds a row to the window and says which contacts with mail providers ended in it.
void window_add(struct window *w, const struct minute_row *r, const struct window_options *options,
                struct window_contacts *contacts);

// What told of the party since then: enum verdict_source; packets when no row says.
uint32_t window_sources(const struct window *w, int64_t since_ms);

// Does the row tell of anything the party did, or answered? A scan from outside that met nobody is no
// reason to remember a party.
bool window_concerns(const struct minute_row *r);

// Is there anything in the row that a detector looks at?
bool window_moves(const struct minute_row *r);

// Can the row change what is thought of the party? Reading mail and surfing cannot.
bool window_tells(const struct minute_row *r);

uint64_t window_sum(const struct window *w, enum feature feature, int64_t now_ms, int32_t window_s);

// When the first event of that sum was; `now_ms` when there was none.
int64_t window_first(const struct window *w, enum feature feature, int64_t now_ms,
                     int32_t window_s);

// When the last event was that the feature counts; `now_ms` when there was none.
int64_t window_last(const struct window *w, enum feature feature, int64_t now_ms);

// When a mail provider was last contacted, `now_ms` when none was.
int64_t window_last_contact(const struct window *w, int64_t now_ms);

// Distinct mail providers contacted in the window; `*first_ms` as providers_within has it.
double window_providers(const struct window *w, int64_t now_ms, int32_t window_s,
                        int64_t *first_ms);
uint32_t window_loss_ppm(const struct window *w, int64_t now_ms);
bool window_digests_cut(const struct window *w, int64_t now_ms, int32_t window_s);

// SYNs to addresses in bulk, each sent once: a scan, not mail.
bool window_scans(const struct window *w, int64_t now_ms);

// Hardly any of the day's connections to mail servers was answered: a block that is declared is real.
bool window_is_cut_off(const struct window *w, int64_t now_ms);

// What the party does at mail servers, by the dialogues of the last hour: the same spread and the same
// refusals mean different things.
enum window_kind {
    WINDOW_MAIL,    // sends mail, or nothing is known
    WINDOW_BOUNCES, // nearly all with the null sender
    WINDOW_PROBES,  // asks for recipients and sends nothing
    WINDOW_LOGINS,  // tries passwords and sends nothing
};

// Does it ask servers for senders of mail that it has received: the null sender, one recipient, and no message? By the
// dialogues of the last hour that could be read.
bool window_verifies(const struct window *w, int64_t now_ms);

enum window_kind window_kind(const struct window *w, int64_t now_ms);
