// Octets into lines. A line over MAIL_LINE_MAX is handed out cut, its rest passed over.
#pragma once

#include "maillog/mail_line.h"

typedef void (*mail_lines_fn)(void *ctx, struct span line);

struct mail_lines { // zeroed is valid
    size_t len;
    uint8_t held[MAIL_LINE_MAX + 1]; // one more: so that who counts long lines sees them
};

void mail_lines_feed(struct mail_lines *l, struct span in, mail_lines_fn fn, void *ctx);
// A last line without its end.
void mail_lines_end(struct mail_lines *l, mail_lines_fn fn, void *ctx);
