// A small assembler for classic BPF with labels (forward only, as classic BPF jumps), and what the fan-out
// program does again and again: read where it stands, step on, look whether enough is left.
#pragma once

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#define ASSEMBLER_LABELS_MAX 512
#define ASSEMBLER_JUMPS_MAX  1024

// Scratch memory of the program: where it stands, ethertype, octets there are, addresses, and for the moment.
enum { AT, TYPE, LENGTH, SOURCE, DESTINATION, SPARE, NEXT };

struct assembler {
    struct sock_filter *code;
    size_t len, cap;
    size_t labels, place[ASSEMBLER_LABELS_MAX];
    struct {
        size_t at, label;
    } fixup[ASSEMBLER_JUMPS_MAX];
    size_t fixups;
    size_t done; // label: the end
};

size_t assemble_label(struct assembler *a);
void assemble_here(struct assembler *a, size_t label);
void assemble_op(struct assembler *a, unsigned code, uint32_t k);
void assemble_jump(struct assembler *a, size_t label);
// By the accumulator and a constant: BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET.
void assemble_jump_if(struct assembler *a, unsigned test, uint32_t k, size_t label);
void assemble_jump_unless(struct assembler *a, unsigned test, uint32_t k, size_t label);
void assemble_load_memory(struct assembler *a, uint32_t m);
void assemble_store(struct assembler *a, uint32_t m);
void assemble_set(struct assembler *a, uint32_t m, uint32_t value);
// A number of BPF_B, BPF_H or BPF_W, `offset` behind where the program stands.
void assemble_load(struct assembler *a, unsigned size, uint32_t offset);
void assemble_step(struct assembler *a, uint32_t octets);
// The same by as much as the accumulator says.
void assemble_step_by_a(struct assembler *a);
// Fewer than `octets` left: to the end.
void assemble_need(struct assembler *a, uint32_t octets);
// Puts the jumps' distances in. Returns how many instructions there are.
size_t assemble_finish(struct assembler *a);
