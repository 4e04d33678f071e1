// The detectors there are: one line each.
#include "detector.h"

extern const struct detector_descriptor detector_fan_out;
extern const struct detector_descriptor detector_first_contact;
extern const struct detector_descriptor detector_direct_mx;
extern const struct detector_descriptor detector_rejections;
extern const struct detector_descriptor detector_harvest;
extern const struct detector_descriptor detector_blocklist;
extern const struct detector_descriptor detector_ratware;
extern const struct detector_descriptor detector_client_print;
extern const struct detector_descriptor detector_backscatter;
extern const struct detector_descriptor detector_recipient_burst;
extern const struct detector_descriptor detector_identity_rotation;
extern const struct detector_descriptor detector_submission_spread;
extern const struct detector_descriptor detector_policy_limits;
extern const struct detector_descriptor detector_auth_guessing;
extern const struct detector_descriptor detector_open_relay;
extern const struct detector_descriptor detector_socks_relay;
extern const struct detector_descriptor detector_backconnect;
extern const struct detector_descriptor detector_surge;
extern const struct detector_descriptor detector_mailbox;

// clang-format off
const struct detector_descriptor *const detectors[] = {
    &detector_fan_out,
    &detector_first_contact,
    &detector_direct_mx,
    &detector_rejections,
    &detector_harvest,
    &detector_blocklist,
    &detector_ratware,
    &detector_client_print,
    &detector_backscatter,
    &detector_recipient_burst,
    &detector_identity_rotation,
    &detector_submission_spread,
    &detector_policy_limits,
    &detector_auth_guessing,
    &detector_open_relay,
    &detector_socks_relay,
    &detector_backconnect,
    &detector_surge,
    &detector_mailbox,
    NULL,
};
// clang-format on
