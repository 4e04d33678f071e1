// Files of records: the IPFIX codec (ipfix.h) with a file around it. Messages are gathered and
// written 64 KiB at a time.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/ipfix.h"

#define MESSAGE_OCTETS 16384
#define WRITE_OCTETS   65536
#define READ_OCTETS    65536

struct record_writer {
    int fd;
    bool own;  // opened here: synced and closed
    int error; // the first; nothing is written behind it
    struct ipfix_encoder *encoder;
    size_t len;
    uint8_t data[WRITE_OCTETS];
};

int record_writer_open(const char *path, uint32_t domain, struct record_writer **out)
{
    struct record_writer *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    w->encoder = ipfix_encoder_new(domain, MESSAGE_OCTETS);
    w->own = strcmp(path, "-") != 0;
    w->fd = STDOUT_FILENO;
    int rc = w->encoder ? 0 : -ENOMEM;
    if (rc == 0 && w->own) {
        // Records tell of people's mail: not for everybody to read.
        w->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
        if (w->fd < 0)
            rc = -errno;
    }
    if (rc < 0) {
        ipfix_encoder_free(w->encoder);
        free(w);
        return rc;
    }
    *out = w;
    return 0;
}

static int write_out(struct record_writer *w)
{
    size_t done = 0;
    while (done < w->len && w->error == 0) {
        ssize_t n = write(w->fd, w->data + done, w->len - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            w->error = -errno;
    }
    w->len = 0;
    return w->error;
}

// Moves the message being made into the write buffer.
static int end_message(struct record_writer *w)
{
    struct span m = ipfix_encoder_take(w->encoder);
    if (w->len + m.len > sizeof w->data)
        write_out(w);
    if (m.len > 0)
        memcpy(w->data + w->len, m.data, m.len);
    w->len += m.len;
    return w->error;
}

int record_writer_put(struct record_writer *w, const struct record *r)
{
    if (w->error)
        return w->error;
    return record_check(r) ? -EINVAL : record_writer_put_own(w, r);
}

int record_writer_put_own(struct record_writer *w, const struct record *r)
{
    if (w->error)
        return w->error;
    int rc = ipfix_encoder_put_own(w->encoder, r);
    if (rc != -ENOBUFS)
        return rc;
    rc = end_message(w);
    return rc < 0 ? rc : ipfix_encoder_put_own(w->encoder, r);
}

int record_writer_flush(struct record_writer *w)
{
    end_message(w);
    return write_out(w);
}

int record_writer_close(struct record_writer *w)
{
    int rc = record_writer_flush(w);
    if (w->own) {
        // EINVAL, EROFS: a pipe or device, which has nothing to sync.
        if (rc == 0 && fsync(w->fd) != 0 && errno != EINVAL && errno != EROFS)
            rc = -errno;
        if (close(w->fd) != 0 && rc == 0)
            rc = -errno;
    }
    ipfix_encoder_free(w->encoder);
    free(w);
    return rc;
}

struct record_reader {
    int fd;
    bool own;
    bool ended;
    struct ipfix_decoder *decoder;
    size_t at, len; // what of `data` is not yet fed
    uint8_t data[READ_OCTETS];
};

int record_reader_open(const char *path, struct record_reader **out)
{
    struct record_reader *rd = calloc(1, sizeof *rd);
    if (!rd)
        return -ENOMEM;
    rd->decoder = ipfix_decoder_new();
    rd->own = strcmp(path, "-") != 0;
    rd->fd = STDIN_FILENO;
    int rc = rd->decoder ? 0 : -ENOMEM;
    if (rc == 0 && rd->own) {
        rd->fd = open(path, O_RDONLY | O_CLOEXEC);
        if (rd->fd < 0)
            rc = -errno;
    }
    if (rc < 0) {
        ipfix_decoder_free(rd->decoder);
        free(rd);
        return rc;
    }
    *out = rd;
    return 0;
}

// 1: something was fed; 0: the file ends; negative errno.
static int feed(struct record_reader *rd)
{
    while (rd->at == rd->len) {
        ssize_t n = read(rd->fd, rd->data, sizeof rd->data);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return 0;
        rd->at = 0;
        rd->len = n > 0 ? (size_t)n : 0;
    }
    rd->at += ipfix_decoder_feed(rd->decoder, span_of(rd->data + rd->at, rd->len - rd->at));
    return 1;
}

int record_reader_next(struct record_reader *rd, struct record *r)
{
    while (!rd->ended) {
        if (ipfix_decoder_next(rd->decoder, r))
            return 1;
        int rc = feed(rd);
        if (rc == 1)
            continue;
        rd->ended = true;
        ipfix_decoder_end(rd->decoder);
        if (rc < 0)
            return rc;
    }
    return 0;
}

const struct record_reader_stats *record_reader_stats(const struct record_reader *rd)
{
    return ipfix_decoder_stats(rd->decoder);
}

const char *record_reader_bad_value(const struct record_reader *rd)
{
    return ipfix_decoder_bad_value(rd->decoder);
}

void record_reader_close(struct record_reader *rd)
{
    if (!rd)
        return;
    if (rd->own)
        close(rd->fd);
    ipfix_decoder_free(rd->decoder);
    free(rd);
}
