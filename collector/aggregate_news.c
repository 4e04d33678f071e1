// What a record says that its flow has not said before. A record's counters are deltas and add up by
// themselves; its states (a greeting, a HELO, TLS) stand in every record of the flow and must count once, and
// some things can be told only when the flow has ended.
#include "aggregate_parts.h"

// TLS sessions whose client sent less cannot have carried a message.
#define TLS_SHORT_OCTETS 1500

// What of a dialogue may have been missed: then nothing is said of what it lacks.
#define MISSED                                                                                 \
    (RECORD_ONLY_INITIATOR | RECORD_ONLY_RESPONDER | RECORD_MIDSTREAM | RECORD_GAP |           \
     RECORD_SLICED | RECORD_SAMPLED | RECORD_EVICTED | RECORD_NO_MEMORY | RECORD_PARSER_LOST | \
     RECORD_FLOW_ONLY)

bool is_failure(uint8_t handshake)
{
    return handshake == RECORD_HANDSHAKE_REFUSED || handshake == RECORD_HANDSHAKE_UNANSWERED ||
           handshake == RECORD_HANDSHAKE_ICMP || handshake == RECORD_HANDSHAKE_CLOSED_EARLY;
}

static bool once(struct flow *m, uint32_t what, bool is_so)
{
    if (!is_so || (m->counted & what))
        return false;
    m->counted |= what;
    return true;
}

static void smtp_news(const struct record_flow *f, struct flow *m, struct news *n)
{
    const struct record_smtp *s = &f->smtp;
    n->greeted = once(m, FLOW_GREETED, s->banner_code != 0);
    n->helo = once(m, FLOW_HELO, s->helo > 0);
    n->early_talker = once(m, FLOW_EARLY_TALKER, s->early_talker);
    n->unoffered = once(m, FLOW_UNOFFERED, s->unoffered_pipelining > 0);
    n->helo_literal = once(m, FLOW_HELO_LITERAL, s->helo_is_literal);
    n->helo_peer = once(m, FLOW_HELO_PEER, s->helo_is_peer);
    if (s->quit > 0 || s->quit_seen)
        m->counted |= FLOW_QUIT;
    if (s->data > 0 || s->bdat > 0)
        m->counted |= FLOW_DATA;
    if (s->starttls_state >= RECORD_STARTTLS_OFFERED)
        m->counted |= FLOW_STARTTLS_OFFERED;
    if (s->starttls_state >= RECORD_STARTTLS_ASKED || s->starttls > 0)
        m->counted |= FLOW_STARTTLS_ASKED;
    if (s->mail > 0 || s->rcpt > 0 || s->data > 0 || s->bdat > 0 || s->auth > 0)
        m->counted |= FLOW_COMMANDS;
    m->auth += s->auth;
    m->auth_failed += s->auth_failed;
    m->mail += s->mail;
    m->rcpt_5xx += s->rcpt_5xx;
}

static void tls_news(const struct record_flow *f, struct flow *m, struct news *n)
{
    bool has_tls = (f->groups & RECORD_HAS_TLS) != 0;
    bool spoken = has_tls && (f->tls.handshake_done || f->tls.version || f->tls.ja4[0]);
    bool accepted = (f->groups & RECORD_HAS_SMTP) && f->smtp.starttls_ok > 0 &&
                    !f->smtp.clear_after_tls;
    n->tls = once(m, FLOW_TLS, spoken || accepted);
    if (!has_tls)
        return;
    // close_notify (0) is how TLS ends well.
    n->tls_alert = once(m, FLOW_TLS_ALERT, f->tls.alert != 255 && f->tls.alert != 0);
    m->client_app_octets += f->tls.application_octets[0];
}

static void socks_news(const struct record_flow *f, struct flow *m, struct news *n)
{
    const struct record_socks *s = &f->socks;
    n->socks = once(m, FLOW_SOCKS, true);
    n->socks_granted = once(m, FLOW_SOCKS_GRANTED, s->granted);
    n->socks_mail = once(m, FLOW_SOCKS_MAIL,
                         is_mail_port(s->target_port) || is_mail_app(s->inner_app));
    n->socks_refused = once(m, FLOW_SOCKS_REFUSED, s->reply != 0xff && !s->granted);
}

