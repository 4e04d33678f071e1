// Where the packets of a party leave for the capture.
#include "party.h"

#include <stdio.h>

#include "spool.h"

void party_init(struct party *p, struct run *run, const char *kind, const char *name)
{
    *p = (struct party){.run = run, .kind = kind, .loss = run->loss, .reorder = run->reorder};
    snprintf(p->name, sizeof p->name, "%s", name);
    char stream[PARTY_NAME_MAX + 16];
    snprintf(stream, sizeof stream, "party/%s", name);
    rng_init(&p->rng, run->seed, stream);
    snprintf(stream, sizeof stream, "mirror/%s", name);
    rng_init(&p->mirror_rng, run->seed, stream);

    uint64_t h = rng_hash(run->seed, name, 1);
    struct link *l = &p->link;
    for (int i = 0; i < 6; i++)
        l->mac_subscriber[i] = (uint8_t)(h >> (8 * i));
    l->mac_subscriber[0] = (uint8_t)((l->mac_subscriber[0] & 0xfc) | 2); // locally administered
    static const uint8_t network[6] = {0x02, 0x00, 0x5e, 0x10, 0x00, 0x01};
    memcpy(l->mac_network, network, 6);
    h = rng_hash(run->seed, name, 2);
    l->svlan = (uint16_t)(100 + h % 40);
    l->cvlan = (uint16_t)(2 + (h >> 8) % 4000);
    l->pppoe_session = (uint16_t)(1 + (h >> 24) % 65000);
    l->vlan_out = 101;
    l->vlan_in = 201;
    l->label_out = (uint32_t)(24000 + (h >> 40) % 64);
    l->label_in = (uint32_t)(299776 + (h >> 48) % 64);
    p->delay_ns = (3 + (int64_t)(h % 11)) * NS_PER_MS / 2 + (int64_t)(h >> 12) % NS_PER_MS;
    p->hops = (uint8_t)(1 + h % 2);
    p->next_port = (uint32_t)(h >> 20) % 12000;
    p->from_ns = run->start_ns;
    p->until_ns = run->end_ns;
}

uint16_t party_port(struct party *p, uint16_t low, uint16_t high)
{
    p->next_port += 1 + rng_below(&p->rng, 4);
    return (uint16_t)(low + p->next_port % (uint32_t)(high - low + 1));
}

bool party_in_capture(const struct party *p, int64_t t_ns)
{
    return t_ns >= p->run->start_ns && t_ns < p->run->end_ns;
}

static void write_frame(struct party *p, int64_t t_ns, const uint8_t *frame, size_t len)
{
    struct run *run = p->run;
    if (!party_in_capture(p, t_ns))
        return;
    size_t kept = mirror_cut(&run->mirror, len);
    int rc = spool_add(run->spool, t_ns, span_of(frame, kept), (uint32_t)len);
    if (rc < 0 && run->error == 0)
        run->error = rc;
    if (p->tally.packets == 0 || t_ns < p->first_ns)
        p->first_ns = t_ns;
    if (t_ns > p->last_ns)
        p->last_ns = t_ns;
    p->tally.packets++;
    p->tally.octets += len;
    run->packets++;
    run->octets += kept + 16;
}

void party_emit(struct party *p, int64_t t_ns, bool outbound, const uint8_t *frame, size_t len)
{
    const struct mirror *m = &p->run->mirror;
    if (!mirror_sees(m, outbound) || mirror_loses(m, &p->mirror_rng))
        return;
    write_frame(p, t_ns, frame, len);
    if (mirror_doubles(m, &p->mirror_rng))
        write_frame(p, t_ns + mirror_lag_ns(&p->mirror_rng), frame, len);
}

void party_guilty(struct party *p, int64_t t_ns)
{
    if (!party_in_capture(p, t_ns))
        return;
    if (p->first_guilty_ns == 0 || t_ns < p->first_guilty_ns)
        p->first_guilty_ns = t_ns;
    if (t_ns > p->last_guilty_ns)
        p->last_guilty_ns = t_ns;
    p->guilty_acts++;
}
