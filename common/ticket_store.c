// Tickets in SQLite: the one file that includes its header. See ticket.h, docs/formats/ticket.md.
//
// A ticket is a row whose `document` is its canonical JSON, so that one reader and one writer of the
// format serve files and store alike; what is searched by stands in columns beside it. WAL with
// synchronous FULL: what was committed survives power loss, readers never wait for the writer.
#include "common/ticket.h"

#include <assert.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA_VERSION 1
#define BUSY_MS        5000
#define EACH_DEFAULT   100

static const char schema[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;"
    "CREATE TABLE ticket(number INTEGER PRIMARY KEY, party TEXT NOT NULL, subscriber TEXT NOT NULL,"
    "  class TEXT NOT NULL, state TEXT NOT NULL, case_code TEXT NOT NULL UNIQUE,"
    "  open INTEGER NOT NULL, document TEXT NOT NULL, verdict TEXT NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX ticket_open ON ticket(party, class) WHERE open = 1;"
    "CREATE INDEX ticket_party ON ticket(party);"
    "CREATE INDEX ticket_subscriber ON ticket(subscriber);"
    "CREATE TABLE change(number INTEGER PRIMARY KEY, ticket INTEGER NOT NULL REFERENCES "
    "ticket(number),"
    "  document TEXT NOT NULL) STRICT;"
    "CREATE INDEX change_ticket ON change(ticket);"
    "PRAGMA user_version = 1;";

enum statement {
    FIND_OPEN,
    PUT_TICKET,
    NEXT_TICKET,
    NEXT_CHANGE,
    PUT_CHANGE,
    GET_META,
    PUT_META,
    EACH,
    CHANGES,
    STATEMENTS,
};

static const char *const texts[STATEMENTS] = {
    [FIND_OPEN] = "SELECT document FROM ticket WHERE party = ?1 AND class = ?2 AND open = 1",
    [PUT_TICKET] =
        "INSERT INTO ticket(number, party, subscriber, class, state, case_code, open, document,"
        "  verdict) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
        " ON CONFLICT(number) DO UPDATE SET party = ?2, subscriber = ?3, class = ?4, state = ?5,"
        "  case_code = ?6, open = ?7, document = ?8,"
        "  verdict = CASE WHEN ?9 = '' THEN verdict ELSE ?9 END",
    [NEXT_TICKET] = "SELECT coalesce(max(number), 0) + 1 FROM ticket",
    [NEXT_CHANGE] = "SELECT coalesce(max(number), 0) + 1 FROM change",
    [PUT_CHANGE] = "INSERT INTO change(number, ticket, document) VALUES(?1, ?2, ?3)",
    [GET_META] = "SELECT value FROM meta WHERE key = ?1",
    [PUT_META] = "INSERT INTO meta(key, value) VALUES(?1, ?2)"
                 " ON CONFLICT(key) DO UPDATE SET value = ?2",
    [EACH] = "SELECT document, verdict FROM ticket"
             " WHERE (?1 = 0 OR open = 1) AND (?2 = '' OR class = ?2)"
             " AND (?3 = '' OR subscriber = ?3 OR party = ?3)"
             " AND (?4 = 0 OR number = ?4) AND (?5 = 0 OR number < ?5)"
             " ORDER BY number DESC LIMIT ?6",
    [CHANGES] = "SELECT document FROM change WHERE number > ?1 ORDER BY number LIMIT ?2",
};

struct ticket_store {
    sqlite3 *db;
    sqlite3_stmt *statement[STATEMENTS];
    bool write, begun;
};

static int error_of(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE: return 0;
    case SQLITE_NOMEM: return -ENOMEM;
    case SQLITE_FULL: return -ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return -EBUSY;
    case SQLITE_READONLY: return -EROFS;
    case SQLITE_PERM:
    case SQLITE_AUTH: return -EACCES;
    case SQLITE_CANTOPEN: return -ENOENT;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return -EBADMSG;
    case SQLITE_CONSTRAINT: return -EEXIST;
    default: return -EIO;
    }
}

static sqlite3_stmt *prepared(struct ticket_store *s, enum statement which)
{
    sqlite3_stmt *st = s->statement[which];
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return st;
}

static void bind_text(sqlite3_stmt *st, int at, const char *text)
{
    sqlite3_bind_text(st, at, text, -1, SQLITE_TRANSIENT);
}

// Runs a statement that returns no row.
static int done(sqlite3_stmt *st)
{
    int rc = sqlite3_step(st);
    sqlite3_reset(st);
    return rc == SQLITE_DONE ? 0 : error_of(rc);
}

static int user_version(struct ticket_store *s, int *out)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &st, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW)
        *out = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    return error_of(rc);
}

