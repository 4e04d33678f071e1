// A file of records as IPFIX over UDP, for collectors that know nothing else: each message a datagram of at most 4,096 octets.
//   datagrams FILE PORT
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/ipfix.h"

static void send_message(struct ipfix_encoder *e, int fd)
{
    struct span m = ipfix_encoder_take(e);
    if (m.len > 0 && send(fd, m.data, m.len, 0) != (ssize_t)m.len)
        exit(74);
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL); // their buffers are small
}

int main(int argc, char **argv)
{
    static struct record r;
    struct record_reader *reader;
    if (argc != 3 || record_reader_open(argv[1], &reader) < 0)
        return 64;
    struct ipfix_encoder *e = ipfix_encoder_new(1, 4096);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (!e || fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) < 0)
        return 1;
    while (record_reader_next(reader, &r) == 1) {
        if (ipfix_encoder_put(e, &r) == -ENOBUFS) {
            send_message(e, fd);
            ipfix_encoder_put(e, &r);
        }
    }
    send_message(e, fd);
    record_reader_close(reader);
    ipfix_encoder_free(e);
    close(fd);
    return 0;
}
