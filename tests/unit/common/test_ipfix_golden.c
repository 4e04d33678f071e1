// One message octet by octet, and what Wireshark's dissector reads in it: nobody has to take our word
// that this is IPFIX. When the octets change, a format changed: docs/formats/ipfix.md comes first.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/ipfix.h"

// clang-format off
static const char golden[] =
    "000a02516b0284e30000000000000007" // version, length, export time, sequence, domain
    "0002017401010037" // template set: template 257
    "8001000200007ed9009500048002000800007ed98003000800007ed900080004000c0004"
    "8004ffff00007ed98014000800007ed90004000100070002000b000200b8000480b8000400007279"
    "00ef0001008800018015000100007ed98016000100007ed98017000100007ed98018000100007ed9"
    "8019000100007ed9801a000100007ed9801b000200007ed9801c000400007ed900220004"
    "801d000800007ed90098000800990008801e000800007ed9000200048002000400007279"
    "00010004800100040000727900e7000400e80004801f000400007ed98020000400007ed9"
    "8021000200007ed98022000200007ed98023000200007ed900da00020034000100350001"
    "8024000400007ed98025000400007ed98026ffff00007ed98005ffff00007ed98066000200007ed9"
    "8068000200007ed98069000200007ed9806b000200007ed9806e000200007ed980beffff00007ed9"
    "80bf000200007ed980c0000100007ed980c1000200007ed9"
    "010100cd" // data set
    "0001" // record version
    "00000007" // domain
    "000000006b0284e0" // epoch
    "000000000000002a" // sequence
    "c0000207" // source
    "c6336419" // destination
    "08766c616e3a313031" // realm
    "0123456789abcdef" // flow hash
    "06" // protocol
    "9c41" // source port
    "0019" // destination port
    "11111111" // initial sequence number
    "22222222" // the responder's
    "01" // biflow direction
    "03" // end reason
    "03" // sequence numbers seen
    "01" // side
    "0d" // flags
    "01" // handshake
    "01" // application
    "02" // its source
    "0003" // nDPI
    "00000008" // incomplete: gap
    "00000001" // sampling
    "000001a201d70b64" // flow start
    "000001a201d70b64" // start
    "000001a201d71780" // end
    "000001a201d70b82" // outcome
    "0000000e" // packets
    "0000000b" // packets back
    "00000c1c" // octets
    "00000384" // octets back
    "000009c4" // payload
    "000001a4" // payload back
    "00000000" // missing
    "00000024" // missing back
    "0001" // sent again
    "0000" // sent again back
    "0000" // duplicates
    "0001" // SYNs
    "3e" // least TTL
    "3f" // greatest TTL
    "00007530" // RTT
    "0000002d" // first reply
    "04766c616e" // encapsulation
    "0a01fffedcba9876543210" // hashes: kind, key id, value
    "0001" // MAIL
    "0003" // RCPT
    "0002" // RCPT 2xx
    "0001" // RCPT 5xx
    "0001" // messages
    "09010108010dfc111401" // HELO 1, DATA 1, octets 2300, QUIT 1
    "00dc" // banner
    "01" // STARTTLS offered
    "0042" // PIPELINING offered, QUIT seen
    ;
// clang-format on

