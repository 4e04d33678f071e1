// Where each number of a part or of a template goes, worked out once: a record is then written or read without
// asking of any number what it is.
#include <assert.h>

#include "common/ipfix_internal.h"

static bool is_number(const struct ipfix_step *s)
{
    return s->code != IPFIX_STEP_OTHER && s->wire != IPFIX_VARIABLE;
}

// The numbers from `at` on that make one stretch; returns the step behind them.
static size_t stretch_end(const struct ipfix_step *step, size_t at, size_t count)
{
    size_t octets = 0, first = at;
    while (at < count && is_number(&step[at]) && at - first < UINT8_MAX &&
           octets + step[at].wire <= UINT16_MAX)
        octets += step[at++].wire;
    return at;
}

size_t ipfix_layout_steps(const struct ipfix_step *step, size_t count, struct ipfix_place *place,
                          struct ipfix_stretch *stretch)
{
    size_t stretches = 0;
    for (size_t at = 0; at < count;) {
        struct ipfix_stretch *t = &stretch[stretches++];
        size_t end = stretch_end(step, at, count);
        *t = (struct ipfix_stretch){.ends = end == count || is_number(&step[end])};
        for (size_t i = at; i < end; i++)
            t->octets = (uint16_t)(t->octets + step[i].wire);
        for (uint8_t code = IPFIX_STEP_1_1; code < IPFIX_STEP_CODES; code++) {
            uint16_t wire = 0;
            for (size_t i = at; i < end; wire = (uint16_t)(wire + step[i++].wire)) {
                if (step[i].code != code)
                    continue;
                *place++ = (struct ipfix_place){.record = step[i].offset, .wire = wire};
                t->count[code]++;
            }
        }
        at = end;
        if (t->ends)
            continue;
        t->other = step[at].field;
        t->wire = step[at++].wire;
    }
    return stretches;
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
    l->stretches = ipfix_layout_steps(step, count, l->place, l->stretch);
}
