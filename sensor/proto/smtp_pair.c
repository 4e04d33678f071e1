// Which reply answers which command. RFC 5321 section 4.3 (one reply a command), RFC 2920 (commands
// sent ahead), RFC 3030 (one reply a chunk), RFC 2033 (LMTP: one a recipient behind the content),
// draft-hall-prdr (PRDR: one a recipient and one for the message).
//
// Both directions are in order and a reply comes behind its command (the stream layer sees to that by
// the acknowledgements), so the n-th reply answers the n-th command. When octets are missing that is
// no longer sure: then replies are not counted until one comes that can answer only one thing (354,
// 334, 235, 220, 221), or until a client that was not offered PIPELINING sends its next command.
#include "proto/sasl.h"
#include "proto/smtp.h"

static void push(const struct smtp_at *at, enum smtp_expect what)
{
    if (!smtp_queue_push(&at->s->queue, what))
        proto_result(at->f)->incomplete |= RECORD_PARSER_LOST;
}

void smtp_lose(const struct smtp_at *at)
{
    at->s->uncertain = true;
    proto_result(at->f)->incomplete |= RECORD_PARSER_LOST;
}

// ---- What an answer means.

// Codes that can answer one thing only; SMTP_EXPECT_OTHER for all others.
static enum smtp_expect only_answers(uint16_t code)
{
    switch (code) {
    case 354: return SMTP_EXPECT_DATA;
    case 334:
    case 235: return SMTP_EXPECT_AUTH;
    case 220: return SMTP_EXPECT_STARTTLS;
    case 221: return SMTP_EXPECT_QUIT;
    default: return SMTP_EXPECT_OTHER;
    }
}

static bool is_syntax_error(uint16_t code)
{
    return code >= 500 && code <= 504;
}

static void count_message(const struct smtp_at *at, unsigned class)
{
    struct record_smtp *r = smtp_result(at);
    if (class == 2)
        r->messages_ok++;
    else if (class == 4)
        r->messages_4xx++;
    else if (class == 5)
        r->messages_5xx++;
}

// Returns whether the content is answered in full.
static bool settle_end(const struct smtp_at *at, unsigned class)
{
    struct smtp *s = at->s;
    if (class == 3 && !s->lmtp) {
        // 353 (PRDR): an answer for each recipient follows, and then the one for the message.
        s->answers_to_pass = s->recipients_ok;
        s->best_class = 0;
        return false;
    }
    if (s->answers_to_pass > 0) {
        if (s->best_class == 0 || class < s->best_class)
            s->best_class = (uint8_t) class;
        s->answers_to_pass--;
        return false;
    }
    // Exim accepts "for some recipients" also when each of them was refused.
    if (!s->lmtp && s->best_class > class)
        class = s->best_class;
    if (s->lmtp && s->answers_left == 0) {
        s->answers_left = s->recipients_ok;
        s->best_class = 0;
    }
    // One message, answered for each recipient: accepted when one of them got it.
    if (s->answers_left > 1) {
        if (s->best_class == 0 || class < s->best_class)
            s->best_class = (uint8_t) class;
        s->answers_left--;
        return false;
    }
    if (s->answers_left == 1 && s->best_class != 0 && s->best_class < class)
        class = s->best_class;
    s->answers_left = 0;
    s->best_class = 0;
    s->recipients_ok = 0;
    count_message(at, class);
    return true;
}

static void settle_data(const struct smtp_at *at, unsigned class)
{
    struct smtp *s = at->s;
    bool accepted = class == 3;
    if (s->wait == SMTP_WAIT_DATA) {
        if (s->uncertain && !accepted)
            return; // perhaps the answer to something else
        s->wait = SMTP_WAIT_NONE;
        smtp_client_enter(&s->client, accepted ? SMTP_CLIENT_BODY : SMTP_CLIENT_COMMAND);
        smtp_drain(at);
        return;
    }
    if (accepted || !s->body_assumed)
        return;
    // The content was sent without leave, and the server reads it as commands.
    proto_result(at->f)->incomplete |= RECORD_PARSER_LOST;
    if (s->body_gap && s->client.mode == SMTP_CLIENT_BODY) {
        s->body_gap = false;
        s->doubt = true;
        smtp_client_enter(&s->client, SMTP_CLIENT_COMMAND);
    } else if (!smtp_queue_change_next(&s->queue, SMTP_EXPECT_END, SMTP_EXPECT_REFUSED)) {
        s->body_refused = true;
    }
}

