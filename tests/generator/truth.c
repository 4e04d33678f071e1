// Parties and their tallies as JSON.
#include "truth.h"

#include <errno.h>

#include "common/json.h"
#include "common/timefmt.h"

static json_t *time_json(int64_t t_ns)
{
    char text[TIME_TEXT_MAX];
    return t_ns ? json_string(time_format(t_ns / NS_PER_MS, text)) : json_null();
}

static void set(json_t *o, const char *key, json_t *value)
{
    json_object_set_new(o, key, value);
}

static void set_count(json_t *o, const char *key, uint64_t n)
{
    set(o, key, json_integer((json_int_t)n));
}

// Counts of zero are left out: most of a party's are.
static void set_nonzero(json_t *o, const char *key, uint64_t n)
{
    if (n > 0)
        set_count(o, key, n);
}

static json_t *smtp_json(const struct smtp_tally *t)
{
    const struct {
        const char *key;
        uint64_t n;
    } fields[] = {{"sessions", t->sessions},
                  {"mail", t->mail},
                  {"null_sender", t->null_sender},
                  {"rcpt", t->rcpt},
                  {"rcpt_ok", t->rcpt_ok},
                  {"rcpt_4xx", t->rcpt_4xx},
                  {"rcpt_5xx", t->rcpt_5xx},
                  {"data", t->data},
                  {"bdat", t->bdat},
                  {"messages_ok", t->messages_ok},
                  {"messages_4xx", t->messages_4xx},
                  {"messages_5xx", t->messages_5xx},
                  {"auth", t->auth},
                  {"auth_failed", t->auth_failed},
                  {"starttls", t->starttls},
                  {"blocklist_replies", t->blocklist_replies},
                  {"probes", t->probes}};
    json_t *o = json_object();
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        set_nonzero(o, fields[i].key, fields[i].n);
    return o;
}

static json_t *tally_json(const struct tally *t)
{
    static const char *const side[] = {"smtp_out", "smtp_in"}, *const form[] = {"clear", "tls"};
    json_t *o = json_object();
    set_count(o, "packets", t->packets);
    set_count(o, "octets", t->octets);
    set_count(o, "flows", t->flows);
    set_nonzero(o, "established", t->established);
    set_nonzero(o, "unanswered", t->unanswered);
    set_nonzero(o, "refused", t->refused);
    set_nonzero(o, "prohibited", t->prohibited);
    set_nonzero(o, "half_open", t->half_open);
    set_nonzero(o, "logins", t->logins);
    set_nonzero(o, "logins_failed", t->logins_failed);
    set_nonzero(o, "socks_in", t->socks_in);
    set_nonzero(o, "tunnels", t->tunnels);
    set_nonzero(o, "dns_queries", t->dns_queries);
    set_nonzero(o, "mx_queries", t->mx_queries);
    for (int s = 0; s < TALLY_SIDES; s++) {
        json_t *both = json_object();
        for (int f = 0; f < TALLY_FORMS; f++)
            if (t->smtp[s][f].sessions > 0)
                set(both, form[f], smtp_json(&t->smtp[s][f]));
        if (json_object_size(both) > 0)
            set(o, side[s], both);
        else
            json_decref(both);
    }
    return o;
}

static int write_line(FILE *out, json_t *o)
{
    int rc = json_write_line(out, o);
    json_decref(o);
    return rc;
}

int truth_head(FILE *out, const struct scenario *s, const struct run *run)
{
    json_t *o = json_object();
    set(o, "type", json_string("capture"));
    set_count(o, "version", 1);
    set(o, "scenario", json_string(s->name));
    set_count(o, "seed", run->seed);
    set(o, "start", time_json(run->start_ns));
    set(o, "end", time_json(run->end_ns));
    set(o, "wrap", json_string(wrap_names[s->mirror.wrap]));
    set(o, "direction", json_string(mirror_direction_names[s->mirror.direction]));
    set_count(o, "packets", run->packets);
    return write_line(out, o);
}

int truth_party(FILE *out, const struct party *p)
{
    char text[IP_TEXT_MAX];
    json_t *o = json_object();
    set(o, "type", json_string("party"));
    set(o, "name", json_string(p->name));
    set(o, "kind", json_string(p->kind));
    set(o, "guilty", json_boolean(p->class && p->guilty_acts > 0));
    set(o, "class", p->class ? json_string(p->class) : json_null());
    bool line = !p->outside;
    set(o, "subscriber",
        line && p->v4.family == IP_V4 ? json_string(ip_format(&p->v4, text)) : json_null());
    set(o, "subscriber_v6",
        line && p->v6.family == IP_V6 ? json_string(ip_format(&p->v6, text)) : json_null());
    set(o, "first_packet", time_json(p->first_ns));
    set(o, "last_packet", time_json(p->last_ns));
    set(o, "first_guilty", time_json(p->first_guilty_ns));
    set(o, "last_guilty", time_json(p->last_guilty_ns));
    set_count(o, "guilty_acts", p->guilty_acts);
    set(o, "rate_per_min", p->rate_per_min > 0 ? json_number(p->rate_per_min, 4) : json_null());
    set(o, "mailbox", p->mailbox[0] ? json_string(p->mailbox) : json_null());
    set(o, "note", p->note[0] ? json_string(p->note) : json_null());
    set(o, "counts", tally_json(&p->tally));
    return write_line(out, o);
}
