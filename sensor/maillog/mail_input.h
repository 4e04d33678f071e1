// Logs as files of a job: opened plain or compressed by gzip; looked at before they are read, for which log it is, its
// first stamp, and of stamps without a year the year they begin in.
#pragma once

#include <stdio.h>

#include "gunzip.h"
#include "maillog/mail_line.h"

struct mail_input {
    FILE *plain; // NULL: compressed
    struct gunzip *packed;
};

// "-" is standard input. Negative errno: -EISDIR for a folder.
int mail_input_open(const char *path, struct mail_input *out);
size_t mail_input_read(struct mail_input *in, void *out, size_t size);
void mail_input_close(struct mail_input *in);

struct mail_look {
    const char *path;
    uint64_t device, inode; // inode 0: not known
    int64_t first_ms;       // 0: no stamp was found
    int64_t ref_ms;         // no line is later: the file's own time, or now
    int year;     // of the first line, when its stamps have none; 0: they have, or none was found
    bool capture; // of packets
};

// Never fails: of what cannot be read (and of "-") nothing is known. Stamps without a year are read backwards from the
// file's own time, a year for each time that the months begin anew.
void mail_look(const char *path, int64_t now_ms, struct mail_look *out);

// Into the order of first stamps; a file without one stays behind the file it was given behind. With "-" among them the
// order is the given one. Was anything moved?
bool mail_look_order(struct mail_look *look, size_t count);
// Is `look[at]` the same file as one before it?
bool mail_look_repeats(const struct mail_look *look, size_t at);