static void settle_starttls(const struct smtp_at *at, uint16_t code)
{
    struct smtp *s = at->s;
    struct record_smtp *r = smtp_result(at);
    bool waiting = s->wait == SMTP_WAIT_TLS;
    if (waiting)
        s->wait = SMTP_WAIT_NONE;
    if (code != 220) {
        if (waiting) {
            smtp_client_enter(&s->client, SMTP_CLIENT_COMMAND);
            smtp_drain(at);
        }
        return;
    }
    r->starttls_ok++;
    r->starttls_state = RECORD_STARTTLS_ACCEPTED;
    s->tls_due = true;
    s->server.stop = true;
    if (waiting)
        smtp_client_enter(&s->client, SMTP_CLIENT_STOP);
}

// Returns whether the exchange is over.
static bool settle_auth(const struct smtp_at *at, uint16_t code)
{
    struct smtp *s = at->s;
    if (code / 100 == 3) {
        if (s->auth_refuses && !s->auth_told && !s->uncertain) {
            s->auth_told = true;
            smtp_result(at)->auth_failed++;
        }
        if (s->auth_ahead > 0)
            s->auth_ahead--; // its answer was seen first
        else if (s->auth_lines < UINT8_MAX)
            s->auth_lines++;
        return false;
    }
    s->auth_open = false;
    if (code / 100 != 2 && !s->auth_told && (!s->uncertain || code == 535))
        smtp_result(at)->auth_failed++;
    s->auth_told = false;
    return true;
}

// The reply `code` answers the head of the queue.
static void settle(const struct smtp_at *at, uint16_t code)
{
    struct smtp *s = at->s;
    unsigned class = code / 100;
    enum smtp_expect what = smtp_queue_head(&s->queue);
    bool counts = !s->uncertain;
    switch (what) {
    case SMTP_EXPECT_HELO:
        s->ehlo_done = true;
        s->recipients_ok = 0;
        break;
    case SMTP_EXPECT_MAIL:
        if (counts && class == 4)
            smtp_result(at)->mail_4xx++;
        else if (counts && class == 5)
            smtp_result(at)->mail_5xx++;
        if (class == 2)
            s->recipients_ok = s->answers_to_pass = s->best_class = 0;
        break;
    case SMTP_EXPECT_RCPT:
        if (counts && class == 2)
            smtp_result(at)->rcpt_ok++;
        else if (counts && class == 4)
            smtp_result(at)->rcpt_4xx++;
        else if (counts && class == 5)
            smtp_result(at)->rcpt_5xx++;
        s->recipients_ok += class == 2;
        break;
    case SMTP_EXPECT_DATA: settle_data(at, class); break;
    case SMTP_EXPECT_END:
        if (counts && !settle_end(at, class))
            return;
        break;
    case SMTP_EXPECT_AUTH:
        if (!settle_auth(at, code))
            return;
        break;
    case SMTP_EXPECT_STARTTLS: settle_starttls(at, code); break;
    case SMTP_EXPECT_RSET: s->recipients_ok = 0; break;
    case SMTP_EXPECT_TURN:
        if (counts && class == 2) {
            // Mail goes the other way from here on, and is not the client's.
            s->turned = true;
            proto_result(at->f)->incomplete |= RECORD_PARSER_LOST;
        }
        break;
    case SMTP_EXPECT_SKIP:
        // The DATA it answers found no place, but the client waits for it.
        if (code == 354 && s->wait == SMTP_WAIT_DATA)
            settle_data(at, class);
        break;
    default: break;
    }
    smtp_queue_pop(&s->queue);
}

