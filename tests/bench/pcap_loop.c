// A bare libpcap loop that counts packets and octets: what a program pays that reads captures the usual way
// and looks at nothing. bench_pcap CAPTURE.
#include <pcap/pcap.h>
#include <stdio.h>
#include <sysexits.h>

struct sums {
    unsigned long long packets, octets;
};

static void count(u_char *user, const struct pcap_pkthdr *header, const u_char *octets)
{
    struct sums *s = (struct sums *)(void *)user;
    (void)octets;
    s->packets++;
    s->octets += header->len;
}

int main(int argc, char **argv)
{
    char error[PCAP_ERRBUF_SIZE] = "usage: bench_pcap CAPTURE";
    struct sums s = {0};
    pcap_t *p = argc == 2 ? pcap_open_offline(argv[1], error) : NULL;
    if (!p) {
        fprintf(stderr, "%s\n", error);
        return EX_USAGE;
    }
    int rc = pcap_loop(p, -1, count, (u_char *)(void *)&s);
    printf("{\"octets\":%llu,\"packets\":%llu}\n", s.octets, s.packets);
    pcap_close(p);
    return rc == 0 ? 0 : EX_DATAERR;
}
