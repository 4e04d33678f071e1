// What Postfix logs, daemon by daemon. The client, the queue id and the verb stand at the beginning of
// a line, where no outsider writes; names behind them are data. See postfix.h.
#include "maillog/postfix.h"

#include "maillog/mail_filter.h"
#include "maillog/mail_text.h"

// ---- "postfix-out/submission/smtpd".

struct service {
    struct span instance, name;
    uint16_t port;
};

static bool service_of(struct span program, struct service *out)
{
    const uint8_t *first = program.len ? memchr(program.data, '/', program.len) : NULL;
    const uint8_t *last = first ? memrchr(program.data, '/', program.len) : NULL;
    if (!first || !span_begins(program, "postfix"))
        return false;
    size_t head = (size_t)(first - program.data), tail = (size_t)(last - program.data);
    out->instance = span_cut(program, 0, head);
    out->name = span_cut(program, tail + 1, program.len);
    struct span middle = tail > head ? span_cut(program, head + 1, tail - head - 1)
                                     : (struct span){0};
    uint32_t number = 0;
    size_t n = mail_text_number(middle, &number);
    if (span_begins(middle, "smtps") || span_begins(middle, "submissions"))
        out->port = 465;
    else if (span_begins(middle, "submission"))
        out->port = 587;
    else if (n > 0 && n == middle.len && number <= UINT16_MAX)
        out->port = (uint16_t)number;
    else
        out->port = POSTFIX_PORT_DEFAULT;
    return true;
}

// ---- Queue ids: hexadecimal, or 52 letters and digits without vowels.

