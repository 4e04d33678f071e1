// Counts of a party over time: what detectors sum over a window.
//
// Three rings of buckets: minutes for ten minutes, five minutes for an hour, hours for a day. A row is
// added to all three, so nothing has to be rolled up, and a late row finds its place as long as the
// ring still reaches there. Counts are 16 bits and stay at 65,535
// when they would pass it: no limit is that high. Times are minutes since 1970.
#pragma once

#include "common/minute.h"

enum feature_kind {
    FEATURE_COUNTER,  // counters of a row, summed over roles
    FEATURE_GAUGE,    // a gauge, summed
    FEATURE_SET,      // a set's size; the largest row stands, since rows once gone cannot be united
    FEATURE_COMPUTED, // added by window.c from the digests
};

#define FEATURE_MX    (1u << MINUTE_MX)
#define FEATURE_OWN   (1u << MINUTE_SMARTHOST)
#define FEATURE_OTHER (1u << MINUTE_SUBMISSION)
#define FEATURE_ANY   ((1u << MINUTE_ROLES) - 1)

// X(name, kind, roles, direction, first field, second field or the first again), in lists by the windows
// that may be asked for beside the hour. The order matters: the rings hold ranges of it.
#define FEATURES_TEN(X) /* and ten minutes */ \
    X(SCAN_SYNS, GAUGE, 0, MINUTE_OUT, scan_syns, scan_syns)
#define FEATURES_ALL(X) /* and ten minutes and a day */                              \
    X(MX_ESTABLISHED, COUNTER, FEATURE_MX, MINUTE_OUT, established, established)     \
    X(MX_CONNECTIONS, COUNTER, FEATURE_MX, MINUTE_OUT, connections, connections)     \
    X(MX_RCPT_OK, COUNTER, FEATURE_MX, MINUTE_OUT, rcpt_ok, rcpt_ok)                 \
    X(MX_MESSAGES, COUNTER, FEATURE_MX, MINUTE_OUT, messages_ok, messages_ok)        \
    X(OWN_RCPT_OK, COUNTER, FEATURE_OWN, MINUTE_OUT, rcpt_ok, rcpt_ok)               \
    X(OWN_MESSAGES, COUNTER, FEATURE_OWN, MINUTE_OUT, messages_ok, messages_ok)      \
    X(OTHER_RCPT_OK, COUNTER, FEATURE_OTHER, MINUTE_OUT, rcpt_ok, rcpt_ok)           \
    X(OTHER_MESSAGES, COUNTER, FEATURE_OTHER, MINUTE_OUT, messages_ok, messages_ok)  \
    X(PROVIDERS_MX, SET, FEATURE_MX, MINUTE_OUT, SET_providers_mx, SET_providers_mx) \
    X(FIRST_CONTACTS, COMPUTED, FEATURE_MX, MINUTE_OUT, connections, connections)
#define FEATURES_DAY(X) /* and a day */                                                      \
    X(MX_TLS, COUNTER, FEATURE_MX, MINUTE_OUT, tls_sessions, tls_sessions)                   \
    X(LISTED_EXPLOIT, COUNTER, FEATURE_MX, MINUTE_OUT, blocklist_exploit, blocklist_exploit) \
    X(LISTED_POLICY, COUNTER, FEATURE_MX, MINUTE_OUT, blocklist_policy, blocklist_policy)    \
    X(LISTED_UNKNOWN, COUNTER, FEATURE_MX, MINUTE_OUT, blocklist_unknown, blocklist_unknown) \
    X(SENDER_DOMAINS, SET, FEATURE_ANY, MINUTE_OUT, SET_sender_domains, SET_sender_domains)
#define FEATURES_TIMED(                                                                            \
    X) /* and when the first event was; of those that follow a bucket's begin is known */          \
    X(MX_NULL_SENDER, COUNTER, FEATURE_MX, MINUTE_OUT, null_sender, null_sender)                   \
    X(MX_RCPT_5XX, COUNTER, FEATURE_MX, MINUTE_OUT, rcpt_5xx, mail_5xx)                            \
    X(MX_550_NO_DATA, COUNTER, FEATURE_MX, MINUTE_OUT, sessions_550_no_data, sessions_550_no_data) \
    X(VRFY_EXPN, COUNTER, FEATURE_ANY, MINUTE_OUT, vrfy_expn, vrfy_expn)                           \
    X(LOGIN_FAILED, COUNTER, FEATURE_ANY, MINUTE_OUT, auth_failed, auth_failed)                    \
    X(FILTERED, COUNTER, FEATURE_ANY, MINUTE_OUT, filter_spam, filter_virus)                       \
    X(REFUSED_THERE, COUNTER, FEATURE_ANY, MINUTE_OUT, destination_5xx, destination_5xx)           \
    X(PUT_OFF_THERE, COUNTER, FEATURE_ANY, MINUTE_OUT, deferred, deferred)                         \
    X(PROVIDERS_OTHER, SET, FEATURE_OTHER, MINUTE_OUT, SET_providers_submission,                   \
      SET_providers_submission)                                                                    \
    X(AUTH_USERS, SET, FEATURE_ANY, MINUTE_OUT, SET_auth_users, SET_auth_users)                    \
    X(LOGIN_USERS, SET, FEATURE_ANY, MINUTE_OUT, SET_login_users, SET_login_users)                 \
    X(HELO_NAMES, SET, FEATURE_ANY, MINUTE_OUT, SET_helo_names, SET_helo_names)
