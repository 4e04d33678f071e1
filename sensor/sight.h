// What a live sensor sees, held against what was declared of its leg, NAT side and port 25: a mirror of
// the wrong port, or a block that is not where it is said to be, shows in who speaks with whom.
//
// Connections are judged when they end, over the present and the last half hour, and only from a number
// of cases on. Captures are not judged: nobody declared anything of them.
#pragma once

#include "common/coverage.h"
#include "flow.h"

struct sight_sums {
    uint64_t flows, subscriber_flows;
    uint64_t private_subscribers, public_subscribers; // of the latter
    uint64_t out25, out25_answered;          // subscribers to port 25 of others than the smarthosts
    uint64_t mail_smarthost, mail_elsewhere; // subscribers' mail, by where it goes
};

enum sight_finding {
    SIGHT_FINE,
    SIGHT_NO_SUBSCRIBERS,
    SIGHT_NAT_INSIDE,     // declared outside
    SIGHT_NOT_BLOCKED,    // blocked before the mirror, and attempts are seen
    SIGHT_BLOCK_LEAKS,    // blocked behind it, and attempts are answered
    SIGHT_BLOCKED,        // declared open, and nothing answers
    SIGHT_NO_SMARTHOST,   // the smarthost's leg without mail to it
    SIGHT_SMARTHOST_HERE, // transit or PNI that carries subscribers' mail to the smarthost
    SIGHT_FINDINGS
};

struct sight {
    uint8_t leg, nat, port25;
    bool has_smarthosts;
    struct sight_sums half[2]; // the last half hour, the present one
    int64_t present;           // its number
    int64_t mail_at_ms;        // when mail was last seen, or the watch began
    uint64_t mail_flows;
    enum sight_finding finding;
    bool no_mail;
};

void sight_init(struct sight *s, const struct coverage *declared, bool has_smarthosts);
// A flow that ends.
void sight_flow(struct sight *s, const struct flow *f);
// At each second's end, with the counters since the start. Local time is the process's (TZ).
void sight_second(struct sight *s, int64_t t_ms, uint64_t mail_flows);
// Nothing was watched until then.
void sight_pause(struct sight *s, int64_t t_ms);
// COVERAGE_NO_MAIL, COVERAGE_LEG_WRONG.
uint32_t sight_alarms(const struct sight *s);
// What is wrong with the declaration and what to correct; "": nothing.
const char *sight_text(const struct sight *s);
