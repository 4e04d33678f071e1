// The sensors that may speak, and for what: `sensors.json` beside the authority's key. Who was invited has a token; who
// redeemed it has a certificate, of which only the last counts; who was revoked has none.
#pragma once

#include "common/json.h"
#include "common/record.h"
#include "common/tls_peer.h"

#define REGISTRY_DOMAINS_MAX  64
#define REGISTRY_PREFIXES_MAX 4096
#define REGISTRY_TOKEN_MAX    192

struct registry;
struct permit; // of one sensor; lives as long as the registry

enum permit_answer { PERMIT_YES, PERMIT_DOMAIN, PERMIT_PREFIX };

// Makes folder, authority and the collector's own certificate when they are not there. `server_names`: separated by commas.
// `error` says why not. Negative errno.
int registry_open(const char *dir, const char *site, const char *server_names, int64_t now_ms,
                  struct registry **out, char error[static 300]);
void registry_close(struct registry *r);
// Makes the collector's own certificate anew when it ends within 60 days. 1: it did; negative errno: it could not.
int registry_renew_own(struct registry *r, int64_t now_ms);
// Paths of the files for TLS; borrowed.
struct tls_files registry_files(const struct registry *r);

// Who showed this certificate; NULL: nobody we know, or no longer.
struct permit *registry_find(struct registry *r, const struct tls_identity *id);
// It came from there (source_of in sources.h): connections from there find a place when strangers take all others.
void permit_note_source(struct permit *p, uint64_t source);
bool registry_knows_source(const struct registry *r, uint64_t source);
size_t registry_count(const struct registry *r); // sensors with a certificate
const char *permit_name(const struct permit *p);
// Is this still the sensor's certificate?
bool permit_valid(const struct permit *p, const char *serial);
enum permit_answer permit_check(const struct permit *p, const struct record *r);
// Counted by reason, told in the status.
void permit_count(struct permit *p, enum permit_answer why, uint32_t domain);
// Its domains as "7,16-20". False: any.
#define PERMIT_DOMAINS_TEXT (REGISTRY_DOMAINS_MAX * 11 + 1)
bool permit_domains(const struct permit *p, char text[static PERMIT_DOMAINS_TEXT]);

// A token, good once and for a day. Replaces an earlier one; a certificate in use goes on until the token is redeemed.
// `prefixes` is a JSON list, NULL: any. `domains` is a list, or "any", or "auto": 1,024 that no other sensor has; NULL: what it
// had, when it is enrolled, else "auto". -EINVAL: `error` says what is wrong.
int registry_invite(struct registry *r, const char *name, const json_t *domains,
                    const json_t *prefixes, int64_t now_ms, char token[static REGISTRY_TOKEN_MAX],
                    char error[static 160]);
// Signs the request of who shows the token. -EACCES: no such token; -ETIMEDOUT: too old; -EINVAL: no request. `*pem`: the caller's,
// `*who` the registry's.
int registry_redeem(struct registry *r, const char *token, struct span request, int days,
                    int64_t now_ms, char **pem, const struct permit **who);
// Signs the request of who showed this certificate of ours: the earlier one stays good until it ends, for the answer may be
// lost on its way. -EACCES: revoked, or replaced by an enrolment.
int registry_renew(struct registry *r, const struct tls_identity *who, struct span request,
                   int days, int64_t now_ms, char **pem);
// Of a sensor's name; false: any, or no such sensor.
bool registry_domains(const struct registry *r, const char *name,
                      char text[static PERMIT_DOMAINS_TEXT]);
int registry_revoke(struct registry *r, const char *name); // -ENOENT: no such sensor

struct control_status;
// `days`: how long certificates are good.
void registry_status(const struct registry *r, struct control_status *s, int days, int64_t now_ms);
