// A minute row with something in every field, for tests of codec and journal.
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "common/hash.h"
#include "common/minute.h"

static inline struct subscriber_key sample_key(unsigned n)
{
    struct ip_addr a = {.family = IP_V4,
                        .octet = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
    struct ip_prefix p = prefix_of(&a, 32);
    struct realm realm = {.name = ""};
    return subscriber_key_of(&realm, &p);
}

// Only who and when.
static inline struct minute_row sample_head(unsigned n, int64_t minute)
{
    struct minute_row r = {.minute = minute,
                           .cut_ms = (minute + 1) * 60000,
                           .key = sample_key(n),
                           .confidence = IDENTITY_UNKNOWN,
                           .flags = MINUTE_CLOSING | MINUTE_FROM_PACKETS,
                           .observed_s = 60};
    r.party = party_provisional(&r.key);
    return r;
}

static inline struct minute_digest sample_digest(unsigned n)
{
    return (struct minute_digest){
        .flow_hash = 0x1122334455667788u + n,
        .peer = {.family = IP_V6, .octet = {0x20, 1, 0xd, 0xb8, [15] = (uint8_t)n}},
        .peer_port = 25,
        .own_port = (uint16_t)(40000 + n),
        .role = MINUTE_MX,
        .direction = MINUTE_OUT,
        .app = 1,
        .outcome = MINUTE_OUTCOME_TURNED_AWAY,
        .provider_kind = MINUTE_PROVIDER_ASN,
        .socks_inner = 1,
        .socks_port = 25,
        .flags = MINUTE_DIGEST_START | MINUTE_DIGEST_FROM_LOG,
        .start_ms = -5000 + (int32_t)n,
        .end_ms = 61000,
        .outcome_ms = -4000,
        .provider = 64496 + n,
        .octets_up = 1u << 20,
        .octets_down = 300,
        .rcpt = 3,
        .rcpt_5xx = 2,
        .messages_ok = 1,
        .messages_5xx = 4,
        .first_down_ms = 120,
        .user = 1,
        .recipient = 2,
        .sender = UINT64_MAX,
        .tls_client = 4,
        .relay_first = 5,
    };
}

// Every field set, each to another value.
static inline struct minute_row sample_row(unsigned n, int64_t minute)
{
    struct minute_row r = sample_head(n, minute);
    r.cut_ms -= 20500;
    r.party = (struct party){.kind = PARTY_LINE};
    snprintf(r.party.id, sizeof r.party.id, "account-%u", n);
    r.confidence = IDENTITY_LIKELY;
    r.doubts = IDENTITY_NEAR_CHANGE | IDENTITY_LOST_STOP;
    r.flags = MINUTE_EARLY | MINUTE_LEASE_START;
    snprintf(r.network_class, sizeof r.network_class, "residential");
    snprintf(r.pop, sizeof r.pop, "north-%u", n % 3);
    minute_row_add_sensor(&r, "edge-1");
    minute_row_add_sensor(&r, "edge-2");
    r.observed_s = 39;
    r.loss_ppm = 1500;
    r.lease_unseen = UINT16_MAX;
    uint64_t v = 1;
    for (unsigned role = 0; role < MINUTE_ROLES; role++)
        for (unsigned d = 0; d < MINUTE_DIRECTIONS; d++)
            for (unsigned c = 0; c < MINUTE_COUNTER_N; c++)
                r.counter[role][d][c] = v++;
    r.counter[MINUTE_MX][MINUTE_OUT][MINUTE_octets_up] = UINT64_MAX;
    for (unsigned g = 0; g < MINUTE_GAUGE_N; g++)
        r.gauge[g] = v++;
    for (unsigned s = 0; s < MINUTE_SET_N; s++)
        for (unsigned i = 0; i <= s * 3; i++)
            distinct_add(&r.set[s], (uint8_t)s, (v++ + i) * 0x9e3779b97f4a7c15u, NULL);
    r.digest_count = 3;
    r.digests_cut = 7;
    r.digest = calloc(r.digest_count, sizeof *r.digest);
    for (unsigned i = 0; i < r.digest_count; i++)
        r.digest[i] = sample_digest(i);
    r.digest[0].carrier_opened = 300;
    r.digest[0].carrier_behind = 299;
    r.digest[0].carrier_chance = 1000;
    r.digest[0].carrier_networks = UINT64_MAX - n;
    r.digest[2].provider_kind = MINUTE_PROVIDER_NETWORK; // left out of the encoding
    r.digest[2].provider = hash_network(&r.digest[2].peer);
    r.digest[1] = (struct minute_digest){.flow_hash = 9, .start_ms = -4999};
    return r;
}

// What version 1 of the format wrote into the octets of minute_old.h.
static inline struct minute_row old_row(void)
{
    struct minute_row r = sample_head(3, 29000000);
    r.cut_ms -= 20500;
    r.flags = MINUTE_EARLY;
    r.counter[MINUTE_MX][MINUTE_OUT][MINUTE_connections] = 3;
    r.counter[MINUTE_SMARTHOST][MINUTE_IN][MINUTE_rcpt] = 300;
    r.counter[MINUTE_OTHER][MINUTE_IN][MINUTE_destination_blocklist] = UINT64_MAX;
    r.gauge[MINUTE_flows] = 5;
    for (uint64_t i = 1; i <= 3; i++)
        distinct_add(&r.set[MINUTE_SET_recipients], 7, i << 40, NULL);
    distinct_add(&r.set[MINUTE_SET_client_countries], 0, 9, NULL);
    r.digest_count = 2;
    r.digests_cut = 7;
    r.digest = calloc(r.digest_count, sizeof *r.digest);
    for (unsigned i = 0; i < r.digest_count; i++)
        r.digest[i] = sample_digest(i);
    r.digest[1].provider_kind = MINUTE_PROVIDER_NETWORK;
    r.digest[1].provider = hash_network(&r.digest[1].peer);
    return r;
}

static inline bool sample_equal(const struct minute_row *a, const struct minute_row *b)
{
    struct buf x, y;
    buf_init(&x, 1 << 20);
    buf_init(&y, 1 << 20);
    minute_row_encode(a, &x);
    minute_row_encode(b, &y);
    bool equal = span_equal(buf_span(&x), buf_span(&y)) && !x.failed;
    buf_fini(&x);
    buf_fini(&y);
    return equal;
}