// ---- Pairing.

// Does the code settle what was uncertain? Then the queue's head is what it answers.
static void try_resync(const struct smtp_at *at, uint16_t code)
{
    struct smtp *s = at->s;
    enum smtp_expect what = only_answers(code);
    if (what == SMTP_EXPECT_OTHER)
        return;
    uint32_t n = smtp_queue_number(&s->queue, what);
    // With several DATA sent ahead it might answer any of them, unless the client waits for it.
    if (n == 1 || (n > 1 && what == SMTP_EXPECT_DATA && s->wait == SMTP_WAIT_DATA)) {
        while (smtp_queue_number(&s->queue, what) > 1)
            smtp_queue_pop(&s->queue);
        smtp_queue_forward(&s->queue, what);
        s->uncertain = false;
    } else if (n == 0 && code == 334) {
        // AUTH itself was lost.
        smtp_queue_clear(&s->queue);
        push(at, SMTP_EXPECT_AUTH);
        s->auth_open = true;
        s->auth_ahead = 0;
        s->mechanism = SMTP_AUTH_OTHER;
        s->uncertain = false;
    } else if (n == 0 && code == 354) {
        // DATA itself was lost: content follows, and all before it has been answered.
        smtp_queue_clear(&s->queue);
        s->uncertain = false;
        s->suspected = false;
        s->doubt = false;
        if (s->client.mode == SMTP_CLIENT_COMMAND || s->client.mode == SMTP_CLIENT_BODY)
            smtp_client_enter(&s->client, SMTP_CLIENT_BODY);
    }
}

// Heads that this code cannot answer are passed over.
static void skip_unfit(const struct smtp_at *at, uint16_t code)
{
    struct smtp *s = at->s;
    while (s->queue.count > 0) {
        enum smtp_expect what = smtp_queue_head(&s->queue);
        bool fits = (what != SMTP_EXPECT_EMPTY && what != SMTP_EXPECT_REFUSED) ||
                    is_syntax_error(code);
        if (fits)
            break;
        smtp_queue_pop(&s->queue);
    }
    enum smtp_expect only = only_answers(code);
    // Sloppy servers greet an EHLO with 220.
    if (only == SMTP_EXPECT_STARTTLS || only == SMTP_EXPECT_OTHER || s->queue.count == 0 ||
        smtp_queue_head(&s->queue) == only || smtp_queue_number(&s->queue, only) == 0)
        return;
    // Replies in between never came: what they would have said is not known.
    proto_result(at->f)->incomplete |= RECORD_PARSER_LOST;
    smtp_queue_forward(&s->queue, only);
}

static void pair(const struct smtp_at *at, uint16_t code)
{
    struct smtp *s = at->s;
    if (s->uncertain)
        try_resync(at, code);
    skip_unfit(at, code);
    if (s->queue.count == 0) {
        // Said unasked; but a refusal in the middle of content is its answer.
        if (code >= 400 && code != 421 && s->client.mode == SMTP_CLIENT_BODY && !s->suspected)
            s->content_answer = code;
        return;
    }
    if (smtp_queue_head(&s->queue) == SMTP_EXPECT_REFUSED)
        return; // one of the 50x; more may follow
    settle(at, code);
}

void smtp_expect(const struct smtp_at *at, enum smtp_expect what)
{
    struct smtp *s = at->s;
    if (s->uncertain && s->server_seen && s->ehlo_done && !s->ahead && !s->server.blind &&
        !s->in_arrears && !smtp_result(at)->pipelining_offered) {
        // Who may not send ahead has been answered before: nothing else is outstanding.
        smtp_queue_clear(&s->queue);
        s->uncertain = false;
    }
    push(at, what);
    if (what == SMTP_EXPECT_END && s->content_answer != 0 && s->queue.count == 1)
        settle(at, s->content_answer);
    if (what != SMTP_EXPECT_CHUNK)
        s->content_answer = 0;
}

