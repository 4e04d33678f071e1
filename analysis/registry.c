// The detectors there are: one line each.
#include "detector.h"

extern const struct detector_descriptor detector_fan_out;
extern const struct detector_descriptor detector_first_contact;
extern const struct detector_descriptor detector_rejections;
extern const struct detector_descriptor detector_harvest;
extern const struct detector_descriptor detector_blocklist;
extern const struct detector_descriptor detector_ratware;

const struct detector_descriptor *const detectors[] = {
    &detector_fan_out,
    &detector_first_contact,
    &detector_rejections,
    &detector_harvest,
    &detector_blocklist,
    &detector_ratware,
    NULL,
};
