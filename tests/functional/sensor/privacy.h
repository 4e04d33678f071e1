// The two halves of postern-privacy: a child process that holds a sensor, and the one that knows what is
// secret and looks for it in the child's memory.
#pragma once

#include "sensor.h"

// Frames handed over at once.
#define PRIVACY_SHARED  (64u << 20)
#define PRIVACY_SERVERS 4096

struct frame {
    int64_t t_us;
    int32_t linktype;
    uint32_t wire, len, zero;
};

// What both processes see; frames behind it.
struct shared {
    uint64_t records, forbidden; // flow records, and those that say more than the profile allows
    int64_t first_us;
    uint64_t frames, octets;
    // Registered domains of TLS server names are said in clear; some hosts use theirs in HELO, too.
    unsigned servers;
    char server[PRIVACY_SERVERS][RECORD_NAME_MAX];
    unsigned char at[];
};

extern struct shared *shared;

struct privacy_setup {
    uint8_t profile;        // enum coverage_profile
    const char *smarthosts; // NULL: none
    const char *folder;     // for "records", "flows", "status"
};

// A file in the folder; valid until the next call.
const char *privacy_path(const char *folder, const char *name);
// Is it a registered domain that a record has said?
bool privacy_is_server(const void *name, size_t len);
// Never returns. One letter a command, the same letter when it is done: o open a sensor, f feed what is
// shared, k keep a copy of it, K forget that, w wait a minute, e end all flows, x free the sensor.
void privacy_child(const struct privacy_setup *setup, int in, int out);