// ---- Replies.

static void greeting(const struct smtp_at *at, uint16_t code)
{
    struct smtp *s = at->s;
    struct record_smtp *r = smtp_result(at);
    s->greeted = true;
    r->banner_code = code;
    if (s->spoke_early && !at->f->midstream && !s->uncertain)
        r->early_talker = true;
    s->doubt = false;
}

// Is this first reply the greeting? When the beginning was not seen only 220 can be.
static bool is_greeting(const struct smtp_at *at, uint16_t code)
{
    const struct smtp *s = at->s;
    if (code == 220)
        return smtp_queue_number(&s->queue, SMTP_EXPECT_STARTTLS) == 0 || !at->f->midstream;
    return code >= 400 && !at->f->midstream && !s->uncertain;
}

static void count_blocklist(const struct smtp_at *at, uint16_t code)
{
    struct blocklist_finding *b = &at->s->finding;
    enum blocklist_kind kind = code >= 400 ? blocklist_kind(b) : BLOCKLIST_NONE;
    if (kind != BLOCKLIST_NONE) {
        struct record_smtp *r = smtp_result(at);
        r->blocklist_policy += kind == BLOCKLIST_POLICY;
        r->blocklist_exploit += kind == BLOCKLIST_EXPLOIT;
        r->blocklist_unknown += kind == BLOCKLIST_UNKNOWN;
        r->blocklist_names_us += b->names_us;
    }
    *b = (struct blocklist_finding){0};
}

// The server answers while a bare dot waits: it took that for the end, unless a proper one follows.
static void settle_dot(const struct smtp_at *at)
{
    struct smtp *s = at->s;
    while (s->wait == SMTP_WAIT_DOT) {
        s->wait = SMTP_WAIT_NONE;
        bool proper = memmem(s->client.line.octet, s->client.held, "\r\n.\r\n", 5) != NULL;
        smtp_client_enter(&s->client, proper ? SMTP_CLIENT_BODY : SMTP_CLIENT_COMMAND);
        s->client.bol_bare = proper;
        if (!proper)
            push(at, SMTP_EXPECT_END);
        smtp_drain(at);
    }
}

// Replies are missing, the one to DATA perhaps among them, while octets behind it wait: the text has
// to tell whether they are content. Returns whether the reply was the missing one.
static bool settle_unanswered_data(const struct smtp_at *at, uint16_t code)
{
    struct smtp *s = at->s;
    bool commands = smtp_command_looks_like(span_of(s->client.line.octet, s->client.held));
    s->wait = SMTP_WAIT_NONE;
    smtp_queue_clear(&s->queue);
    smtp_client_enter(&s->client, commands ? SMTP_CLIENT_COMMAND : SMTP_CLIENT_BODY);
    s->in_arrears = true;
    smtp_drain(at);
    s->in_arrears = false;
    if (code == 354 && smtp_queue_number(&s->queue, SMTP_EXPECT_DATA) == 0) {
        // The answer to that DATA after all; what the client sent since is outstanding.
        s->uncertain = false;
        return true;
    }
    s->uncertain = s->queue.count != 1 || smtp_queue_head(&s->queue) != SMTP_EXPECT_END;
    return false;
}

