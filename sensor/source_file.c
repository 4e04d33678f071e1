// Capture files through libpcap, which knows pcap and pcapng; gunzip.c underneath when the file begins as gzip
// does. A file that ends inside a frame is truncated:
// what came before counts. Plain pcap files are read by source_block.c as far as it goes.
#include "source_file.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gunzip.h"
#include "source_block.h"

#define FILE_HEADER 24

struct source_file {
    pcap_t *pcap;
    FILE *stream;               // libpcap's
    struct source_block *block; // NULL: libpcap reads
    struct gunzip *gz;          // NULL: not compressed; owned by the stream
    int linktype;
    struct source_input *input;
};

static ssize_t gz_read(void *cookie, char *buf, size_t size)
{
    struct source_file *f = cookie;
    return (ssize_t)gunzip_read(f->gz, buf, size);
}

static int gz_close(void *cookie)
{
    struct source_file *f = cookie;
    gunzip_free(f->gz);
    f->gz = NULL;
    return 0;
}

// libpcap words a file that ends too soon like this.
static bool says_truncated(const char *error)
{
    return strstr(error, "truncated") != NULL;
}

static void judge(struct source_file *f, const char *error)
{
    struct source_input *in = f->input;
    enum gunzip_state gz = f->gz ? gunzip_state(f->gz) : GUNZIP_WHOLE;
    if (gz == GUNZIP_BROKEN) {
        in->state = SOURCE_BROKEN;
        snprintf(in->text, sizeof in->text,
                 "its compressed data is damaged at octet %llu, after %llu packets; they are used",
                 (unsigned long long)gunzip_offset(f->gz), (unsigned long long)in->frames);
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

static FILE *open_stream(struct source_file *f, int *error, bool *empty)
{
    FILE *plain = fopen(f->input->path, "rbe");
    unsigned char magic[2];
    if (!plain) {
        *error = -errno;
        return NULL;
    }
    size_t n = fread(magic, 1, sizeof magic, plain);
    *empty = n == 0;
    if (ferror(plain)) { // a folder, for one
        *error = errno ? -errno : -EIO;
        fclose(plain);
        return NULL;
    }
    if (n == 2 && magic[0] == 0x1f && magic[1] == 0x8b) {
        rewind(plain);
        f->gz = gunzip_new(plain);
        if (!f->gz) {
            *error = -ENOMEM;
            return NULL;
        }
        FILE *cooked = fopencookie(f, "rb",
                                   (cookie_io_functions_t){.read = gz_read, .close = gz_close});
        if (!cooked) {
            gz_close(f);
            *error = -ENOMEM;
        }
        return cooked;
    }
    rewind(plain);
    return plain;
}

// Only a regular file: what was read of a pipe cannot be read again.
static struct source_block *open_block(const struct source_file *f)
{
    uint8_t header[FILE_HEADER];
    struct stat s;
    bool nanoseconds;
    int fd = fileno(f->stream);
    if (fd < 0 || fstat(fd, &s) != 0 || !S_ISREG(s.st_mode) ||
        pread(fd, header, sizeof header, 0) != (ssize_t)sizeof header ||
        !source_block_fits(header, &nanoseconds))
        return NULL;
    return source_block_new(fd, FILE_HEADER, nanoseconds, (uint32_t)pcap_snapshot(f->pcap),
                            f->linktype);
}

int source_file_open(struct source_input *input, struct source_file **out)
{
    char error_text[PCAP_ERRBUF_SIZE] = "";
    int error = 0;
    bool empty = false;
    struct source_file *f = calloc(1, sizeof *f);
    if (!f)
        return -ENOMEM;
    f->input = input;
    FILE *stream = open_stream(f, &error, &empty);
    if (!stream) {
        free(f);
        return error;
    }
    setvbuf(stream, NULL, _IOFBF, 1 << 17);
    f->pcap = pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_MICRO,
                                                       error_text);
    if (f->pcap) {
        f->linktype = pcap_datalink(f->pcap);
        f->stream = stream;
        f->block = open_block(f);
    } else {
        if (empty) {
            input->state = SOURCE_EMPTY;
            snprintf(input->text, sizeof input->text, "is empty");
        } else {
            judge(f, error_text);
        }
        fclose(stream);
    }
    *out = f;
    return 0;
}

// From the record on which the block reader stopped.
static void leave_block(struct source_file *f)
{
    off_t at = (off_t)source_block_offset(f->block);
    source_block_free(f->block);
    f->block = NULL;
    if (fseeko(f->stream, at, SEEK_SET) != 0)
        judge(f, strerror(errno));
}

// A file may name any second; what lies beyond the year 36000 is as far.
static int64_t us_of(int64_t seconds, int64_t us)
{
    const int64_t most = INT64_C(1) << 40;
    return (seconds < -most ? -most : seconds > most ? most : seconds) * 1000000 + us;
}

static size_t next_of_pcap(struct source_file *f, struct source_frame *out)
{
    struct pcap_pkthdr *header;
    const unsigned char *data;
    int rc = pcap_next_ex(f->pcap, &header, &data);
    if (rc == 1) {
        f->input->frames++;
        *out = (struct source_frame){.t_us = us_of(header->ts.tv_sec, header->ts.tv_usec),
                                     .linktype = f->linktype,
                                     .data = span_of(data, header->caplen),
                                     .wire = header->len < header->caplen ? header->caplen
                                                                          : header->len};
        return 1;
    }
    struct source_input *in = f->input;
    if (rc == PCAP_ERROR || (f->gz && gunzip_state(f->gz) != GUNZIP_WHOLE)) {
        judge(f, rc == PCAP_ERROR ? pcap_geterr(f->pcap) : "");
    } else if (in->frames == 0) {
        in->state = SOURCE_EMPTY;
        snprintf(in->text, sizeof in->text, "holds no packets");
    }
    return 0;
}

size_t source_file_next(struct source_file *f, struct source_frame *out, size_t max)
{
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

void source_file_close(struct source_file *f)
{
    if (!f)
        return;
    source_block_free(f->block);
    if (f->pcap)
        pcap_close(f->pcap);
    free(f);
}
