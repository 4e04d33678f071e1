// Capture files: pcapng through source_ng.c, plain pcap through source_block.c as far as it goes, all else that
// libpcap knows through libpcap. A file that ends inside a frame is truncated: what came before counts.
#include "source_file.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture_stream.h"
#include "source_block.h"
#include "source_ng.h"

#define FILE_HEADER 24

struct source_file {
    struct capture_stream *stream;
    pcap_t *pcap;
    FILE *file;                 // libpcap's
    struct source_block *block; // NULL: libpcap reads
    struct source_ng *ng;       // NULL: it is no pcapng
    int linktype;
    struct source_input *input;
};

// libpcap words a file that ends too soon like this.
static bool says_truncated(const char *error)
{
    return strstr(error, "truncated") != NULL;
}

static void judge(struct source_file *f, const char *error)
{
    struct source_input *in = f->input;
    enum gunzip_state gz = capture_stream_state(f->stream);
    if (gz == GUNZIP_BROKEN) {
        in->state = SOURCE_BROKEN;
        snprintf(in->text, sizeof in->text,
                 "its compressed data is damaged at octet %llu, after %llu packets; they are used",
                 (unsigned long long)capture_stream_offset(f->stream),
                 (unsigned long long)in->frames);
    } else if (gz == GUNZIP_TRUNCATED || says_truncated(error)) {
        in->state = SOURCE_TRUNCATED;
        snprintf(in->text, sizeof in->text, "ends in the middle after %llu packets; they are used",
                 (unsigned long long)in->frames);
    } else {
        in->state = SOURCE_BROKEN;
        snprintf(in->text, sizeof in->text, "not readable after %llu packets: %.200s",
                 (unsigned long long)in->frames, error);
    }
}

// What was read of a pipe cannot be read again, nor can what was compressed be read in place.
static struct source_block *open_block(const struct source_file *f)
{
    uint8_t header[FILE_HEADER];
    bool nanoseconds;
    int fd = capture_stream_plain(f->stream);
    if (fd < 0 || pread(fd, header, sizeof header, 0) != (ssize_t)sizeof header ||
        !source_block_fits(header, &nanoseconds))
        return NULL;
    return source_block_new(fd, FILE_HEADER, nanoseconds, (uint32_t)pcap_snapshot(f->pcap),
                            f->linktype);
}

static int open_pcap(struct source_file *f)
{
    char error[PCAP_ERRBUF_SIZE] = "";
    FILE *file = capture_stream_file(f->stream);
    if (!file)
        return -ENOMEM;
    f->pcap = pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_MICRO, error);
    if (f->pcap) {
        f->linktype = pcap_datalink(f->pcap);
        f->file = file;
        f->block = open_block(f);
        return 0;
    }
    if (capture_stream_is_empty(f->stream)) {
        f->input->state = SOURCE_EMPTY;
        snprintf(f->input->text, sizeof f->input->text, "is empty");
    } else {
        judge(f, error);
    }
    fclose(file);
    return 0;
}

int source_file_open(struct source_input *input, struct source_file **out)
{
    uint8_t magic[4];
    struct source_file *f = calloc(1, sizeof *f);
    int rc = f ? capture_stream_open(input->path, &f->stream) : -ENOMEM;
    if (rc == 0) {
        f->input = input;
        if (!capture_stream_magic(f->stream, magic) || !source_ng_fits(magic))
            rc = open_pcap(f);
        else if (!(f->ng = source_ng_new(f->stream)))
            rc = -ENOMEM;
    }
    if (rc != 0) {
        source_file_close(f);
        return rc;
    }
    *out = f;
    return 0;
}

// From the record on which the block reader stopped. What was cut away behind that while it was read is not there
// for libpcap to miss.
static void leave_block(struct source_file *f)
{
    off_t at = (off_t)source_block_offset(f->block);
    off_t seen = (off_t)source_block_seen(f->block);
    struct stat st;
    source_block_free(f->block);
    f->block = NULL;
    if (fseeko(f->file, at, SEEK_SET) != 0)
        judge(f, strerror(errno));
    else if (fstat(capture_stream_plain(f->stream), &st) == 0 && st.st_size < seen)
        judge(f, "truncated");
}

static size_t none_came(struct source_input *in)
{
    if (in->frames == 0) {
        in->state = SOURCE_EMPTY;
        snprintf(in->text, sizeof in->text, "holds no packets");
    }
    return 0;
}

static size_t next_of_pcap(struct source_file *f, struct source_frame *out)
{
    struct pcap_pkthdr *header;
    const unsigned char *data;
    int rc = pcap_next_ex(f->pcap, &header, &data);
    if (rc == 1) {
        f->input->frames++;
        *out = (struct source_frame){
            .t_us = source_second(header->ts.tv_sec) * 1000000 + header->ts.tv_usec,
            .linktype = f->linktype,
            .data = span_of(data, header->caplen),
            .wire = header->len < header->caplen ? header->caplen : header->len};
        return 1;
    }
    if (rc != PCAP_ERROR && capture_stream_state(f->stream) == GUNZIP_WHOLE)
        return none_came(f->input);
    judge(f, rc == PCAP_ERROR ? pcap_geterr(f->pcap) : "");
    return 0;
}

static size_t next_of_ng(struct source_file *f, struct source_frame *out, size_t max)
{
    size_t n = source_ng_next(f->ng, out, max);
    f->input->frames += n;
    if (n > 0)
        return n;
    enum source_ng_end end = source_ng_end(f->ng);
    if (end == SOURCE_NG_WHOLE && capture_stream_state(f->stream) == GUNZIP_WHOLE)
        return none_came(f->input);
    judge(f, end == SOURCE_NG_BROKEN ? source_ng_error(f->ng) : "truncated");
    return 0;
}

size_t source_file_next(struct source_file *f, struct source_frame *out, size_t max)
{
    if (f->ng)
        return next_of_ng(f, out, max);
    if (!f->pcap)
        return 0;
    if (f->block) {
        size_t n = source_block_next(f->block, out, max);
        f->input->frames += n;
        if (n > 0)
            return n;
        leave_block(f);
    }
    return next_of_pcap(f, out);
}

bool source_file_reopens(const struct source_file *f)
{
    return capture_stream_reopens(f->stream);
}

void source_file_close(struct source_file *f)
{
    if (!f)
        return;
    source_block_free(f->block);
    source_ng_free(f->ng);
    if (f->pcap)
        pcap_close(f->pcap);
    capture_stream_free(f->stream);
    free(f);
}
