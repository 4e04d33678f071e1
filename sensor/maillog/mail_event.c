// See mail_event.h. Members that are not known are passed over, wrong ones are not.
#include "maillog/mail_event.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/json_field.h"
#include "maillog/mail_text.h"

#define TIME_MAX_MS INT64_C(253402300799999) // 9999-12-31

// ---- Our own form.

static const char *event_name(unsigned i)
{
    static const char *const names[] = {"connect",  "message", "reject", "auth",
                                        "delivery", "bounce",  "block"};
    return i < sizeof names / sizeof names[0] ? names[i] : NULL;
}

static const uint8_t event_kind[] = {MAIL_NOTE_CONNECT, MAIL_NOTE_WHOLE,    MAIL_NOTE_REJECT,
                                     MAIL_NOTE_AUTH,    MAIL_NOTE_DELIVERY, MAIL_NOTE_BOUNCE,
                                     MAIL_NOTE_BLOCK};

static const char *filter_name(unsigned i)
{
    static const char *const names[] = {"none", "spam", "virus", "policy", "rate"};
    return i < sizeof names / sizeof names[0] ? names[i] : NULL;
}

static bool has(const struct mail_event *e, const char *key)
{
    return json_object_get(e->object, key) != NULL;
}

static struct span text_of(struct mail_event *e, struct json_fields *f, const char *key)
{
    const json_t *v = json_object_get(e->object, key);
    if (!v)
        return (struct span){0};
    if (!json_is_string(v)) {
        json_fields_fail(f, key, "is no text");
        return (struct span){0};
    }
    return span_of(json_string_value(v), json_string_length(v));
}

static int64_t number_of(struct mail_event *e, struct json_fields *f, const char *key, int64_t max)
{
    return has(e, key) ? json_get_int(f, key, 0, max) : 0;
}

static bool flag_of(struct mail_event *e, struct json_fields *f, const char *key)
{
    return has(e, key) && json_get_bool(f, key);
}

static void read_recipients(struct mail_event *e, struct json_fields *f)
{
    const json_t *v = json_object_get(e->object, "recipient"), *one;
    size_t used = 0, i;
    if (!v)
        return;
    if (json_is_string(v)) {
        e->note.recipient = span_of(json_string_value(v), json_string_length(v));
        return;
    }
    if (!json_is_array(v)) {
        json_fields_fail(f, "recipient", "is neither a text nor a list of texts");
        return;
    }
    json_array_foreach (v, i, one) {
        size_t len = json_string_length(one);
        if (!json_is_string(one))
            json_fields_fail(f, "recipient", "holds something that is no text");
        else if (used + len + 1 < sizeof e->recipients && !strchr(json_string_value(one), ' ')) {
            memcpy(e->recipients + used, json_string_value(one), len);
            used += len;
            e->recipients[used++] = ' ';
        }
    }
    e->note.recipient_list = span_of(e->recipients, used > 0 ? used - 1 : 0);
}

static enum mail_event_result read_event(struct mail_event *e)
{
    struct json_fields f = json_fields_of(e->object, e->error);
    struct mail_note *n = &e->note;
    json_get_int(&f, "v", 1, 1);
    n->t_ms = json_get_time(&f, "time");
    n->kind = event_kind[json_get_name(&f, "event", event_name, sizeof event_kind)];
    if (has(e, "filter"))
        n->filter = json_get_name(&f, "filter", filter_name, 5);
    n->queue_id = text_of(e, &f, "queue_id");
    n->other_id = text_of(e, &f, "report_id");
    n->user = text_of(e, &f, "user");
    n->sender_seen = has(e, "sender");
    n->sender = text_of(e, &f, "sender");
    n->helo = text_of(e, &f, "helo");
    n->message_id = text_of(e, &f, "message_id");
    n->instance = e->server = text_of(e, &f, "server");
    n->client_port = (uint16_t)number_of(e, &f, "client_port", UINT16_MAX);
    n->server_port = (uint16_t)number_of(e, &f, "server_port", UINT16_MAX);
    n->reply_code = (uint16_t)number_of(e, &f, "reply_code", 599);
    n->size = (uint32_t)number_of(e, &f, "size", UINT32_MAX);
    n->recipients = (uint32_t)number_of(e, &f, "recipients", UINT32_MAX);
    n->tls = flag_of(e, &f, "tls");
    n->auth_failed = flag_of(e, &f, "auth_failed");
    n->whole = flag_of(e, &f, "whole");
    if (n->reply_code > 0 && n->reply_code < 200)
        json_fields_fail(&f, "reply_code", "is no reply code");
    struct span client = text_of(e, &f, "client");
    if (client.len > 0 && !mail_text_address(client, &n->client))
        json_fields_fail(&f, "client", "is no address");
    struct span reply = text_of(e, &f, "reply");
    if (reply.len > 0 && n->reply_code >= 400)
        n->blocklist = mail_text_blocklist(reply);
    read_recipients(e, &f);
    return f.failed ? MAIL_EVENT_BROKEN : MAIL_EVENT_NOTE;
}

// ---- The journal.

static struct span journal_text(const json_t *v)
{
    return json_is_string(v) ? span_of(json_string_value(v), json_string_length(v))
                             : (struct span){0};
}

static uint32_t journal_number(const json_t *v)
{
    uint32_t n = 0;
    mail_text_number(journal_text(v), &n);
    return n;
}

// A message with octets that are no UTF-8 comes as a list of numbers.
static struct span journal_message(struct mail_event *e, const json_t *v)
{
    size_t n = 0, i;
    const json_t *octet;
    if (!json_is_array(v))
        return journal_text(v);
    json_array_foreach (v, i, octet)
        if (n < sizeof e->message)
            e->message[n++] = (char)json_integer_value(octet);
    return span_of(e->message, n);
}

static enum mail_event_result read_journal(struct mail_event *e, const json_t *message)
{
    const char *stamp = json_string_value(json_object_get(e->object, "__REALTIME_TIMESTAMP"));
    e->line.message = journal_message(e, message);
    e->line.t_ms = stamp ? strtoll(stamp, NULL, 10) / 1000 : 0;
    e->line.host = journal_text(json_object_get(e->object, "_HOSTNAME"));
    e->line.program = journal_text(json_object_get(e->object, "SYSLOG_IDENTIFIER"));
    e->line.pid = journal_number(json_object_get(e->object, "SYSLOG_PID"));
    if (e->line.pid == 0)
        e->line.pid = journal_number(json_object_get(e->object, "_PID"));
    bool whole = e->line.t_ms > 0 && e->line.t_ms <= TIME_MAX_MS && e->line.program.len > 0 &&
                 e->line.message.len > 0;
    return whole ? MAIL_EVENT_LINE : MAIL_EVENT_OTHER;
}

enum mail_event_result mail_event_read(struct mail_event *e, struct span text)
{
    json_error_t error;
    mail_event_fini(e);
    e->note = (struct mail_note){0};
    e->line = (struct mail_line){0};
    e->object = json_loadb((const char *)text.data, text.len, JSON_ALLOW_NUL, &error);
    if (!json_is_object(e->object)) {
        snprintf(e->error, sizeof e->error, "no JSON object");
        return MAIL_EVENT_BROKEN;
    }
    const json_t *message = json_object_get(e->object, "MESSAGE");
    if (message)
        return read_journal(e, message);
    if (has(e, "__REALTIME_TIMESTAMP"))
        return MAIL_EVENT_OTHER;
    return read_event(e);
}

void mail_event_fini(struct mail_event *e)
{
    json_decref(e->object);
    e->object = NULL;
}
