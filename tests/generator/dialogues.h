// Dialogues from CSV: what was said in each conversation, so that the same can be played as packets (family `dialogue`)
// and as minute rows (tests/evaluation).
//
// Columns in this order: start_s,what,rcpt_ok,rcpt_4xx,rcpt_5xx,login. `what`: mx (port 25), refused (the greeting names an
// exploit listing), starttls (port 25, nothing can be read), submission (587), access (143), socks (granted, towards a
// mail server), socks-failed. `login`: none, right, wrong.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define DIALOGUES_MAX 10000

enum dialogue_what {
    DIALOGUE_MX,
    DIALOGUE_REFUSED,
    DIALOGUE_STARTTLS,
    DIALOGUE_SUBMISSION,
    DIALOGUE_ACCESS,
    DIALOGUE_SOCKS,
    DIALOGUE_SOCKS_FAILED,
    DIALOGUE_KINDS
};
enum dialogue_login { DIALOGUE_NONE, DIALOGUE_RIGHT, DIALOGUE_WRONG };

struct dialogue {
    double start_s;
    uint8_t what, login;
    uint8_t rcpt_ok, rcpt_4xx, rcpt_5xx;
};

struct dialogues {
    struct dialogue *item; // owned; in the file's order
    size_t count;
};

// 0, or a sysexits code after one line on stderr with file and line.
int dialogues_load(const char *path, struct dialogues *out);
void dialogues_free(struct dialogues *d);
