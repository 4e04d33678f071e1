// Where each number of a part goes, worked out once: the encoder then writes a record without asking of
// any field what it is.
#include <assert.h>

#include "common/ipfix_internal.h"

// No number, and of the same length in every record.
static bool is_fixed(const struct ipfix_step *s)
{
    return s->code == IPFIX_STEP_OTHER && s->wire != IPFIX_VARIABLE &&
           s->field->how != IPFIX_NUMBER;
}

// The fields of `step` that have places known ahead, from the first on.
static void fill_stretch(struct ipfix_layout *l, struct ipfix_stretch *t,
                         const struct ipfix_step *step, size_t count)
{
    for (uint8_t code = IPFIX_STEP_1_1; code < IPFIX_STEP_CODES; code++) {
        uint16_t to = 0;
        for (size_t i = 0; i < count; to = (uint16_t)(to + step[i++].wire)) {
            if (step[i].code != code)
                continue;
            l->place[l->places++] = (struct ipfix_place){.from = step[i].offset, .to = to};
            t->count[code]++;
        }
        t->octets = to;
    }
    uint16_t to = 0;
    for (size_t i = 0; i < count; to = (uint16_t)(to + step[i++].wire)) {
        if (!is_fixed(&step[i]))
            continue;
        l->fixed_field[l->fixed++] = (struct ipfix_fixed){
            .field = step[i].field, .to = to, .wire = step[i].wire};
        t->fixed++;
    }
}

void ipfix_layout_fill(struct ipfix_layout *l, enum ipfix_part part, bool wide)
{
    const struct ipfix_run run = ipfix_part_fields(part);
    struct ipfix_step step[IPFIX_PART_FIELDS_MAX];
    size_t count = 0;
    assert(run.count <= IPFIX_PART_FIELDS_MAX);
    for (size_t i = 0; i < run.count; i++) {
        unsigned wire = wide ? run.field[i].wide : run.field[i].narrow;
        if (wire)
            step[count++] = ipfix_step_of(&run.field[i], wire);
    }
    for (size_t at = 0; at < count;) {
        struct ipfix_stretch *t = &l->stretch[l->stretches++];
        size_t end = at;
        while (end < count && (step[end].code != IPFIX_STEP_OTHER || is_fixed(&step[end])))
            end++;
        fill_stretch(l, t, step + at, end - at);
        if (end < count) {
            t->other = step[end].field;
            t->wire = step[end].wire;
        }
        at = end + 1;
    }
}
