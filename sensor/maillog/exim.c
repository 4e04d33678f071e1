// Exim writes a message's arrival in one line of NAME=VALUE fields. What outsiders choose freely (the
// subject) stands behind the fields that are read, or is passed over. See exim.h.
#include "maillog/exim.h"

#include "maillog/mail_text.h"

static bool word_character(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// "1rXabc-0000AB-Cd" or "1rXabc-0000000AbCd-0XyZ": its octets, 0: none.
static size_t message_id(struct span s)
{
    static const size_t runs[2][3] = {{6, 6, 2}, {6, 11, 4}};
    for (unsigned form = 0; form < 2; form++) {
        size_t at = 0;
        bool fits = true;
        for (unsigned run = 0; run < 3 && fits; run++) {
            for (size_t i = 0; i < runs[form][run] && fits; i++, at++)
                fits = at < s.len && word_character(s.data[at]);
            if (fits && run < 2)
                fits = at < s.len && s.data[at++] == '-';
        }
        if (fits && at < s.len && s.data[at] == ' ')
            return at;
    }
    return 0;
}

// Up to the next blank.
static struct span word_at(struct span s, size_t at)
{
    s = span_cut(s, at, s.len);
    const uint8_t *blank = s.len ? memchr(s.data, ' ', s.len) : NULL;
    return blank ? span_cut(s, 0, (size_t)(blank - s.data)) : s;
}

static bool field(struct span s, const char *key, struct span *out)
{
    size_t at = mail_text_find(s, 0, key);
    if (at == MAIL_TEXT_NONE)
        return false;
    *out = word_at(s, at + strlen(key));
    return true;
}

// "I=[198.51.100.1]:587", where the server was spoken to.
static void read_own_port(struct span s, struct mail_note *note)
{
    struct ip_addr own;
    size_t at = mail_text_find(s, 0, " I=[");
    if (at != MAIL_TEXT_NONE)
        mail_text_client(span_cut(s, at + 3, s.len), &own, &note->server_port);
}

// "H=name (helo) [192.0.2.1]:4711": the first bracket behind it, for a helo in brackets stands in
// parentheses, which are passed over.
static void read_host(struct span s, struct mail_note *note)
{
    size_t at = mail_text_find(s, 0, "H=");
    if (at == MAIL_TEXT_NONE)
        return;
    s = span_cut(s, at + 2, s.len);
    const uint8_t *open = s.len ? memchr(s.data, '(', s.len) : NULL;
    size_t bracket = mail_text_find(s, 0, "[");
    if (open && (size_t)(open - s.data) < bracket) {
        size_t close = mail_text_find(s, 0, ") [");
        if (close == MAIL_TEXT_NONE)
            return;
        note->helo = span_cut(s, (size_t)(open - s.data) + 1, close - (size_t)(open - s.data) - 1);
        bracket = close + 2;
    } else if (bracket != MAIL_TEXT_NONE && bracket > 1) {
        note->helo = span_cut(s, 0, bracket - 1);
    }
    mail_text_client(span_cut(s, bracket, s.len), &note->client, &note->client_port);
    read_own_port(span_cut(s, bracket, s.len), note);
}

// A sender as it was given: in quotes it may hold blanks, and words that look like fields.
static struct span address_at(struct span s)
{
    size_t at = 0;
    bool quoted = false;
    for (; at < s.len && (quoted || s.data[at] != ' '); at++) {
        if (quoted && s.data[at] == '\\' && at + 1 < s.len)
            at++;
        else if (s.data[at] == '"')
            quoted = !quoted;
    }
    return span_cut(s, 0, at);
}

// Octets before the first field that a stranger fills as he likes: sender, message id, subject, recipients.
static size_t own_fields(struct span s)
{
    static const char *const theirs[] = {" F=<", " S=", " id=", " T=\"", " from <", " for "};
    size_t end = s.len;
    for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++) {
        size_t at = mail_text_find(s, 0, theirs[i]);
        if (at < end)
            end = at;
    }
    return end;
}

// "A=login:bob@example.net"
static void read_user(struct span s, struct mail_note *note)
{
    struct span value;
    size_t helo = mail_text_find(s, 0, ") ["); // what is in the parentheses is theirs too
    if (helo != MAIL_TEXT_NONE)
        s = span_cut(s, helo, s.len);
    s = span_cut(s, 0, own_fields(s));
    if (!field(s, " A=", &value))
        return;
    const uint8_t *colon = value.len ? memchr(value.data, ':', value.len) : NULL;
    if (colon)
        note->user = span_cut(value, (size_t)(colon - value.data) + 1, value.len);
}

