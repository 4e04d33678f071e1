// Labels are numbers; a jump is noted and gets its distance at the end. Conditional jumps of classic BPF
// reach 255 instructions, so each is turned round and leaps over an unconditional one.
#include "assembler.h"

#include <assert.h>

static void put(struct assembler *a, unsigned code, uint8_t jt, uint8_t jf, uint32_t k)
{
    assert(a->len < a->cap);
    a->code[a->len++] = (struct sock_filter){(uint16_t)code, jt, jf, k};
}

void assemble_op(struct assembler *a, unsigned code, uint32_t k)
{
    put(a, code, 0, 0, k);
}

size_t assemble_label(struct assembler *a)
{
    assert(a->labels < ASSEMBLER_LABELS_MAX);
    return a->labels++;
}

void assemble_here(struct assembler *a, size_t l)
{
    a->place[l] = a->len;
}

void assemble_jump(struct assembler *a, size_t l)
{
    assert(a->fixups < ASSEMBLER_JUMPS_MAX);
    a->fixup[a->fixups].at = a->len;
    a->fixup[a->fixups++].label = l;
    assemble_op(a, BPF_JMP | BPF_JA, 0);
}

void assemble_jump_if(struct assembler *a, unsigned test, uint32_t k, size_t l)
{
    put(a, BPF_JMP | test | BPF_K, 0, 1, k);
    assemble_jump(a, l);
}

void assemble_jump_unless(struct assembler *a, unsigned test, uint32_t k, size_t l)
{
    put(a, BPF_JMP | test | BPF_K, 1, 0, k);
    assemble_jump(a, l);
}

void assemble_load_memory(struct assembler *a, uint32_t m)
{
    assemble_op(a, BPF_LD | BPF_MEM, m);
}

void assemble_store(struct assembler *a, uint32_t m)
{
    assemble_op(a, BPF_ST, m);
}

void assemble_load(struct assembler *a, unsigned size, uint32_t offset)
{
    assemble_op(a, BPF_LDX | BPF_W | BPF_MEM, AT);
    assemble_op(a, BPF_LD | size | BPF_IND, offset);
}

void assemble_step(struct assembler *a, uint32_t octets)
{
    assemble_load_memory(a, AT);
    assemble_op(a, BPF_ALU | BPF_ADD | BPF_K, octets);
    assemble_store(a, AT);
}

void assemble_step_by_a(struct assembler *a)
{
    assemble_op(a, BPF_LDX | BPF_W | BPF_MEM, AT);
    assemble_op(a, BPF_ALU | BPF_ADD | BPF_X, 0);
    assemble_store(a, AT);
}

void assemble_set(struct assembler *a, uint32_t m, uint32_t value)
{
    assemble_op(a, BPF_LD | BPF_IMM, value);
    assemble_store(a, m);
}

void assemble_need(struct assembler *a, uint32_t octets)
{
    assemble_load_memory(a, AT);
    assemble_op(a, BPF_ALU | BPF_ADD | BPF_K, octets);
    assemble_op(a, BPF_MISC | BPF_TAX, 0);
    assemble_load_memory(a, LENGTH);
    put(a, BPF_JMP | BPF_JGE | BPF_X, 1, 0, 0);
    assemble_jump(a, a->done);
}

size_t assemble_finish(struct assembler *a)
{
    for (size_t i = 0; i < a->fixups; i++) {
        size_t at = a->fixup[i].at, to = a->place[a->fixup[i].label];
        assert(to > at);
        a->code[at].k = (uint32_t)(to - at - 1);
    }
    return a->len;
}
