// What lease sources say, from any octets. The first octet chooses: RADIUS packets (each behind two octets of
// length, signed or not), Kea's file, ISC's file. The second cuts the file in two.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "dhcp_isc.h"
#include "dhcp_kea.h"
#include "radius_leases.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sink {
    struct lease_store store;
    struct dhcp_counts counts;
};

static int take(const struct dhcp_lease *d, void *ctx)
{
    static const struct dhcp_naming naming = {
        .source = LEASE_DHCP_KEA, .pop = "p", .network_class = "", .server = "s"};
    struct sink *s = ctx;
    return dhcp_apply(&s->store, &naming, d, d->seen_ms + 60000, &s->counts);
}

static void radius(struct sink *s, struct span in)
{
    static const uint8_t secret[] = {'s'};
    static struct radius_clocks clocks;
    static const struct radius_naming naming = {
        .pop = "p", .network_class = "", .interim_ms = 1800000};
    struct ip_addr source = {.family = IP_V4, .octet = {192, 0, 2, 1}};
    struct radius_accounting a;
    uint8_t answer[RADIUS_PACKET_MAX];
    for (int64_t t = 1767261600000; in.len >= 2; t += 1000) {
        size_t len = (size_t)in.data[0] << 8 | in.data[1];
        struct span packet = span_cut(in, 2, len);
        in = span_cut(in, 2 + packet.len, in.len);
        if (radius_decode(packet, &a) == RADIUS_TAKEN)
            radius_apply(&s->store, &clocks, &naming, &a, &source, t);
        if (packet.len < RADIUS_HEADER)
            continue;
        radius_is_signed(packet, span_of(secret, 1));
        size_t n = radius_answer(packet, span_of(secret, 1), answer);
        assert(n <= RADIUS_PACKET_MAX);
    }
}

static void file(struct sink *s, bool kea, uint8_t cut, struct span in)
{
    struct span first = span_cut(in, 0, cut), second = span_cut(in, first.len, in.len);
    if (kea) {
        struct dhcp_kea *k = dhcp_kea_new(take, s);
        dhcp_kea_feed(k, first);
        dhcp_kea_feed(k, second);
        dhcp_kea_free(k);
    } else {
        struct dhcp_isc *d = dhcp_isc_new(take, s);
        dhcp_isc_feed(d, first);
        dhcp_isc_feed(d, second);
        dhcp_isc_free(d);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct sink s = {.store = {.leases = leases_new()}};
    struct span in = span_of(data + 2, size - 2);
    if (!s.store.leases)
        return 0;
    if (data[0] % 3 == 0)
        radius(&s, in);
    else
        file(&s, data[0] % 3 == 1, data[1], in);
    struct realm realm = {0};
    struct ip_addr addr = {.family = IP_V4, .octet = {10, 0, 0, 1}};
    leases_find(s.store.leases, &realm, &addr, 0, 1767261660000);
    leases_forget(s.store.leases, 1767261660000);
    leases_free(s.store.leases);
    return 0;
}