static int exec(struct ticket_store *s, const char *sql)
{
    return error_of(sqlite3_exec(s->db, sql, NULL, NULL, NULL));
}

static int prepare_schema(struct ticket_store *s, char error[static 160])
{
    int version = 0;
    int rc = 0;
    if (s->write) {
        rc = exec(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                     "PRAGMA foreign_keys = ON;");
        if (rc != 0)
            return rc;
    }
    rc = user_version(s, &version);
    if (rc == 0 && version == 0 && s->write) {
        rc = exec(s, "BEGIN IMMEDIATE");
        if (rc == 0 && (rc = exec(s, schema)) == 0)
            rc = exec(s, "COMMIT");
        version = SCHEMA_VERSION;
    }
    if (rc != 0)
        return rc;
    if (version != SCHEMA_VERSION) {
        snprintf(error, 160, "its layout is version %d, this program knows %d", version,
                 SCHEMA_VERSION);
        return -EPROTO;
    }
    return 0;
}

int ticket_store_open(const char *path, bool write, struct ticket_store **out,
                      char error[static 160])
{
    struct ticket_store *s = calloc(1, sizeof *s);
    error[0] = '\0';
    if (!s)
        return -ENOMEM;
    s->write = write;
    int flags = write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    int rc = error_of(sqlite3_open_v2(path, &s->db, flags, NULL));
    if (rc == 0) {
        sqlite3_busy_timeout(s->db, BUSY_MS);
        rc = prepare_schema(s, error);
    }
    for (int i = 0; rc == 0 && i < STATEMENTS; i++)
        rc = error_of(sqlite3_prepare_v3(s->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                         &s->statement[i], NULL));
    if (rc != 0) {
        if (error[0] == '\0')
            snprintf(error, 160, "%.159s", s->db ? sqlite3_errmsg(s->db) : "out of memory");
        ticket_store_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void ticket_store_close(struct ticket_store *s)
{
    if (!s)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(s->statement[i]);
    sqlite3_close(s->db);
    free(s);
}

int ticket_store_begin(struct ticket_store *s)
{
    assert(s->write && !s->begun);
    int rc = exec(s, "BEGIN IMMEDIATE");
    s->begun = rc == 0;
    return rc;
}

static int put_meta(struct ticket_store *s, const char *key, const char *value)
{
    sqlite3_stmt *st = prepared(s, PUT_META);
    bind_text(st, 1, key);
    bind_text(st, 2, value);
    return done(st);
}

int ticket_store_commit(struct ticket_store *s, const char *cursor)
{
    assert(s->begun);
    int rc = put_meta(s, "cursor", cursor);
    if (rc == 0)
        rc = exec(s, "COMMIT");
    if (rc == 0)
        s->begun = false;
    return rc;
}

int ticket_store_rollback(struct ticket_store *s)
{
    if (!s->begun)
        return 0;
    s->begun = false;
    return exec(s, "ROLLBACK");
}

int ticket_store_cursor(struct ticket_store *s, char *out, size_t size)
{
    sqlite3_stmt *st = prepared(s, GET_META);
    bind_text(st, 1, "cursor");
    int rc = sqlite3_step(st);
    const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0) : "";
    int n = snprintf(out, size, "%s", text ? text : "");
    sqlite3_reset(st);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return error_of(rc);
    return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

// A document of the store as JSON; NULL when it is damaged.
static json_t *column_json(sqlite3_stmt *st, int column)
{
    const char *text = (const char *)sqlite3_column_text(st, column);
    return text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
}

static int column_ticket(sqlite3_stmt *st, int column, struct ticket *out)
{
    char error[160];
    json_t *j = column_json(st, column);
    int rc = j ? ticket_from_json(j, out, error) : -EBADMSG;
    json_decref(j);
    return rc == 0 ? 0 : -EBADMSG;
}

int ticket_store_find_open(struct ticket_store *s, const struct party *p, unsigned class_,
                           struct ticket *out)
{
    char party[PARTY_TEXT_MAX];
    sqlite3_stmt *st = prepared(s, FIND_OPEN);
    bind_text(st, 1, party_format(p, party));
    bind_text(st, 2, verdict_class_name(class_));
    int rc = sqlite3_step(st);
    int found = rc == SQLITE_ROW ? 1 : error_of(rc);
    if (found == 1 && (rc = column_ticket(st, 0, out)) != 0)
        found = rc;
    sqlite3_reset(st);
    return found;
}

static int next_number(struct ticket_store *s, enum statement which, int64_t *out)
{
    sqlite3_stmt *st = prepared(s, which);
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
    return rc == SQLITE_ROW ? 0 : rc == SQLITE_DONE ? -EIO : error_of(rc);
}

static char *text_of(json_t *j)
{
    char *text = j ? json_canonical(j) : NULL;
    json_decref(j);
    return text;
}

static int put_ticket(struct ticket_store *s, const struct ticket_change *c)
{
    const struct ticket *t = &c->ticket;
    char party[PARTY_TEXT_MAX], key[SUBSCRIBER_TEXT_MAX];
    char *document = text_of(ticket_to_json(t, NULL));
    char *verdict = c->verdict.evidence_count > 0 ? text_of(verdict_to_json(&c->verdict))
                                                  : strdup("");
    int rc = -ENOMEM;
    if (document && verdict) {
        sqlite3_stmt *st = prepared(s, PUT_TICKET);
        sqlite3_bind_int64(st, 1, t->number);
        bind_text(st, 2, party_format(&t->party, party));
        bind_text(st, 3, subscriber_key_format(&t->key, key));
        bind_text(st, 4, verdict_class_name(t->class_));
        bind_text(st, 5, ticket_state_name(t->state));
        bind_text(st, 6, t->case_code);
        sqlite3_bind_int(st, 7, t->state != TICKET_CLOSED);
        bind_text(st, 8, document);
        bind_text(st, 9, verdict);
        rc = done(st);
    }
    free(document);
    free(verdict);
    return rc;
}

int ticket_store_put(struct ticket_store *s, struct ticket_change *c)
{
    assert(s->begun);
    int rc = next_number(s, NEXT_CHANGE, &c->number);
    if (rc == 0 && c->ticket.number == 0)
        rc = next_number(s, NEXT_TICKET, &c->ticket.number);
    if (rc == 0)
        rc = put_ticket(s, c);
    if (rc != 0)
        return rc;
    char *document = text_of(ticket_change_to_json(c));
    if (!document)
        return -ENOMEM;
    sqlite3_stmt *st = prepared(s, PUT_CHANGE);
    sqlite3_bind_int64(st, 1, c->number);
    sqlite3_bind_int64(st, 2, c->ticket.number);
    bind_text(st, 3, document);
    rc = done(st);
    free(document);
    return rc;
}

// The verdict of a row, NULL when there is none; `room` holds it.
static const struct verdict *column_verdict(sqlite3_stmt *st, int column, struct verdict *room)
{
    char error[160];
    json_t *j = column_json(st, column);
    int rc = j ? verdict_from_json(j, room, error) : -EINVAL;
    json_decref(j);
    return rc == 0 ? room : NULL;
}

int ticket_store_each(struct ticket_store *s, const struct ticket_query *q, ticket_fn fn, void *ctx)
{
    sqlite3_stmt *st = prepared(s, EACH);
    struct ticket ticket;
    struct verdict *verdict = malloc(sizeof *verdict);
    if (!verdict)
        return -ENOMEM;
    const char *class_ = q->class_ >= 0 ? verdict_class_name((unsigned)q->class_) : "";
    sqlite3_bind_int(st, 1, q->open_only);
    bind_text(st, 2, class_ ? class_ : "?");
    bind_text(st, 3, q->subscriber ? q->subscriber : "");
    sqlite3_bind_int64(st, 4, q->number);
    sqlite3_bind_int64(st, 5, q->before_number);
    sqlite3_bind_int64(st, 6, q->limit ? q->limit : EACH_DEFAULT);
    int rc, told = 0;
    while (told == 0 && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        told = column_ticket(st, 0, &ticket);
        if (told == 0)
            told = fn(&ticket, column_verdict(st, 1, verdict), ctx);
    }
    sqlite3_reset(st);
    free(verdict);
    return told != 0 ? told : error_of(rc);
}

int ticket_store_last_change(struct ticket_store *s, int64_t *out)
{
    int64_t next = 0;
    int rc = next_number(s, NEXT_CHANGE, &next);
    if (rc == 0)
        *out = next - 1;
    return rc;
}

int ticket_store_changes(struct ticket_store *s, int64_t after, uint32_t limit, ticket_change_fn fn,
                         void *ctx)
{
    sqlite3_stmt *st = prepared(s, CHANGES);
    char error[160];
    struct ticket_change *change = malloc(sizeof *change);
    if (!change)
        return -ENOMEM;
    sqlite3_bind_int64(st, 1, after);
    sqlite3_bind_int64(st, 2, limit ? (int64_t)limit : -1);
    int rc, told = 0;
    while (told == 0 && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        json_t *j = column_json(st, 0);
        told = j && ticket_change_from_json(j, change, error) == 0 ? 0 : -EBADMSG;
        json_decref(j);
        if (told == 0)
            told = fn(change, ctx);
    }
    sqlite3_reset(st);
    free(change);
    return told != 0 ? told : error_of(rc);
}
