// Finding one's way in the text of log lines that holds what outsiders wrote: names in brackets, reply
// codes, addresses. All on spans, nothing is copied, nothing is trusted to be well-formed.
#pragma once

#include "common/addr.h"
#include "common/span.h"

#define MAIL_TEXT_NONE ((size_t)-1)

// Where `what` begins first (last), from `from` on; MAIL_TEXT_NONE.
size_t mail_text_find(struct span s, size_t from, const char *what);
size_t mail_text_find_last(struct span s, const char *what);
// ASCII case ignored.
bool mail_text_has(struct span s, const char *what);

// What stands behind `key` up to `end` (the rest of the text when it does not come); false: no key.
bool mail_text_between(struct span s, const char *key, const char *end, struct span *out);

// "NAME[ADDRESS]" or "NAME[ADDRESS]:PORT" at the beginning; the address may have "IPv6:" before it.
// Octets taken, 0: there is none. `*addr` is IP_NONE when what stands in brackets is no address.
size_t mail_text_client(struct span s, struct ip_addr *addr, uint16_t *port);

// A literal address; false: none.
bool mail_text_address(struct span s, struct ip_addr *out);

// Decimal; what does not fit is its maximum. Octets taken.
size_t mail_text_number(struct span s, uint32_t *out);

// "550 ", "550-5.7.1", or an enhanced code alone ("5.7.1 ", RFC 3463) as 550: the reply code, 0: none.
uint16_t mail_text_reply(struct span s);

// enum record_mail_filter of a refusal's words; RECORD_FILTER_NONE when they name no filter.
uint8_t mail_text_filter(struct span s);
// As in struct record_mail: 0 none, 1 policy, 2 exploit, 3 unknown.
uint8_t mail_text_blocklist(struct span s);
