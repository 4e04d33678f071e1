// The only part of the ring that is libpcap's.
#include "ring_filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct ring_filter {
    struct bpf_program program;
};

bool ring_filter_names_layers(const char *expression)
{
    static const char *const layers[] = {"vlan", "pppoes", "mpls", "geneve", NULL};
    for (size_t i = 0; layers[i]; i++)
        if (strstr(expression, layers[i]))
            return true;
    return false;
}

int ring_filter_new(const char *expression, uint32_t snaplen, struct ring_filter **out, char *error,
                    size_t size)
{
    struct ring_filter *f = calloc(1, sizeof *f);
    pcap_t *ethernet = f ? pcap_open_dead(DLT_EN10MB, (int)snaplen) : NULL;
    int rc = ethernet ? 0 : -ENOMEM;
    snprintf(error, size, "out of memory");
    if (rc == 0 && pcap_compile(ethernet, &f->program, expression, 1, PCAP_NETMASK_UNKNOWN) != 0) {
        snprintf(error, size, "%s", pcap_geterr(ethernet));
        rc = -EINVAL;
    }
    if (ethernet)
        pcap_close(ethernet);
    if (rc == 0)
        *out = f;
    else
        free(f);
    return rc;
}

void ring_filter_free(struct ring_filter *f)
{
    if (!f)
        return;
    pcap_freecode(&f->program);
    free(f);
}

int ring_filter_attach(const struct ring_filter *f, uint32_t snaplen, int fd)
{
    struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, snaplen), *code = &all;
    struct sock_fprog program = {.len = 1};
    if (f) {
        program.len = (unsigned short)f->program.bf_len;
        code = calloc(program.len, sizeof *code);
        if (!code)
            return -ENOMEM;
        for (unsigned i = 0; i < program.len; i++) {
            const struct bpf_insn *from = &f->program.bf_insns[i];
            code[i] = (struct sock_filter){from->code, from->jt, from->jf, from->k};
        }
    }
    program.filter = code;
    int rc = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0 ? 0
                                                                                         : -errno;
    if (f)
        free(code);
    return rc;
}

bool ring_filter_takes(const struct ring_filter *f, const struct source_frame *frame)
{
    const struct pcap_pkthdr h = {.caplen = (bpf_u_int32)frame->data.len, .len = frame->wire};
    return pcap_offline_filter(&f->program, &h, frame->data.data) != 0;
}
