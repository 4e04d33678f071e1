// Line by line.
#include "smtp_reader.h"

#include <ctype.h>
#include <stdlib.h>

static bool begins(const char *line, const char *word)
{
    return strncasecmp(line, word, strlen(word)) == 0;
}

static void command(struct smtp_reader *r, const char *line, struct smtp_seen *seen)
{
    if (r->body) {
        r->body = strcmp(line, ".") != 0;
        return;
    }
    if (r->logging_in > 0) {
        r->logging_in--;
        return;
    }
    if (begins(line, "MAIL FROM:")) {
        seen->mail++;
        seen->null_sender += begins(line, "MAIL FROM:<>");
    } else if (begins(line, "RCPT TO:")) {
        seen->rcpt++;
    } else if (begins(line, "DATA")) {
        seen->data++;
    } else if (begins(line, "BDAT ")) {
        seen->bdat++;
        r->chunk = strtoull(line + 5, NULL, 10);
    } else if (begins(line, "AUTH ")) {
        seen->auth++;
        r->logging_in = begins(line, "AUTH LOGIN") ? 2 : 0;
    } else if (begins(line, "STARTTLS")) {
        seen->starttls++;
        r->asked_tls = true;
    } else if (begins(line, "VRFY ") || begins(line, "EXPN ")) {
        seen->probes++;
    }
}

static void reply(struct smtp_reader *r, const char *line)
{
    if (!r->is_smtp && !r->no_smtp) {
        r->is_smtp = isdigit((unsigned char)line[0]) && (begins(line, "220") || line[0] > '3');
        r->no_smtp = !r->is_smtp;
    }
    if (begins(line, "354"))
        r->body = true;
    if (r->asked_tls) {
        r->tls = begins(line, "220");
        r->asked_tls = false;
    }
}

void smtp_read(struct smtp_reader *r, bool server, struct span data, struct smtp_seen *seen)
{
    for (size_t i = 0; i < data.len && !r->tls && !r->no_smtp; i++) {
        if (!server && r->chunk > 0) {
            r->chunk--;
            continue;
        }
        char c = (char)data.data[i];
        size_t *len = &r->len[server];
        if (c != '\n') {
            if (*len < SMTP_LINE_MAX - 1)
                r->line[server][(*len)++] = c;
            continue;
        }
        while (*len > 0 && r->line[server][*len - 1] == '\r')
            --*len;
        r->line[server][*len] = 0;
        *len = 0;
        if (server)
            reply(r, r->line[1]);
        else
            command(r, r->line[0], seen);
    }
}
