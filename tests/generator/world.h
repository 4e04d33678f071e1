// The Internet outside the ISP: mail providers, domains with their MX hosts, hosting networks, web
// sites, foreign access lines. Everything is a function of the seed and an index, nothing is stored.
//
// Names end in ".example" (RFC 2606). Addresses come from ranges no one routes:
//   198.18.0.0/20     big mail providers, a /23 each        (RFC 2544)
//   198.18.16.0/20    web sites behind a few delivery networks
//   198.18.32.0-198.19.127.255  MX hosts of ordinary domains, 352 networks
//   198.19.128.0/17   foreign access networks: scanners, thieves, controllers
//   203.0.113.0/24, 192.0.2.0/24  hosting networks          (RFC 5737)
//   198.51.100.0/24   the ISP's own servers (a scenario names them)
//   3fff:0:NET::/48   the same in IPv6                      (RFC 9637)
#pragma once

#include "common/addr.h"

enum { WORLD_DOMAINS = 4096, WORLD_PROVIDERS = 8, WORLD_MX_NETWORKS = 352, WORLD_NAME_MAX = 64 };

// A host somewhere out there, as a conversation needs it.
struct peer {
    char host[WORLD_NAME_MAX];
    char domain[WORLD_NAME_MAX];
    struct ip_addr v4, v6; // v6 is IP_NONE where the host has none
    int64_t delay_ns;      // one way between tap and host
    uint8_t hops;
    uint8_t dialect; // of its mail server, see smtp_server.h
    bool starttls;   // offered on port 25
    bool greylists;
};

enum world_service { WORLD_SUBMISSION, WORLD_IMAP, WORLD_POP };

// Domain `i` of WORLD_DOMAINS; the first WORLD_PROVIDERS are the big providers.
void world_domain(uint32_t i, char out[static WORLD_NAME_MAX]);

// MX host `n` of domain `i` (providers have four, other domains two).
void world_mx(uint64_t seed, uint32_t i, uint32_t n, struct peer *out);

// Address `n` of eight behind the service's name of big provider `i`.
void world_provider(uint64_t seed, uint32_t i, enum world_service service, uint32_t n,
                    struct peer *out);

void world_site(uint64_t seed, uint32_t i, struct peer *out);    // web server `i`
void world_hosting(uint64_t seed, uint32_t i, struct peer *out); // rented server `i`
void world_foreign(uint64_t seed, uint32_t i,
                   struct peer *out); // somebody's line abroad, network `i % 128`

// "first.last" number `i` of about two million.
void world_person(uint32_t i, char out[static WORLD_NAME_MAX]);