static size_t queue_id(struct span s)
{
    static const char set[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyzAE";
    size_t n = 0;
    while (n < s.len && s.data[n] && strchr(set, s.data[n]))
        n++;
    return n >= 5 && n <= 24 && n + 1 < s.len && s.data[n] == ':' && s.data[n + 1] == ' ' ? n : 0;
}

// Inside "<...>" behind `key`, up to the bracket that `end` follows.
static bool address(struct span s, const char *key, struct span *out)
{
    return mail_text_between(s, key, ">", out);
}

// ---- smtpd.

static void read_client(struct span s, struct mail_note *note)
{
    size_t n = mail_text_client(s, &note->client, &note->client_port);
    if (n == 0)
        return;
    note->kind = MAIL_NOTE_OPEN;
    struct span rest = span_cut(s, n, s.len), user;
    if (mail_text_between(rest, ", sasl_username=", ", sasl_sender=", &user)) {
        size_t more = mail_text_find(user, 0, ", orig_");
        note->user = more == MAIL_TEXT_NONE ? user : span_cut(user, 0, more);
    }
    // Whom a trusted filter speaks for: believed only when the client is the filter.
    mail_text_between(rest, ", orig_queue_id=", ",", &note->other_id);
}

// "RCPT from host[address]: 554 5.7.1 text; from=<a> to=<b> proto=ESMTP helo=<c>"
static void read_reject(struct span s, bool filtered, struct mail_note *note)
{
    size_t from = mail_text_find(s, 0, " from ");
    if (from == MAIL_TEXT_NONE)
        return;
    struct span stage = span_cut(s, 0, from), rest = span_cut(s, from + 6, s.len);
    size_t n = mail_text_client(rest, &note->client, &note->client_port);
    if (n == 0)
        return;
    rest = span_cut(rest, n, rest.len);
    if (span_begins(rest, ": "))
        rest = span_cut(rest, 2, rest.len);
    note->kind = MAIL_NOTE_REJECT;
    note->whole = span_equal_text(stage, "END-OF-MESSAGE") || span_equal_text(stage, "DATA");
    note->reply_code = mail_text_reply(rest);
    size_t names = mail_text_find(rest, 0, "; from=<");
    struct span words = span_cut(rest, 0, names == MAIL_TEXT_NONE ? rest.len : names);
    note->filter = mail_text_filter(words);
    if (filtered && note->filter == RECORD_FILTER_NONE)
        note->filter = RECORD_FILTER_POLICY;
    if (names == MAIL_TEXT_NONE)
        return;
    rest = span_cut(rest, names, rest.len);
    note->sender_seen = address(rest, "; from=<", &note->sender);
    address(rest, " to=<", &note->recipient);
    address(rest, " helo=<", &note->helo);
    address(rest, " sasl_username=<", &note->user);
}

// "header Subject: text from host[address]; from=<a> to=<b> proto=ESMTP helo=<c>: 5.7.1 text": what
// outsiders write stands first, so this is read from its end.
static void read_content_reject(struct span s, struct mail_note *note)
{
    size_t names = mail_text_find_last(s, "; from=<");
    if (names == MAIL_TEXT_NONE)
        return;
    struct span before = span_cut(s, 0, names), behind = span_cut(s, names, s.len);
    size_t from = mail_text_find_last(before, " from ");
    if (from == MAIL_TEXT_NONE)
        return;
    struct span client = span_cut(before, from + 6, before.len);
    if (mail_text_client(client, &note->client, &note->client_port) == 0)
        return;
    size_t reply = mail_text_find_last(behind, ">: ");
    note->kind = MAIL_NOTE_REJECT;
    note->whole = true;
    note->filter = RECORD_FILTER_POLICY;
    note->reply_code = reply == MAIL_TEXT_NONE ? 0
                                               : mail_text_reply(span_cut(behind, reply + 3, 16));
    if (note->reply_code == 0)
        note->reply_code = 550;
    note->sender_seen = address(behind, "; from=<", &note->sender);
    address(behind, " to=<", &note->recipient);
    address(behind, " helo=<", &note->helo);
}

static void read_verb(struct span s, struct mail_note *note)
{
    static const struct {
        const char *verb;
        bool filtered;
    } verbs[] = {{"reject: ", false},
                 {"milter-reject: ", true},
                 {"proxy-reject: ", true},
                 {"discard: ", true},
                 {"milter-discard: ", true}};
    if (span_begins(s, "client=")) {
        read_client(span_cut(s, 7, s.len), note);
        return;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (!span_begins(s, verbs[i].verb))
            continue;
        struct span rest = span_cut(s, strlen(verbs[i].verb), s.len);
        if (span_begins(rest, "header ") || span_begins(rest, "body ") ||
            span_begins(rest, "mime-header "))
            read_content_reject(rest, note);
        else
            read_reject(rest, verbs[i].filtered, note);
        return;
    }
}

// Behind "warning: ".
static void read_warning(struct span s, struct mail_note *note)
{
    size_t at = mail_text_find(s, 0, " limit exceeded: ");
    if (at != MAIL_TEXT_NONE && !span_begins(s, "unknown[")) {
        size_t from = mail_text_find(s, at, " from ");
        struct span client = span_cut(s, from == MAIL_TEXT_NONE ? s.len : from + 6, s.len);
        if (mail_text_client(client, &note->client, &note->client_port) == 0)
            return;
        note->kind = MAIL_NOTE_REJECT;
        note->filter = RECORD_FILTER_RATE;
        note->reply_code = 421;
        return;
    }
    size_t n = mail_text_client(s, &note->client, &note->client_port);
    struct span rest = span_cut(s, n, s.len);
    if (n == 0 || !span_begins(rest, ": SASL "))
        return;
    rest = span_cut(rest, 7, rest.len);
    size_t failed = mail_text_find(rest, 0, " authentication failed");
    size_t aborted = mail_text_find(rest, 0, " authentication aborted"); // given up by the client
    if ((failed == MAIL_TEXT_NONE || failed > 32) && (aborted == MAIL_TEXT_NONE || aborted > 32))
        return;
    note->kind = MAIL_NOTE_AUTH;
    note->auth_failed = true;
    size_t user = mail_text_find(rest, 0, ", sasl_username="); // the first: a name may hold another
    if (user != MAIL_TEXT_NONE)
        note->user = span_cut(rest, user + 16, rest.len);
    if (span_equal_text(note->user, "(unavailable)"))
        note->user = (struct span){0};
}

static void read_smtpd(struct span s, struct mail_note *note)
{
    static const char tls[] = " TLS connection established from ";
    size_t at;
    if (span_begins(s, "connect from ")) {
        if (mail_text_client(span_cut(s, 13, s.len), &note->client, &note->client_port))
            note->kind = MAIL_NOTE_CONNECT;
    } else if (span_begins(s, "disconnect from ")) {
        size_t n = mail_text_client(span_cut(s, 16, s.len), &note->client, &note->client_port);
        struct span counts = span_cut(s, 16 + n, s.len);
        note->kind = n ? MAIL_NOTE_DISCONNECT : MAIL_NOTE_NONE;
        at = mail_text_find(counts, 0, " rcpt=");
        note->counted = at != MAIL_TEXT_NONE; // "rcpt=2/3": two of three; Postfix 3.0 and later
        if (note->counted)
            mail_text_number(span_cut(counts, at + 6, counts.len), &note->recipients);
    } else if (span_begins(s, "warning: ")) {
        read_warning(span_cut(s, 9, s.len), note);
    } else if ((at = mail_text_find(s, 0, tls)) != MAIL_TEXT_NONE && at < 12) {
        if (mail_text_client(span_cut(s, at + sizeof tls - 1, s.len), &note->client,
                             &note->client_port))
            note->kind = MAIL_NOTE_TLS;
        note->tls = true;
    }
}

// ---- Deliveries: "to=<a>, orig_to=<b>, relay=host[address]:25, delay=..., dsn=5.1.1,
// status=bounced (host mx[address] said: 550 ... (in reply to RCPT TO command))".

static bool to_a_filter(struct span relay)
{
    struct ip_addr a;
    uint16_t port;
    if (mail_text_client(relay, &a, &port) == 0 || port == 25)
        return false;
    return (a.family == IP_V4 && a.octet[0] == 127) ||
           (a.family == IP_V6 && memcmp(a.octet, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16) == 0);
}

// A filter that took a message and did not pass it on says so in its reply.
static uint8_t kept_back(struct span text)
{
    bool refused = mail_text_has(text, "discarded") || mail_text_has(text, "Reject") ||
                   mail_text_has(text, "554 ");
    if (!refused)
        return RECORD_FILTER_NONE;
    uint8_t filter = mail_text_filter(text);
    return filter == RECORD_FILTER_NONE ? RECORD_FILTER_POLICY : filter;
}

// Where the quoted string that stands at `at` ends; `at` when none does.
static size_t past_quotes(struct span s, size_t at)
{
    if (at >= s.len || s.data[at] != '"')
        return at;
    for (size_t i = at + 1; i < s.len; i++) {
        if (s.data[i] == '\\')
            i++;
        else if (s.data[i] == '"')
            return i + 1;
    }
    return at;
}

// Where the server's own words begin: a local part in quotes may hold what looks like fields.
static size_t past_addresses(struct span s)
{
    static const char first[] = "to=<", second[] = ">, orig_to=<";
    size_t at = span_begins(s, first) ? past_quotes(s, sizeof first - 1) : 0;
    size_t given = mail_text_find(s, at, second), dsn = mail_text_find(s, at, ", dsn=");
    return given < dsn ? past_quotes(s, given + sizeof second - 1) : at;
}

static void read_delivery(struct span s, struct mail_note *note)
{
    size_t status = mail_text_find_last(s, ", status="), own = past_addresses(s);
    // The reply's text stands behind the status and may say ", status=" itself.
    size_t dsn = mail_text_find(s, own, ", dsn=");
    if (dsn != MAIL_TEXT_NONE) {
        size_t first = mail_text_find(s, dsn, ", status=");
        status = first == MAIL_TEXT_NONE ? status : first;
    }
    if (status == MAIL_TEXT_NONE || !address(s, "to=<", &note->recipient))
        return;
    // Whom the client named; the other is what an alias made of it. It stands behind the first address, and an
    // address with ">, orig_to=<" in it can only misname itself.
    address(span_cut(s, 0, dsn == MAIL_TEXT_NONE ? status : dsn), ">, orig_to=<", &note->recipient);
    struct span rest = span_cut(s, status + 9, s.len), relay = {0}, text = {0}, said = {0};
    mail_text_between(rest, "(", "\n", &text);
    bool sent = span_begins(rest, "sent"), bounced = span_begins(rest, "bounced");
    if (!sent && !bounced && !span_begins(rest, "deferred"))
        return;
    if (mail_text_between(text, " said: ", "\n", &said))
        note->reply_code = mail_text_reply(said);
    else if (sent)
        note->reply_code = mail_text_reply(text);
    if (note->reply_code / 100u != (sent ? 2u : bounced ? 5u : 4u))
        note->reply_code = sent ? 250 : bounced ? 550 : 450;
    note->kind = MAIL_NOTE_DELIVERY;
    note->blocklist = sent ? 0 : mail_text_blocklist(text);
    mail_text_between(span_cut(s, own, s.len), ", relay=", ",", &relay);
    if (!to_a_filter(relay))
        return;
    note->filter = kept_back(text);
    if (note->filter != RECORD_FILTER_NONE)
        note->kind = MAIL_NOTE_BLOCK;
    else if (sent && mail_text_between(text, "queued as ", ")", &note->other_id))
        note->kind = MAIL_NOTE_HANDED_ON;
    note->blocklist = 0;
}

// ---- The rest.

static void read_queue(struct span name, struct span s, struct mail_note *note)
{
    struct span value;
    if (span_begins(s, "to=<")) {
        read_delivery(s, note);
    } else if (span_equal_text(name, "qmgr") || span_equal_text(name, "oqmgr")) {
        if (span_equal_text(s, "removed")) {
            note->kind = MAIL_NOTE_DONE;
        } else if (span_begins(s, "from=<") &&
                   mail_text_find(s, 0, " (queue active)") != MAIL_TEXT_NONE) {
            note->kind = MAIL_NOTE_ACCEPTED;
            note->sender_seen = mail_text_between(s, "from=<", ">, size=", &note->sender);
            size_t size = mail_text_find_last(s, ">, size="),
                   count = mail_text_find_last(s, ", nrcpt=");
            if (size != MAIL_TEXT_NONE)
                mail_text_number(span_cut(s, size + 8, s.len), &note->size);
            if (count != MAIL_TEXT_NONE)
                mail_text_number(span_cut(s, count + 8, s.len), &note->recipients);
        }
    } else if (span_equal_text(name, "cleanup")) {
        note->aside = true;
        if (span_begins(s, "message-id=")) {
            value = span_cut(s, 11, s.len);
            if (value.len > 2 && value.data[0] == '<' && value.data[value.len - 1] == '>')
                value = span_cut(value, 1, value.len - 2);
            note->message_id = value;
            note->kind = value.len > 0 ? MAIL_NOTE_NAME : MAIL_NOTE_NONE;
        } else {
            read_verb(s, note);
        }
    } else if (span_equal_text(name, "bounce")) {
        if (mail_text_between(s, "sender non-delivery notification: ", " ", &note->other_id))
            note->kind = MAIL_NOTE_BOUNCE;
    } else if (span_equal_text(name, "pickup")) {
        note->kind = span_begins(s, "uid=") ? MAIL_NOTE_LOCAL : MAIL_NOTE_NONE;
    } else if (span_equal_text(name, "smtpd")) {
        read_verb(s, note);
    }
}

// A word that stands where a queue id would, before what is said of messages: a form that is not known here.
static bool names_oddly(struct span s)
{
    static const char *const said[] = {"client=",
                                       "message-id=",
                                       "from=<",
                                       "to=<",
                                       "uid=",
                                       "reject: ",
                                       "milter-reject: ",
                                       "removed",
                                       "sender non-delivery notification: "};
    size_t at = mail_text_find(span_cut(s, 0, 128), 0, ": ");
    if (at == MAIL_TEXT_NONE || at == 0 || memchr(s.data, ' ', at))
        return false;
    size_t letters = 0; // "warning", "error"
    while (s.data[letters] >= 'a' && s.data[letters] <= 'z')
        letters++;
    if (letters == at)
        return false;
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
        if (span_begins(span_cut(s, at + 2, s.len), said[i]))
            return true;
    return false;
}

bool postfix_read(const struct mail_line *line, struct mail_note *note)
{
    struct service service;
    *note = (struct mail_note){.t_ms = line->t_ms, .pid = line->pid};
    if (!service_of(line->program, &service))
        return mail_filter_read(line, note);
    note->instance = service.instance;
    note->server_port = service.port;
    struct span s = line->message;
    size_t id = queue_id(s);
    if (id > 0) {
        note->queue_id = span_cut(s, 0, id);
        read_queue(service.name, span_cut(s, id + 2, s.len), note);
    } else if (span_begins(s, "NOQUEUE: ")) {
        read_verb(span_cut(s, 9, s.len), note);
        if (note->kind == MAIL_NOTE_OPEN)
            note->kind = MAIL_NOTE_NONE; // before a proxy filter: the message comes again
    } else if (names_oddly(s)) {
        note->odd_id = true;
    } else if (span_equal_text(service.name, "smtpd")) {
        read_smtpd(s, note);
    }
    return true;
}