static void mail_flow(struct record *r)
{
    *r = (struct record){.version = 1, .kind = RECORD_FLOW, .id = {7, 1795327200, 42}};
    struct record_flow *f = &r->flow;
    memcpy(f->realm.name, "vlan:101", 8);
    f->flow_hash = UINT64_C(0x0123456789abcdef);
    f->ip_proto = 6;
    f->initiator = ip_from_v4((const uint8_t[]){192, 0, 2, 7});
    f->responder = ip_from_v4((const uint8_t[]){198, 51, 100, 25});
    f->initiator_port = 40001;
    f->responder_port = 25;
    f->initiator_isn = 0x11111111;
    f->responder_isn = 0x22222222;
    f->isn_seen = 3;
    f->side = RECORD_SIDE_INITIATOR;
    f->flags = RECORD_START | RECORD_END | RECORD_OUTCOME;
    f->handshake = RECORD_HANDSHAKE_ESTABLISHED;
    f->app = RECORD_APP_SMTP;
    f->app_source = RECORD_APP_BY_CONTENT;
    f->groups = RECORD_HAS_SMTP;
    f->ndpi_protocol = 3;
    f->incomplete = RECORD_GAP;
    f->sampling = 1;
    f->flow_start_ms = f->start_ms = 1795327200100;
    f->end_ms = 1795327203200;
    f->outcome_ms = 1795327200130;
    f->packets[0] = 14;
    f->packets[1] = 11;
    f->octets[0] = 3100;
    f->octets[1] = 900;
    f->payload_octets[0] = 2500;
    f->payload_octets[1] = 420;
    f->missing_octets[1] = 36;
    f->retransmissions[0] = 1;
    f->syn_count = 1;
    f->ttl_min = 62;
    f->ttl_max = 63;
    f->rtt_us = 30000;
    f->to_first_reply_ms = 45;
    memcpy(f->encap, "vlan", 4);
    f->smtp.banner_code = 220;
    f->smtp.starttls_state = RECORD_STARTTLS_OFFERED;
    f->smtp.helo = f->smtp.mail = f->smtp.data = f->smtp.messages_ok = 1;
    f->smtp.rcpt = 3;
    f->smtp.rcpt_ok = 2;
    f->smtp.rcpt_5xx = 1;
    f->smtp.message_octets = 2300;
    f->smtp.quit_seen = f->smtp.pipelining_offered = true;
    f->smtp.quit = 1;
    f->hash_count = 1;
    f->hash[0].kind = KEYED_HASH_RECIPIENT;
    f->hash[0].key_id = 255;
    f->hash[0].value = UINT64_C(0xfedcba9876543210);
}

static struct span message(struct ipfix_encoder *e)
{
    static struct record r;
    mail_flow(&r);
    assert_int_equal(ipfix_encoder_put(e, &r), 0);
    return ipfix_encoder_take(e);
}

static void test_octets(void **state)
{
    (void)state;
    struct ipfix_encoder *e = ipfix_encoder_new(7, 16384);
    struct span m = message(e);
    char got[4096] = "";
    for (size_t i = 0; i < m.len && i < 2000; i++)
        snprintf(got + 2 * i, 3, "%02x", m.data[i]);
    assert_string_equal(got, golden);
    ipfix_encoder_free(e);
}

// Runs tshark over `file`; its output in `out`. False: there is no tshark.
static bool run_tshark(const char *file, char *out, size_t size)
{
    static const char *const shown[] = {
        "cflow.version",          "cflow.od_id",
        "cflow.srcaddr",          "cflow.dstaddr",
        "cflow.srcport",          "cflow.dstport",
        "cflow.protocol",         "cflow.packets",
        "cflow.octets",           "cflow.initiator_octets",
        "cflow.responder_octets", "cflow.biflow_direction",
        "cflow.flow_end_reason",  "cflow.ttl_min",
        "cflow.ttl_max",          "cflow.total_tcp_syn",
        "cflow.tcp_seq_num",      "_ws.expert.message",
        "cflow.abstimestart",
    };
    const char *argv[64] = {"tshark", "-n", "-r", file, "-T", "fields", "-E", "separator=|"};
    size_t n = 8;
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        argv[n++] = "-e";
        argv[n++] = shown[i];
    }
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);
        setenv("TZ", "UTC", 1);
        dup2(fd[1], STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        close(fd[0]);
        close(fd[1]);
        execvp("tshark", (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(fd[1]);
    size_t len = 0;
    for (ssize_t k; (k = read(fd[0], out + len, size - 1 - len)) > 0;)
        len += (size_t)k;
    out[len] = 0;
    close(fd[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return false;
    assert_int_equal(status, 0);
    return true;
}

static void test_wireshark_reads_it(void **state)
{
    (void)state;
    char path[] = "/tmp/postern-golden-XXXXXX", out[4096];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    struct ipfix_encoder *e = ipfix_encoder_new(7, 16384);
    struct span m = message(e);
    assert_int_equal(write(fd, m.data, m.len), m.len);
    close(fd);
    ipfix_encoder_free(e);
    bool there = run_tshark(path, out, sizeof out);
    unlink(path);
    if (!there) {
        print_message("no tshark here: not held against Wireshark\n");
        skip();
    }
    // Both directions of a biflow stand in one field; the message of an expert would be a complaint.
    static const char want[] = "10|7,7|192.0.2.7|198.51.100.25|40001|25|6|14,11|3100,900|2500|420|"
                               "1|3|62|63|1|286331153,572662306||";
    if (strncmp(out, want, strlen(want)) != 0)
        assert_string_equal(out, want);
    assert_non_null(strstr(out + strlen(want), "06:00:00.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_octets),
        cmocka_unit_test(test_wireshark_reads_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
