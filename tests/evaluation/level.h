// The two levels of generation held against each other: flow facts and dialogues as minute rows, counted, for a test that plays the
// same facts as packets through sensor and collector.
#pragma once

// Prints a line for each minute, role and direction: MINUTE,ROLE,DIRECTION,CONNECTIONS,UNANSWERED,REFUSED,ESTABLISHED,
// OCTETS-UP,OCTETS-DOWN. 0 or a sysexits code.
int level_count(const char *csv);

// The same of dialogues (dialogues.h). Prints what a row says of them, a line "WHERE WHAT N" for each count: reply classes,
// logins, SOCKS grants, and what the digests say.
int level_dialogues(const char *csv);
