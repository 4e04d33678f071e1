// bpf(2) without a library: two maps of one value each, one program of some seventy instructions, and test runs with live
// frames (BPF_F_TEST_XDP_LIVE_FRAMES, Linux 5.18: Documentation/bpf/bpf_prog_run.rst), whose frames go up the
// stack of the interface as if its driver had received them.
#include "flood_program.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BATCH    64
#define TOGETHER 16 // frames, a power of two

// Octets of the frame that a test run is given; the program makes it as short as the next one is. (What is made
// longer is wiped first.)
#define GIVEN FLOOD_FRAME_MAX

// Behind the last frame, so that the longest one would fit wherever one begins.
#define SLACK (sizeof(struct flood_frame) + FLOOD_FRAME_MAX)

// ---- Frames.

int flood_pack_add(struct flood_pack *p, const struct flood_frame *f, const uint8_t *octets)
{
    const size_t need = (sizeof *f + f->len + 7) & ~(size_t)7;
    if (p->room - p->size < need + SLACK) {
        size_t room = p->room * 2 + (1u << 20);
        uint8_t *more = realloc(p->octet, room);
        if (!more)
            return -ENOMEM;
        memset(more + p->room, 0, room - p->room);
        p->octet = more;
        p->room = room;
    }
    struct flood_frame head = *f;
    head.next = 0;
    if (p->count > 0) {
        const uint32_t next = (uint32_t)p->size;
        memcpy(p->octet + p->last + offsetof(struct flood_frame, next), &next, sizeof next);
    }
    memcpy(p->octet + p->size, &head, sizeof head);
    memcpy(p->octet + p->size + sizeof head, octets, f->len);
    p->last = p->size;
    p->size += need;
    p->count++;
    return 0;
}

uint64_t flood_pack_octets(const struct flood_pack *p, uint64_t sent)
{
    uint64_t all = 0, part = 0;
    size_t at = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        struct flood_frame f;
        memcpy(&f, p->octet + at, sizeof f);
        at = f.next;
        all += f.len;
        part += i < sent % p->count ? f.len : 0;
    }
    return all * (sent / p->count) + part;
}

void flood_pack_fini(struct flood_pack *p)
{
    free(p->octet);
    *p = (struct flood_pack){0};
}

// ---- Calls.

// `a` is zero but for what is asked: an initialiser does not promise that of a union.
static int ask(int command, union bpf_attr *a)
{
    long rc = syscall(SYS_bpf, command, a, sizeof *a);
    return rc < 0 ? -errno : (int)rc;
}

static int make_map(uint32_t value_size)
{
    union bpf_attr a;
    memset(&a, 0, sizeof a);
    a.map_type = BPF_MAP_TYPE_ARRAY;
    a.key_size = sizeof(uint32_t);
    a.value_size = value_size;
    a.max_entries = 1;
    return ask(BPF_MAP_CREATE, &a);
}

static int put(int map, const void *value)
{
    const uint32_t key = 0;
    union bpf_attr a;
    memset(&a, 0, sizeof a);
    a.map_fd = (uint32_t)map;
    a.key = (uintptr_t)&key;
    a.value = (uintptr_t)value;
    a.flags = BPF_ANY;
    return ask(BPF_MAP_UPDATE_ELEM, &a);
}

// ---- The program.

struct code {
    struct bpf_insn at[128];
    size_t n;
};

enum { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 };

static size_t add(struct code *c, unsigned op, unsigned dst, unsigned src, int off, int32_t imm)
{
    c->at[c->n] = (struct bpf_insn){.code = (uint8_t)op,
                                    .dst_reg = (uint8_t)(dst & 15),
                                    .src_reg = (uint8_t)(src & 15),
                                    .off = (int16_t)off,
                                    .imm = imm};
    return c->n++;
}

static void set(struct code *c, unsigned dst, int32_t value)
{
    add(c, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, value);
}

