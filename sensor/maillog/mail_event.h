// Lines of JSON: mail events in our own form (docs/formats/mail-event.md), and log lines that journald
// wraps (journalctl -o json).
#pragma once

#include "common/json.h"
#include "maillog/mail_line.h"
#include "maillog/mail_note.h"

enum mail_event_result {
    MAIL_EVENT_BROKEN, // no JSON object, or a member with a wrong value: `error` says which
    MAIL_EVENT_NOTE,   // `note` is filled
    MAIL_EVENT_LINE,   // an entry of the journal: `line` is filled
    MAIL_EVENT_OTHER,  // an entry of the journal without a message
};

struct mail_event {
    json_t *object; // what the spans below were taken from; until the next call
    struct mail_note note;
    struct mail_line line;
    struct span server;
    char recipients[4096]; // the list, with blanks between
    char message[4096];    // of the journal, when it came as a list of octets
    char error[160];
};

// Zeroed is valid. The result's spans are borrowed until the next call.
enum mail_event_result mail_event_read(struct mail_event *e, struct span text);
void mail_event_fini(struct mail_event *e);