// At the flow's end, from all its records.
static void end_news(const struct record_flow *f, const struct flow *m, struct news *n)
{
    bool half = f->incomplete & (RECORD_ONLY_INITIATOR | RECORD_ONLY_RESPONDER);
    n->ended = true;
    n->one_sided = half &&
                   (f->handshake == RECORD_HANDSHAKE_CLOSED_EARLY || !is_failure(f->handshake));
    if (m->counted & FLOW_GAP)
        return;
    bool tls = m->counted & FLOW_TLS;
    bool dialogue = (m->counted & (FLOW_HELO | FLOW_COMMANDS)) && !tls;
    n->tls_short = tls && m->client_app_octets < TLS_SHORT_OCTETS;
    n->starttls_unasked = dialogue && (m->counted & FLOW_STARTTLS_OFFERED) &&
                          !(m->counted & FLOW_STARTTLS_ASKED);
    n->quit_missing = dialogue && !(m->counted & FLOW_QUIT);
    n->refused_no_data = m->rcpt_5xx > 0 && !(m->counted & FLOW_DATA);
}

static uint8_t outcome_of(const struct record_flow *f, const struct flow *m)
{
    switch (f->handshake) {
    case RECORD_HANDSHAKE_REFUSED: return MINUTE_OUTCOME_REFUSED;
    case RECORD_HANDSHAKE_UNANSWERED: return MINUTE_OUTCOME_UNANSWERED;
    case RECORD_HANDSHAKE_ICMP: return MINUTE_OUTCOME_ICMP;
    case RECORD_HANDSHAKE_CLOSED_EARLY: return MINUTE_OUTCOME_CLOSED_EARLY;
    case RECORD_HANDSHAKE_MIDSTREAM: return MINUTE_OUTCOME_MIDSTREAM;
    case RECORD_HANDSHAKE_ESTABLISHED: break;
    default: return m->outcome;
    }
    unsigned reply = f->groups & RECORD_HAS_SMTP ? f->smtp.banner_code / 100u : 0;
    bool tls = (f->groups & RECORD_HAS_TLS) && f->tls.handshake_done;
    if (reply == 4 || reply == 5)
        return MINUTE_OUTCOME_TURNED_AWAY;
    if (reply == 2 || tls)
        return MINUTE_OUTCOME_GREETED;
    // A later record of the flow need not repeat the greeting.
    bool known = m->outcome == MINUTE_OUTCOME_GREETED || m->outcome == MINUTE_OUTCOME_TURNED_AWAY;
    return known ? m->outcome : MINUTE_OUTCOME_ESTABLISHED;
}

void news_of(const struct record_flow *f, struct flow *m, struct news *n)
{
    *n = (struct news){0};
    bool start = f->flags & RECORD_START;
    bool joined = f->handshake == RECORD_HANDSHAKE_MIDSTREAM || (f->incomplete & RECORD_MIDSTREAM);
    n->begun = start && !joined;
    n->midstream = start && joined;
    n->outcome = (f->flags & RECORD_OUTCOME) && f->handshake != RECORD_HANDSHAKE_MIDSTREAM;
    m->syns = (uint16_t)(m->syns + f->syn_count);
    n->lone_syn = n->outcome && f->handshake == RECORD_HANDSHAKE_UNANSWERED && m->syns == 1;
    n->established = once(m, FLOW_ESTABLISHED,
                          n->outcome && (f->handshake == RECORD_HANDSHAKE_ESTABLISHED ||
                                         f->handshake == RECORD_HANDSHAKE_CLOSED_EARLY));
    // Before its end a flow may be one-sided because nobody has answered yet: a minute can end behind the SYN.
    uint32_t early = f->flags & RECORD_END ? 0 : RECORD_ONLY_INITIATOR | RECORD_ONLY_RESPONDER;
    if (f->incomplete & MISSED & ~early)
        m->counted |= FLOW_GAP;
    if (f->groups & RECORD_HAS_SMTP)
        smtp_news(f, m, n);
    tls_news(f, m, n);
    if (f->groups & RECORD_HAS_SOCKS)
        socks_news(f, m, n);
    if (f->groups & RECORD_HAS_LOGIN) {
        m->auth += f->login.tries;
        m->auth_failed += f->login.failures;
    }
    m->outcome = outcome_of(f, m);
    if (f->flags & RECORD_END)
        end_news(f, m, n);
}
