// Frames made in memory, and honest mail among them: SMTP dialogues of which all is known, advanced a
// packet at a time while a flood of the test's own goes on. What the sensor tells is summed up, never kept.
#pragma once

#include "sensor.h"

// ---- A sensor whose records are counted.

struct flood {
    struct sensor *sensor;
    struct sensor_conf conf;
    struct prefix_set *subscribers, *smarthosts;
    struct sink sink;
    int64_t t_us;
    uint16_t ip_id;
    // Of all flows: records by flag.
    uint64_t starts, ends, evicted, unfollowed;
    // Of 10.1.0.0/16, the honest.
    struct {
        uint64_t starts, ends, established, incomplete, mail, rcpt, rcpt_ok, rcpt_5xx, messages,
            quit;
    } honest;
    struct coverage seen; // sums
};

// `yaml`: the section `sensor`. Subscribers are 10.0.0.0/8.
void flood_open(struct flood *f, const char *yaml);
// Ends every flow: what is told then counts, too.
void flood_finish(struct flood *f);
void flood_close(struct flood *f);

// Resident memory of the process in KiB.
int64_t flood_resident_kib(void);

// ---- Packets. Addresses in host order.

struct flood_packet {
    uint32_t from, to;
    uint16_t from_port, to_port;
    uint8_t flags; // enum packet_tcp_flags
    uint32_t seq, ack;
    const char *payload; // NULL: none
    uint16_t piece;      // octets of a fragment, a multiple of 8; 0: whole
};

void flood_tcp(struct flood *f, const struct flood_packet *p);
// One IPv4 fragment with content of its own making.
void flood_fragment(struct flood *f, uint32_t from, uint16_t id, uint16_t offset, bool more,
                    uint16_t len);

// ---- Honest mail: two recipients, one of whom is refused, one message.

struct flood_mail {
    uint32_t number; // addresses and port follow from it
    unsigned step;
    uint16_t piece;
    uint32_t seq[2];
};

// Sends the dialogue's next packet; false: it was the last.
bool flood_mail_step(struct flood *f, struct flood_mail *m);
