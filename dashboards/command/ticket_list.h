// Tickets as the feed of changes leaves them: the last state of each, with the strongest evidence
// that was ever brought for it (a ticket that was closed since must still say why it was opened).
#pragma once

#include <stdio.h>

#include "common/ticket.h"

struct ticket_entry {
    struct ticket ticket;
    struct verdict verdict; // evidence_count 0: the feed brought none
};

struct ticket_list {
    struct ticket_entry *item; // owned; in the order of detection, then of number
    size_t count;
    size_t broken_lines; // lines of the feed that are no change, passed over
};

// Reads a feed (tickets.jsonl) to its end. 0, -ENOMEM, or -EIO; the caller frees in every case.
int ticket_list_read(struct ticket_list *l, FILE *feed);
void ticket_list_free(struct ticket_list *l);
