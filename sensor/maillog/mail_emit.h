// Records of a mail log: each event gets its identity, where its client's network is, and goes to the
// sink; a coverage record a second says up to when the log was read.
#pragma once

#include "common/coverage.h"
#include "common/network_file.h"
#include "sink.h"

struct mail_emit_config {
    struct sink *sink;                   // borrowed; NULL: nobody takes records
    const struct network_file *networks; // borrowed
    struct coverage declared;            // name, leg and what else is declared
    uint32_t domain;
};

struct mail_emit;

struct mail_emit *mail_emit_new(const struct mail_emit_config *config); // NULL: out of memory
void mail_emit_free(struct mail_emit *e);

// Adds network and country, moves a time that lies behind the watermark up to it.
void mail_emit_record(struct mail_emit *e, struct record_mail *r);
// Log time moves: a coverage record for every second that ended. The first call names the epoch. A
// pause of more than six hours is not said to have been watched.
void mail_emit_advance(struct mail_emit *e, int64_t t_ms);
void mail_emit_finish(struct mail_emit *e); // the last coverage
int mail_emit_error(const struct mail_emit *e);
uint64_t mail_emit_count(const struct mail_emit *e);