static void read_arrival(struct span s, struct mail_note *note)
{
    struct span value;
    note->sender_seen = true;
    note->sender = address_at(s);
    s = span_cut(s, note->sender.len, s.len);
    if (span_equal_text(note->sender, "<>"))
        note->sender.len = 0;
    // The subject is the sender's own: fields are read before it, recipients behind it.
    size_t subject = mail_text_find(s, 0, " T=\"");
    struct span fields = span_cut(s, 0, subject == MAIL_TEXT_NONE ? s.len : subject);
    size_t list = mail_text_find_last(s, " for ");
    if (list != MAIL_TEXT_NONE && mail_text_find(s, list, "\"") == MAIL_TEXT_NONE) {
        note->recipient_list = span_cut(s, list + 5, s.len);
        for (size_t i = 0; i < note->recipient_list.len; i++)
            note->recipients += i == 0 || note->recipient_list.data[i] == ' ';
    }
    if (field(fields, " S=", &value))
        mail_text_number(value, &note->size);
    field(fields, " id=", &note->message_id);
    if (note->sender.len == 0 && field(fields, " R=", &note->other_id)) {
        note->kind = MAIL_NOTE_BOUNCE;
        struct span of = note->other_id; // the message that is reported on
        note->other_id = note->queue_id;
        note->queue_id = of;
        return;
    }
    bool local = field(fields, " P=", &value) && span_begins(value, "local");
    read_host(fields, note);
    read_user(fields, note);
    note->tls = mail_text_find(fields, 0, " X=") != MAIL_TEXT_NONE;
    note->kind = local || note->client.family == IP_NONE ? MAIL_NOTE_LOCAL : MAIL_NOTE_WHOLE;
}

// "bob@example.net <bob@example.org> R=x T=y H=mx [192.0.2.1] ...: SMTP error from remote mail server
// after RCPT TO:<...>: 550 5.7.1 ..."
static void read_delivery(struct span s, unsigned class, struct mail_note *note)
{
    note->kind = MAIL_NOTE_DELIVERY;
    note->recipient = word_at(s, 0);
    // "=> bob <bob@example.net> R=x": whom the client named, behind what an alias or the server made of it.
    struct span given, behind = span_cut(s, note->recipient.len, s.len);
    if (note->recipient.len > 0 && span_begins(behind, " <") &&
        mail_text_between(behind, " <", ">", &given) && given.len > 0)
        note->recipient = given;
    note->reply_code = (uint16_t)(class * 100 + 50);
    for (size_t at = 0; class != 2 && (at = mail_text_find(s, at, ": ")) != MAIL_TEXT_NONE;
         at += 2) {
        struct span reply = span_cut(s, at + 2, s.len);
        uint16_t code = mail_text_reply(reply);
        if (code / 100u == class && reply.len > 3 &&
            (reply.data[3] == ' ' || reply.data[3] == '-')) {
            note->reply_code = code;
            break;
        }
    }
    if (class == 2)
        note->reply_code = 250;
    else
        note->blocklist = mail_text_blocklist(s);
}

static void read_refusal(struct span s, size_t at, struct mail_note *note)
{
    struct span head = span_cut(s, 0, at), why = span_cut(s, at, s.len);
    read_host(head, note);
    if (note->client.family == IP_NONE)
        return;
    read_user(head, note);
    note->sender_seen = mail_text_between(head, " F=<", ">", &note->sender);
    bool later = mail_text_find_last(head, "temporarily") != MAIL_TEXT_NONE;
    note->kind = MAIL_NOTE_REJECT;
    note->reply_code = later ? 450 : 550;
    note->whole = span_begins(why, " rejected after DATA") ||
                  span_begins(why, " rejected during") || span_begins(why, " rejected DATA");
    mail_text_between(why, "RCPT <", ">", &note->recipient);
    size_t colon = mail_text_find(why, 0, ": ");
    if (colon != MAIL_TEXT_NONE) {
        note->filter = mail_text_filter(span_cut(why, colon, why.len));
        uint16_t code = mail_text_reply(span_cut(why, colon + 2, why.len));
        if (code / 100 == note->reply_code / 100)
            note->reply_code = code;
    }
    note->tls = mail_text_find(head, 0, " X=") != MAIL_TEXT_NONE;
}