// The client's mode where a reply alone tells it. Returns whether the reply is used up by that.
static bool free_client(const struct smtp_at *at, uint16_t code)
{
    struct smtp *s = at->s;
    bool at_start = smtp_client_at_line_start(&s->client);
    if (s->suspected && s->client.mode == SMTP_CLIENT_BODY && code != 354) {
        // No reply comes while content is sent: these were commands.
        s->suspected = false;
        s->doubt = !at_start;
        smtp_client_enter(&s->client, SMTP_CLIENT_COMMAND);
    } else if (s->body_gap && s->client.mode == SMTP_CLIENT_BODY && s->queue.count == 0) {
        // The answer to content whose end is missing.
        s->body_gap = false;
        s->doubt = !at_start;
        smtp_client_enter(&s->client, SMTP_CLIENT_COMMAND);
        if (code != 421)
            push(at, SMTP_EXPECT_END);
    } else if (s->wait == SMTP_WAIT_DOT && s->queue.count == 0) {
        settle_dot(at);
    } else if (s->wait == SMTP_WAIT_DATA && s->uncertain && s->client.held > 0) {
        return settle_unanswered_data(at, code);
    } else if (s->wait == SMTP_WAIT_TLS && s->uncertain && s->client.held > 0 && code != 220 &&
               smtp_command_looks_like(span_of(s->client.line.octet, s->client.held))) {
        // STARTTLS was refused unseen.
        s->wait = SMTP_WAIT_NONE;
        smtp_client_enter(&s->client, SMTP_CLIENT_COMMAND);
        s->in_arrears = true;
        smtp_drain(at);
        s->in_arrears = false;
    }
    return false;
}

static void finished_reply(const struct smtp_at *at, uint16_t code)
{
    struct smtp *s = at->s;
    if (code == 421)
        smtp_result(at)->reply_421++;
    count_blocklist(at, code);
    if (!s->greeted) {
        if (is_greeting(at, code)) {
            greeting(at, code);
            return;
        }
        s->greeted = true; // it was missed
    }
    if (free_client(at, code))
        return;
    // A line that was no command has been counted already.
    enum smtp_expect what = smtp_queue_head(&s->queue);
    if (is_syntax_error(code) && !s->uncertain && what != SMTP_EXPECT_UNKNOWN &&
        what != SMTP_EXPECT_EMPTY && what != SMTP_EXPECT_REFUSED)
        smtp_result(at)->protocol_errors++;
    pair(at, code);
}

// Is this the first word of the text?
static bool is_word(struct span text, const char *word, size_t len)
{
    if (text.len < len || (text.len > len && text.data[len] != ' ' && text.data[len] != '\t'))
        return false;
    return strncasecmp((const char *)text.data, word, len) == 0;
}

// What an EHLO reply offers. With one side only, any multi-line 250 is taken for one.
static void look_for_offer(const struct smtp_at *at, struct span text)
{
    struct smtp *s = at->s;
    // By the second letters, too: "SIZE" stands in most.
    uint8_t letter = text.len > 1 ? text.data[0] & 0xdf : 0,
            second = letter ? text.data[1] & 0xdf : 0;
    if (!(letter == 'S' && second == 'T') && !(letter == 'P' && second == 'I'))
        return;
    enum smtp_expect head = smtp_queue_head(&s->queue);
    if (head != SMTP_EXPECT_HELO && head != SMTP_EXPECT_NOTHING)
        return;
    struct record_smtp *r = smtp_result(at);
    if (letter == 'P' && is_word(text, "PIPELINING", 10))
        r->pipelining_offered = true;
    else if (r->starttls_state == RECORD_STARTTLS_NONE && is_word(text, "STARTTLS", 8))
        r->starttls_state = RECORD_STARTTLS_OFFERED;
}

static void note_server_name(const struct smtp_at *at, struct span text)
{
    struct span name = smtp_word(&text);
    if (name.len > 0)
        at->s->server_name = proto_hash_of(at->f, KEYED_HASH_HELO, name).value;
}

void smtp_reply_line(const struct smtp_at *at, const struct smtp_reply_line *line)
{
    struct smtp *s = at->s;
    enum proto_side client = s->client_side;
    if (line->code == 0)
        return;
    if (line->code >= 400)
        blocklist_look(&s->finding, line->text, &at->f->addr[client]);
    if (line->uncertain)
        smtp_lose(at);
    if (line->first && line->code == 220 && !s->greeted)
        note_server_name(at, line->text);
    if (line->code == 250)
        look_for_offer(at, line->text);
    else if (line->code == 334)
        s->auth_refuses = s->mechanism == SMTP_AUTH_OAUTH && sasl_challenge_refuses(line->text);
    if (line->last)
        finished_reply(at, line->code);
}
