// What the desk has said while analysis runs: exemptions and roles, each with owner, reason and time.
//
// Kept in a file of its own (overrides.json in analysis.state), replaced whole at each change, so that they
// survive a restart. Each holds from the packet time at which it was said: what is read again after a crash is
// judged as it was. Those of the configuration (analysis.exemptions, site.mail_servers) stand beside them.
#pragma once

#include "common/json.h"
#include "exempt.h"
#include "role.h"

#define OVERRIDES_MAX  4096
#define OVERRIDE_TEXT  201
#define OVERRIDE_ERROR 200

struct overrides;

struct overrides *overrides_new(void); // NULL: out of memory
void overrides_free(struct overrides *o);

// 0, also when there is no file; -EINVAL with `error`: it is none of ours.
int overrides_load(struct overrides *o, const char *path, char error[static OVERRIDE_ERROR]);
int overrides_save(const struct overrides *o, const char *path);

// Those in the folder analysis.state, for a job that judges the past: what was said when. The caller's. What cannot
// be read is said in the log, and the job judges without it; NULL: out of memory.
struct overrides *overrides_of_state(const char *state);

// `request` as in docs/formats/control.md: {"subject","class","owner","reason","expires"} adds, {"end":subject,
// "class"} ends. 0, or -EINVAL with `error`.
int overrides_exempt(struct overrides *o, const json_t *request, int64_t now_ms,
                     char error[static OVERRIDE_ERROR]);

// {"party","role","owner","reason"}; role "auto" takes it back. 0, or -EINVAL with `error`.
int overrides_role(struct overrides *o, const json_t *request, int64_t now_ms,
                   char error[static OVERRIDE_ERROR]);

json_t *overrides_to_json(const struct overrides *o); // new reference

// Did an exemption begin within that time?
bool overrides_began(const struct overrides *o, int64_t from_ms, int64_t to_ms);

bool overrides_is_exempt(const struct overrides *o, unsigned class_, const struct party *party,
                         const struct subscriber_key *key, int64_t now_ms);
// The desk's word for the role, or `learnt`.
enum role overrides_role_of(const struct overrides *o, const struct party *party, enum role learnt,
                            int64_t now_ms);