// "login authenticator failed for (helo) [192.0.2.1]:4711: 535 Incorrect ... (set_id=bob)"
static bool read_failed_login(struct span s, struct mail_note *note)
{
    static const char verb[] = " authenticator failed for ";
    size_t at = mail_text_find(s, 0, verb);
    if (at == MAIL_TEXT_NONE || at > 64)
        return false;
    struct span rest = span_cut(s, at + sizeof verb - 1, s.len);
    size_t bracket = mail_text_find(rest, 0, "[");
    size_t behind = mail_text_find(rest, 0, ") [");
    if (rest.len > 0 && rest.data[0] == '(' && behind != MAIL_TEXT_NONE)
        bracket = behind + 2;
    if (bracket == MAIL_TEXT_NONE ||
        mail_text_client(span_cut(rest, bracket, rest.len), &note->client, &note->client_port) == 0)
        return false;
    read_own_port(span_cut(rest, bracket, rest.len), note);
    note->kind = MAIL_NOTE_AUTH;
    note->auth_failed = true;
    size_t user = mail_text_find_last(rest, "(set_id=");
    if (user != MAIL_TEXT_NONE) {
        note->user = span_cut(rest, user + 8, rest.len);
        if (note->user.len > 0 && note->user.data[note->user.len - 1] == ')')
            note->user.len--;
    }
    return true;
}

static bool read_connection(struct span s, struct mail_note *note)
{
    static const char head[] = "SMTP connection from ";
    if (!span_begins(s, head))
        return false;
    struct span rest = span_cut(s, sizeof head - 1, s.len);
    size_t bracket = mail_text_find(rest, 0, "[");
    if (bracket == MAIL_TEXT_NONE ||
        mail_text_client(span_cut(rest, bracket, rest.len), &note->client, &note->client_port) == 0)
        return false;
    read_own_port(span_cut(rest, bracket, rest.len), note);
    note->kind = mail_text_find(rest, 0, "(TCP/IP connection count") != MAIL_TEXT_NONE
                     ? MAIL_NOTE_CONNECT
                     : MAIL_NOTE_DISCONNECT;
    return true;
}

// A word that stands where a message's id would, before what is said of messages.
static bool names_oddly(struct span s)
{
    static const char *const said[] = {"<= ", "=> ", "-> ", "== ", "** "};
    struct span id = word_at(s, 0), rest = span_cut(s, id.len + 1, s.len);
    if (id.len == 0 || id.len > 64 || id.len == s.len)
        return false;
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
        if (span_begins(rest, said[i]))
            return true;
    return span_equal_text(rest, "Completed");
}

bool exim_read(struct span text, struct mail_note *note)
{
    note->instance = span_of_text("exim");
    if (text.len > 2 && text.data[0] == '[') { // log_selector = +pid
        size_t n = mail_text_number(span_cut(text, 1, 12), &note->pid);
        text = span_cut(text, n + 3, text.len);
        note->pid = 0; // of a process a message, no use as a session's name
    }
    size_t id = message_id(text), at;
    struct span s = text;
    if (id > 0) {
        note->queue_id = span_cut(text, 0, id);
        s = span_cut(text, id + 1, text.len);
        if (span_begins(s, "<= "))
            read_arrival(span_cut(s, 3, s.len), note);
        else if (span_begins(s, "=> ") || span_begins(s, "-> "))
            read_delivery(span_cut(s, 3, s.len), 2, note);
        else if (span_begins(s, "== "))
            read_delivery(span_cut(s, 3, s.len), 4, note);
        else if (span_begins(s, "** "))
            read_delivery(span_cut(s, 3, s.len), 5, note);
        else if (span_equal_text(s, "Completed"))
            note->kind = MAIL_NOTE_DONE;
        if (note->kind != MAIL_NOTE_NONE)
            return true;
    }
    // A colon and a blank before it: another server's words ("sender verify fail for ...: 550 rejected by").
    if (span_begins(s, "H=") && (at = mail_text_find(s, 0, " rejected ")) != MAIL_TEXT_NONE &&
        mail_text_find(span_cut(s, 0, at), 0, ": ") == MAIL_TEXT_NONE) {
        read_refusal(s, at, note);
        return true;
    }
    if (read_failed_login(s, note) || read_connection(s, note) || id > 0)
        return true;
    return note->odd_id = names_oddly(s);
}
