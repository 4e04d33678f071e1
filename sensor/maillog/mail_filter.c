// See mail_filter.h. A verdict names a message by what the sender may have written (a Message-ID), so who
// joins it compares both names when it has both.
#include "maillog/mail_filter.h"

#include "maillog/mail_text.h"

// "(05784-01) Blocked SPAM {...}, LOCAL [192.0.2.1]:4711 <a> -> <b>, Queue-ID: 4XyZ, Message-ID: <c>, ..."
static void read_amavis(struct span s, struct mail_note *note)
{
    static const struct {
        const char *word;
        uint8_t filter;
    } kinds[] = {{"SPAM", RECORD_FILTER_SPAM},
                 {"INFECTED", RECORD_FILTER_VIRUS},
                 {"BANNED", RECORD_FILTER_POLICY},
                 {"BAD-HEADER", RECORD_FILTER_POLICY}};
    size_t at = mail_text_find(s, 0, ") Blocked ");
    if (at == MAIL_TEXT_NONE || at > 64 || s.data[0] != '(')
        return;
    struct span what = span_cut(s, at + 10, s.len);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (span_begins(what, kinds[i].word))
            note->filter = kinds[i].filter;
    if (note->filter == RECORD_FILTER_NONE ||
        !mail_text_between(what, ", Queue-ID: ", ",", &note->queue_id))
        return;
    mail_text_between(what, ", Message-ID: <", ">", &note->message_id);
    note->kind = MAIL_NOTE_BLOCK;
}

// "<ab12cd>; proxy; rspamd_task_write_log: id: <m>, qid: <4XyZ>, ip: 192.0.2.1, user: u, from: <a>,
// (default: T (reject): [16.10/15.00] [...]), len: ...". The letter is T, or S when a rule ended the scan.
// Who writes "qid" into a Message-ID wants another's message refused: with two of them nobody is meant.
static void read_rspamd(struct span s, struct mail_note *note)
{
    size_t at = mail_text_find(s, 0, "rspamd_task_write_log: id: <");
    if (at == MAIL_TEXT_NONE)
        return;
    struct span rest = span_cut(s, at + 28, s.len);
    size_t end = mail_text_find(rest, 0, ">, qid: <");
    if (end == MAIL_TEXT_NONE || mail_text_find(rest, end + 1, ">, qid: <") != MAIL_TEXT_NONE)
        return;
    size_t action = mail_text_find(rest, end, " (reject): [");
    if (action == MAIL_TEXT_NONE || rest.data[action - 2] != ' ' || rest.data[action - 3] != ':')
        return;
    note->message_id = span_cut(rest, 0, end);
    mail_text_between(rest, ">, qid: <", ">", &note->queue_id);
    bool virus = mail_text_has(rest, "CLAM") || mail_text_has(rest, "VIRUS");
    note->filter = virus ? RECORD_FILTER_VIRUS : RECORD_FILTER_SPAM;
    note->kind = MAIL_NOTE_BLOCK;
}

// "identified spam <m> (11.20/5.00) from <a> for <b> in 1.52s, 2043 bytes."
static void read_spampd(struct span s, struct mail_note *note)
{
    if (!span_begins(s, "identified spam <") ||
        !mail_text_between(s, "identified spam <", "> (", &note->message_id))
        return;
    note->filter = RECORD_FILTER_SPAM;
    note->kind = MAIL_NOTE_BLOCK;
}

// "Message 4XyZ from <a> to <b> with subject 's' message-id '<m>' date 'd' infected by NAME"
static void read_clamav(struct span s, struct mail_note *note)
{
    if (!span_begins(s, "Message ") || mail_text_find_last(s, "' infected by ") == MAIL_TEXT_NONE ||
        !mail_text_between(s, "Message ", " ", &note->queue_id))
        return;
    note->filter = RECORD_FILTER_VIRUS;
    note->kind = MAIL_NOTE_BLOCK;
}

bool mail_filter_read(const struct mail_line *line, struct mail_note *note)
{
    static const struct {
        const char *program;
        void (*read)(struct span s, struct mail_note *note);
    } filters[] = {{"amavis", read_amavis},
                   {"amavisd", read_amavis},
                   {"rspamd", read_rspamd},
                   {"spampd", read_spampd},
                   {"clamav-milter", read_clamav}};
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
        if (!span_equal_text(line->program, filters[i].program))
            continue;
        note->instance = span_of_text("postfix");
        filters[i].read(line->message, note);
        return true;
    }
    return false;
}