static void copy(struct code *c, unsigned dst, unsigned src)
{
    add(c, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

static void alu(struct code *c, unsigned op, unsigned dst, int32_t value)
{
    add(c, BPF_ALU64 | op | BPF_K, dst, 0, 0, value);
}

static void alu_by(struct code *c, unsigned op, unsigned dst, unsigned src)
{
    add(c, BPF_ALU64 | op | BPF_X, dst, src, 0, 0);
}

static void call(struct code *c, int32_t function)
{
    add(c, BPF_JMP | BPF_CALL, 0, 0, 0, function);
}

static void load(struct code *c, unsigned size, unsigned dst, unsigned base, int off)
{
    add(c, BPF_LDX | size | BPF_MEM, dst, base, off, 0);
}

static void store(struct code *c, unsigned size, unsigned base, int off, unsigned src)
{
    add(c, BPF_STX | size | BPF_MEM, base, src, off, 0);
}

// A jump whose target is set by land().
static size_t jump(struct code *c, unsigned op, unsigned dst, int32_t value)
{
    return add(c, BPF_JMP | op | BPF_K, dst, 0, 0, value);
}

static void land(struct code *c, size_t jump_at)
{
    c->at[jump_at].off = (int16_t)(c->n - jump_at - 1);
}

static void leave(struct code *c, int32_t verdict)
{
    set(c, R0, verdict);
    add(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

// `dst` = where the map's one value lies.
static void place(struct code *c, unsigned dst, int map)
{
    add(c, BPF_LD | BPF_DW | BPF_IMM, dst, BPF_PSEUDO_MAP_VALUE, 0, map);
    add(c, 0, 0, 0, 0, 0);
}

// R7: the state, R8: the number of frames sent. None goes on before it is due, nor behind the last: the try is
// given up, not waited out, so that between two batches the kernel may give the processor to who listens. A
// few come together, as a card's interrupt would give them: asking for the time costs the processor that receives.
static void leave_unless_due(struct code *c)
{
    load(c, BPF_DW, R1, R7, offsetof(struct flood_state, wanted));
    size_t wanted = add(c, BPF_JMP | BPF_JGT | BPF_X, R1, R8, 0, 0);
    leave(c, XDP_DROP);
    land(c, wanted);
    load(c, BPF_DW, R6, R7, offsetof(struct flood_state, step));
    size_t unpaced = jump(c, BPF_JEQ, R6, 0);
    copy(c, R1, R8);
    alu(c, BPF_AND, R1, TOGETHER - 1);
    size_t with_the_last = jump(c, BPF_JNE, R1, 0);
    alu_by(c, BPF_MUL, R6, R8);
    alu(c, BPF_RSH, R6, 10);
    load(c, BPF_DW, R1, R7, offsetof(struct flood_state, start_ns));
    alu_by(c, BPF_ADD, R6, R1);
    call(c, BPF_FUNC_ktime_get_ns);
    size_t due = add(c, BPF_JMP | BPF_JGE | BPF_X, R0, R6, 0, 0);
    leave(c, XDP_DROP);
    land(c, due);
    land(c, unpaced);
    land(c, with_the_last);
}

static void count(struct code *c)
{
    alu(c, BPF_ADD, R8, 1);
    store(c, BPF_DW, R7, offsetof(struct flood_state, sent), R8);
    load(c, BPF_DW, R1, R7, offsetof(struct flood_state, wanted));
    size_t more = add(c, BPF_JMP | BPF_JNE | BPF_X, R1, R8, 0, 0);
    call(c, BPF_FUNC_ktime_get_ns);
    store(c, BPF_DW, R7, offsetof(struct flood_state, end_ns), R0);
    land(c, more);
}

// The two octets of one end, XOR the round in R9. R6: the frame's first octet, R7: what lies behind its last, R8:
// the frame as it was.
static void change_end(struct code *c, size_t end)
{
    load(c, BPF_W, R2, R8, (int)(offsetof(struct flood_frame, end_at) + end * sizeof(uint32_t)));
    size_t none = jump(c, BPF_JEQ, R2, 0), far = jump(c, BPF_JGT, R2, FLOOD_FRAME_MAX - 2);
    load(c, BPF_H, R1, R8, (int)(offsetof(struct flood_frame, end_was) + end * sizeof(uint16_t)));
    alu_by(c, BPF_XOR, R1, R9);
    alu_by(c, BPF_ADD, R2, R6);
    copy(c, R3, R2);
    alu(c, BPF_ADD, R3, 2);
    size_t behind = add(c, BPF_JMP | BPF_JGT | BPF_X, R3, R7, 0, 0);
    store(c, BPF_H, R2, 0, R1);
    land(c, behind);
    land(c, far);
    land(c, none);
}

// R7: the state; R8 = the next frame, R9 = the round as the network has it; then the one behind is next.
static void take_next(struct code *c, const struct flood_program *p, size_t size)
{
    load(c, BPF_DW, R1, R7, offsetof(struct flood_state, at));
    size_t inside = jump(c, BPF_JLT, R1, (int32_t)size);
    leave(c, XDP_ABORTED);
    land(c, inside);
    place(c, R8, p->frames);
    alu_by(c, BPF_ADD, R8, R1);
    load(c, BPF_DW, R9, R7, offsetof(struct flood_state, round));
    load(c, BPF_W, R1, R8, offsetof(struct flood_frame, next));
    store(c, BPF_DW, R7, offsetof(struct flood_state, at), R1);
    size_t goes_on = jump(c, BPF_JNE, R1, 0);
    copy(c, R2, R9);
    alu(c, BPF_ADD, R2, 1);
    store(c, BPF_DW, R7, offsetof(struct flood_state, round), R2);
    land(c, goes_on);
    add(c, BPF_ALU | BPF_END | BPF_TO_BE, R9, 0, 0, 16);
}

static void write_program(struct code *c, const struct flood_program *p, size_t size)
{
    store(c, BPF_DW, R10, -16, R1); // the context
    place(c, R7, p->state);
    load(c, BPF_DW, R8, R7, offsetof(struct flood_state, sent));
    leave_unless_due(c);
    count(c);
    take_next(c, p, size);
    load(c, BPF_DW, R6, R10, -16);
    load(c, BPF_W, R2, R8, offsetof(struct flood_frame, len));
    alu(c, BPF_SUB, R2, GIVEN);
    copy(c, R1, R6);
    call(c, BPF_FUNC_xdp_adjust_tail);
    load(c, BPF_W, R4, R8, offsetof(struct flood_frame, len));
    size_t empty = jump(c, BPF_JEQ, R4, 0), longer = jump(c, BPF_JGT, R4, FLOOD_FRAME_MAX);
    copy(c, R1, R6);
    set(c, R2, 0);
    copy(c, R3, R8);
    alu(c, BPF_ADD, R3, sizeof(struct flood_frame));
    call(c, BPF_FUNC_xdp_store_bytes);
    load(c, BPF_W, R7, R6, offsetof(struct xdp_md, data_end));
    load(c, BPF_W, R6, R6, offsetof(struct xdp_md, data));
    change_end(c, 0);
    change_end(c, 1);
    leave(c, XDP_PASS);
    land(c, empty);
    land(c, longer);
    leave(c, XDP_ABORTED);
}

static int load_program(const struct code *c)
{
    static const char licence[] = "GPL";
    union bpf_attr a;
    memset(&a, 0, sizeof a);
    a.prog_type = BPF_PROG_TYPE_XDP;
    a.insns = (uintptr_t)c->at;
    a.insn_cnt = (uint32_t)c->n;
    a.license = (uintptr_t)licence;
    return ask(BPF_PROG_LOAD, &a);
}

int flood_program_load(const struct flood_pack *pack, uint16_t first_round,
                       struct flood_program *out)
{
    struct code c = {0};
    *out = (struct flood_program){
        .program = -1, .frames = -1, .state = -1, .first_round = first_round};
    out->frames = make_map((uint32_t)(pack->size + SLACK));
    out->state = make_map(sizeof(struct flood_state));
    int rc = out->frames < 0 ? out->frames : out->state < 0 ? out->state : 0;
    if (rc == 0)
        rc = put(out->frames, pack->octet);
    if (rc == 0) {
        write_program(&c, out, pack->size);
        out->program = load_program(&c);
        rc = out->program < 0 ? out->program : 0;
    }
    if (rc != 0)
        flood_program_close(out);
    return rc;
}

void flood_program_close(struct flood_program *p)
{
    int fd[] = {p->program, p->frames, p->state};
    for (size_t i = 0; i < sizeof fd / sizeof fd[0]; i++)
        if (fd[i] >= 0)
            close(fd[i]);
    p->program = p->frames = p->state = -1;
}

// ---- Running it.

int flood_program_begin(struct flood_program *p, uint64_t wanted, uint64_t start_ns, uint64_t step)
{
    struct flood_state s = {
        .wanted = wanted, .start_ns = start_ns, .step = step, .round = p->first_round};
    return put(p->state, &s);
}

int flood_program_state(const struct flood_program *p, struct flood_state *out)
{
    uint32_t key = 0;
    union bpf_attr a;
    memset(&a, 0, sizeof a);
    a.map_fd = (uint32_t)p->state;
    a.key = (uintptr_t)&key;
    a.value = (uintptr_t)out;
    return ask(BPF_MAP_LOOKUP_ELEM, &a);
}

int flood_program_run(const struct flood_program *p, unsigned interface, uint32_t tries)
{
    uint8_t any[GIVEN] = {0};
    struct xdp_md context = {.data_end = sizeof any, .ingress_ifindex = interface};
    union bpf_attr a;
    memset(&a, 0, sizeof a);
    a.test.prog_fd = (uint32_t)p->program;
    a.test.data_in = (uintptr_t)any;
    a.test.data_size_in = sizeof any;
    a.test.ctx_in = (uintptr_t)&context;
    a.test.ctx_size_in = sizeof context;
    a.test.repeat = tries;
    a.test.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
    a.test.batch_size = BATCH;
    return ask(BPF_PROG_TEST_RUN, &a);
}
