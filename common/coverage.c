// Coverage: how much was lost, and what to do about each alarm.
#include "common/coverage.h"

// Parts per million of `part + rest`, rounded up so that a loss is never none.
static uint32_t ppm_of(unsigned __int128 part, unsigned __int128 rest)
{
    unsigned __int128 all = part + rest;
    return all == 0 ? 0 : (uint32_t)((part * 1000000 + all - 1) / all);
}

uint32_t coverage_loss_ppm(const struct coverage *c)
{
    uint32_t dropped = ppm_of((unsigned __int128)c->dropped_card + c->dropped_ring, c->packets);
    uint32_t missing = ppm_of(c->missing_octets, c->seen_octets);
    // What the spool refused is missing at the collector too: one loss, told by both.
    uint64_t gone = c->dropped_spool > c->lost_records ? c->dropped_spool : c->lost_records;
    uint32_t lost = ppm_of(gone, c->records);
    uint32_t worst = dropped > missing ? dropped : missing;
    return worst > lost ? worst : lost;
}

const char *coverage_alarm_text(uint32_t alarm_bit)
{
    switch (alarm_bit) {
    case COVERAGE_ONE_DIRECTION:
        return "The mirror shows one direction only, so replies are not seen: mirror both "
               "directions (rx and tx) of the port.";
    case COVERAGE_DOUBLED:
        return "Packets arrive twice, which the sensor has to undo: mirror each path once, at the "
               "ingress or the egress of the port, not both.";
    case COVERAGE_SLICED:
        return "Packets are cut short, so dialogues cannot be read to their end: switch off packet "
               "slicing at the mirror or raise its length.";
    case COVERAGE_NO_MAIL:
        return "No SMTP was seen for an hour by day on a leg declared to carry it: check that the "
               "mirror includes ports 25, 465, 587 and 2525 of this leg.";
    case COVERAGE_CLOCK:
        return "The clock jumped or differs from the other sensors and the lease source: run NTP "
               "or PTP on this host and on the packet broker.";
    case COVERAGE_DROPS:
        return "Packets were dropped before they were looked at: give the capture a larger ring, "
               "more processes, or a mirror narrowed to mail ports.";
    case COVERAGE_SPOOL_FULL:
        return "Records cannot be written and are lost: restore the connection to the collector, "
               "or "
               "give the spool, its disk or the file of records more room.";
    case COVERAGE_UNKNOWN_LAYERS:
        return "A noticeable share of packets could not be opened: look under `skipped` in the "
               "status for the layers by name and strip them at the broker.";
    case COVERAGE_LEG_WRONG:
        return "What is seen contradicts the declared leg, nat or port25: correct the declaration "
               "in the sensor's configuration.";
    case COVERAGE_SAMPLED:
        return "The source is sampled, so small counts are missed and rates are estimates: mirror "
               "mail ports without sampling.";
    case COVERAGE_REPLAY:
        return "The packets come from a file and time is packet time: nothing to do, but nothing "
               "here is live.";
    case COVERAGE_ANOMALY:
        return "Traffic of the site or sensor left its usual band: compare with the day before, "
               "then look for an outage, a moved mirror or a real surge.";
    case COVERAGE_LINK_DOWN:
        return "An interface of the sensor is down or gone, so nothing of it is seen: check the "
               "cable, "
               "the mirror's port and `ip link`.";
    default: return NULL;
    }
}