#define FEATURES_HOUR(X)                                                                          \
    X(MX_GREETED, COUNTER, FEATURE_MX, MINUTE_OUT, banner_ok, banner_ok)                          \
    X(MX_HELO, COUNTER, FEATURE_MX, MINUTE_OUT, helo, helo)                                       \
    X(MX_TLS_SHORT, COUNTER, FEATURE_MX, MINUTE_OUT, tls_short, tls_short)                        \
    X(MX_UNASKED, COUNTER, FEATURE_MX, MINUTE_OUT, starttls_unasked, starttls_unasked)            \
    X(MX_EARLY, COUNTER, FEATURE_MX, MINUTE_OUT, early_talker, early_talker)                      \
    X(MX_PIPELINING, COUNTER, FEATURE_MX, MINUTE_OUT, unoffered_pipelining, unoffered_pipelining) \
    X(MX_HELO_ODD, COUNTER, FEATURE_MX, MINUTE_OUT, helo_literal, helo_peer)                      \
    X(MX_QUIT_MISSING, COUNTER, FEATURE_MX, MINUTE_OUT, quit_missing, quit_missing)               \
    X(MX_MAIL, COUNTER, FEATURE_MX, MINUTE_OUT, mail, mail)                                       \
    X(MX_OCTETS, COMPUTED, FEATURE_MX, MINUTE_OUT, octets_up, octets_up)                          \
    X(LOGIN_TRIES, COUNTER, FEATURE_ANY, MINUTE_OUT, auth, auth)                                  \
    X(IN25_DELIVERED, COMPUTED, FEATURE_MX, MINUTE_IN, messages_ok, messages_ok)                  \
    X(OWN_ESTABLISHED, COUNTER, FEATURE_OWN, MINUTE_OUT, established, established)                \
    X(OWN_TLS, COUNTER, FEATURE_OWN, MINUTE_OUT, tls_sessions, tls_sessions)                      \
    X(OTHER_ESTABLISHED, COUNTER, FEATURE_OTHER, MINUTE_OUT, established, established)            \
    X(OTHER_TLS, COUNTER, FEATURE_OTHER, MINUTE_OUT, tls_sessions, tls_sessions)                  \
    X(SOCKS_GRANTED, GAUGE, 0, MINUTE_IN, socks_in_granted, socks_in_granted)                     \
    X(SOCKS_MAIL, GAUGE, 0, MINUTE_IN, socks_in_mail, socks_in_mail)
#define FEATURES(X) \
    FEATURES_TEN(X) FEATURES_ALL(X) FEATURES_DAY(X) FEATURES_TIMED(X) FEATURES_HOUR(X)

#define FEATURE_ENUMERATE(name, kind, roles, direction, first, second) FEATURE_##name,
#define FEATURE_COUNT(name, kind, roles, direction, first, second)     +1
enum feature { FEATURES(FEATURE_ENUMERATE) FEATURE_N };

// What each ring holds: all features in five minutes, ranges of them in minutes and hours.
#define FEATURE_MINUTE_N  (0 FEATURES_TEN(FEATURE_COUNT) FEATURES_ALL(FEATURE_COUNT))
#define FEATURE_HOUR_FROM (0 FEATURES_TEN(FEATURE_COUNT))
#define FEATURE_HOUR_N    (0 FEATURES_ALL(FEATURE_COUNT) FEATURES_DAY(FEATURE_COUNT))
// Of these, five minutes know when the first event was.
#define FEATURE_TIMED_N (FEATURE_HOUR_FROM + FEATURE_HOUR_N FEATURES_TIMED(FEATURE_COUNT))

#define FEATURE_MINUTES 11 // ten whole minutes and the one that runs
#define FEATURE_FIVES   13
#define FEATURE_HOURS   25

// Octets are counted in units of so many, so that 16 bits suffice.
#define FEATURE_OCTETS_UNIT 256

// Zeroed is valid and empty. A bucket's `start` is its number + 1: minutes since 1970 / step. `first`
// is when its first event was, in 256ths of the bucket's length.
struct feature_rings {
    uint32_t minute_start[FEATURE_MINUTES];
    uint32_t five_start[FEATURE_FIVES];
    uint32_t hour_start[FEATURE_HOURS];
    uint16_t minute[FEATURE_MINUTES][FEATURE_MINUTE_N];
    uint16_t five[FEATURE_FIVES][FEATURE_N];
    uint16_t hour[FEATURE_HOURS][FEATURE_HOUR_N];
    uint8_t five_first[FEATURE_FIVES][FEATURE_TIMED_N];
    uint8_t hour_first[FEATURE_HOURS][FEATURE_HOUR_N];
};

// Adds what a row says; computed features are not touched.
void feature_add_row(struct feature_rings *f, const struct minute_row *r);

// `t_ms`: when the first of `value` was.
void feature_add(struct feature_rings *f, int64_t t_ms, enum feature feature, uint64_t value);

// Sum (sets: maximum) over the buckets that overlap the `window_s` seconds up to `now_ms`; 86,400 at
// most. Windows to ten minutes are exact to the minute, to an hour to five minutes, else to the hour.
// Asked for a window that its list does not name, a feature of an hour answers for the hour.
uint64_t feature_sum(const struct feature_rings *f, enum feature feature, int64_t now_ms,
                     int32_t window_s);

// When the first event of that sum was, at most a second or two late within the hour, else a quarter of a
// minute, and never early; `now_ms` when there was none.
int64_t feature_first(const struct feature_rings *f, enum feature feature, int64_t now_ms,
                      int32_t window_s);

// When the last event was that the feature counts: the end of its minute or its five minutes within the hour, `now_ms`
// at most; further back the first event of the last hour that has any. `now_ms` when there was none. Of a set only what
// is half as large as the largest of the day is taken: less is no reason to think of it.
int64_t feature_last(const struct feature_rings *f, enum feature feature, int64_t now_ms);

bool feature_is_set(enum feature feature);
