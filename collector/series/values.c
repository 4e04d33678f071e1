// Which counters of a row stand behind which source: the table of docs/formats/series.md.
#include "series/values.h"

#include <math.h>
#include <stdlib.h>

static double mail_sum(const struct minute_row *r, enum minute_counter c)
{
    return (double)(r->counter[MINUTE_SMARTHOST][MINUTE_OUT][c] +
                    r->counter[MINUTE_MX][MINUTE_OUT][c] +
                    r->counter[MINUTE_SUBMISSION][MINUTE_OUT][c]);
}

static void row_values(const struct minute_row *r, double out[static SERIES_SOURCES])
{
    out[SERIES_ESTABLISHED] = mail_sum(r, MINUTE_established);
    out[SERIES_REFUSED] = mail_sum(r, MINUTE_refused);
    // Closed early is among the established: outcomes add up to attempts.
    out[SERIES_UNANSWERED] = mail_sum(r, MINUTE_unanswered) + mail_sum(r, MINUTE_icmp_rejected);
    out[SERIES_PEERS] = 0;
    out[SERIES_MESSAGES] = mail_sum(r, MINUTE_messages_ok) + mail_sum(r, MINUTE_messages_4xx) +
                           mail_sum(r, MINUTE_messages_5xx);
    out[SERIES_RECIPIENTS] = mail_sum(r, MINUTE_rcpt);
    out[SERIES_SOCKS_IN] = (double)r->gauge[MINUTE_socks_in];
    out[SERIES_SOCKS_OUT] = (double)(r->gauge[MINUTE_socks_out] + r->gauge[MINUTE_socks_reverse]);
}

static bool has_peers(const struct minute_row *r)
{
    return distinct_count(&r->set[MINUTE_SET_peers_mx]) > 0 ||
           distinct_count(&r->set[MINUTE_SET_providers_submission]) > 0;
}

bool series_row_matters(const struct minute_row *r)
{
    double v[SERIES_SOURCES];
    row_values(r, v);
    for (unsigned s = 0; s < SERIES_SOURCES; s++)
        if (v[s] > 0)
            return true;
    return has_peers(r);
}

bool series_row_earns_file(const struct minute_row *r, uint32_t burst_connections)
{
    double v[SERIES_SOURCES];
    row_values(r, v);
    return v[SERIES_ESTABLISHED] > 0 || v[SERIES_SOCKS_IN] > 0 || v[SERIES_SOCKS_OUT] > 0 ||
           mail_sum(r, MINUTE_connections) >= burst_connections;
}

uint32_t series_row_attempts(const struct minute_row *r)
{
    double n = mail_sum(r, MINUTE_connections);
    return n < 1e6 ? (uint32_t)n : 1000000;
}

void series_minute_add(struct series_minute *m, const struct minute_row *r,
                       struct distinct_budget *budget)
{
    double v[SERIES_SOURCES];
    row_values(r, v);
    for (unsigned s = 0; s < SERIES_SOURCES; s++)
        m->value[s] += v[s];
    if (r->cut_ms > m->cut_ms)
        m->cut_ms = r->cut_ms;
    distinct_merge(&m->peers, &r->set[MINUTE_SET_peers_mx], budget);
    distinct_merge(&m->providers, &r->set[MINUTE_SET_providers_submission], budget);
}

void series_minute_add_sensor(struct series_minute *m, const struct coverage_minute *c)
{
    const struct coverage *s = &c->sum;
    m->value[SERIES_SENSOR_PACKETS] += (double)s->packets;
    m->value[SERIES_SENSOR_OCTETS] += (double)s->octets;
    m->value[SERIES_SENSOR_DROPPED] += (double)(s->dropped_card + s->dropped_ring);
    m->value[SERIES_SENSOR_TCP_FLOWS] += (double)s->tcp_flows;
    m->value[SERIES_SENSOR_MAIL_FLOWS] += (double)s->mail_flows;
    m->value[SERIES_SENSOR_SUBSCRIBER_FLOWS] += (double)s->subscriber_flows;
    m->value[SERIES_SENSOR_RECORDS] += (double)s->records;
    if (c->loss_ppm > m->value[SERIES_SENSOR_LOSS_PPM])
        m->value[SERIES_SENSOR_LOSS_PPM] = c->loss_ppm;
    if (s->t_ms > m->cut_ms)
        m->cut_ms = s->t_ms;
    m->finished = true; // there are no sets to count
}

void series_minute_finish(struct series_minute *m, struct distinct_budget *budget)
{
    if (m->finished)
        return;
    m->finished = true;
    m->value[SERIES_PEERS] = round(distinct_count(&m->peers) + distinct_count(&m->providers));
    distinct_clear(&m->peers, budget);
    distinct_clear(&m->providers, budget);
}

void series_minute_fini(struct series_minute *m, struct distinct_budget *budget)
{
    distinct_clear(&m->peers, budget);
    distinct_clear(&m->providers, budget);
    free(m->party);
    m->party = NULL;
}
