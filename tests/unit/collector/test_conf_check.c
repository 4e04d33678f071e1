// What keys of section `collector` contradict each other in, from files as an operator writes them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf_check.h"

static const struct {
    const char *keys;
    const char *said; // "": nothing
} table[] = {
    {"", ""},
    {"  journal: /j\n  intake: /i\n  ca: /ca\n  listen: [\"[::1]:4739\", \"unix:/run/in.sock\"]\n"
     "  enroll: localhost:4740\n",
     ""},
    {"  listen: [\"4739\"]\n", "collector.listen[0]: 4739 is no address; write HOST:PORT, "
                               "tcp:HOST:PORT or unix:/PATH, IPv6 in "
                               "brackets\n"},
    {"  listen: [\"tcp:::1:4739\"]\n", "collector.listen[0]: tcp:::1:4739 is no address"},
    {"  listen: [\"unix:in.sock\"]\n", "collector.listen[0]: unix:in.sock is no address; a "
                                       "socket's path begins with / and has at most 107 "
                                       "octets\n"},
    {"  listen: [\"unix:/0123456789012345678901234567890123456789012345678901234567890123456789012"
     "3456789012345678901234567890123456789\"]\n",
     "at most 107 octets\n"},
    {"  listen: [\"localhost:4739\"]\n", "localhost:4739 needs collector.ca"},
    {"  ca: /ca\n  listen: [\"h:1\", \"tcp:h:2\", \"h:1\"]\n",
     ":4:30: collector.listen[2]: h:1 stands there twice"},
    {"  listen: [\"unix:/in.sock\"]\n  exporters: [192.0.2.0/24]\n",
     "collector.exporters: is of tcp: addresses"},
    {"  listen: [\"tcp:h:4739\"]\n  exporters: [192.0.2.0/24]\n", ""},
    {"  enroll: localhost:4740\n", "collector.enroll: localhost:4740 needs collector.ca"},
    {"  ca: /ca\n  enroll: unix:/enroll\n", "collector.enroll: unix:/enroll is with TLS"},
    {"  ca: /ca\n  enroll: somewhere\n", "collector.enroll: somewhere is no address"},
    {"  ca: /ca\n  listen: [\"h:4740\"]\n  enroll: h:4740\n", "is in collector.listen"},
    {"  journal: /j\n  intake: /j\n", ":4:11: collector.intake: /j is collector.journal too"},
    {"  journal: /j\n  journal_keys: /j\n", "collector.journal_keys: /j is collector.journal"},
    {"  leases: /l.csv\n  lease_history: /l.csv\n",
     "collector.lease_history: /l.csv is collector.leases too"},
    {"  lease_history: /k.csv\n  lease_sources:\n    - {kind: kea, path: /k.csv}\n",
     "is the file of a lease source too"},
    {"  lease_sources:\n    - {kind: kea}\n",
     "collector.lease_sources: entry 1 (kea): path is missing; name the file\n"},
    {"  lease_sources:\n    - {kind: kea, path: /k.csv, realm: foo:1}\n",
     ":4:40: collector.lease_sources: entry 1 (kea): realm names a layer that there is not; use "},
    {"  lease_sources:\n    - {kind: kea, path: /k.csv, realm: vlan:5000}\n",
     ":4:40: collector.lease_sources: entry 1 (kea): realm has a VLAN that is none; write vlan:0 "
     "to"},
};

static void tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char path[] = "/tmp/test_conf_check.XXXXXX", said[2000] = "";
        struct collector_conf conf;
        struct conf_section section[] = {{"collector", collector_conf_keys, &conf}};
        FILE *f = fdopen(mkstemp(path), "w");
        assert_non_null(f);
        fprintf(f, "collector:\n  digests: 64\n%s", table[i].keys);
        assert_int_equal(fclose(f), 0);
        assert_int_equal(conf_load(path, section, 1, stderr), 0);
        FILE *errors = fmemopen(said, sizeof said, "w");
        int rc = conf_check_collector(&conf, path, errors);
        fclose(errors);
        assert_int_equal(rc < 0, table[i].said[0] != '\0');
        if (table[i].said[0] ? !strstr(said, table[i].said) : said[0])
            fail_msg("%s: said %s", table[i].keys, said);
        conf_free(collector_conf_keys, &conf);
        unlink(path);
    }
}

// All at once, a line each.
static void all_of_them(void **state)
{
    (void)state;
    char said[2000] = "";
    char *items[] = {"nowhere", "h:1"};
    struct collector_conf conf = {
        .listen = {.item = items, .count = 2}, .enroll = "h:1", .journal = "/x", .intake = "/x"};
    FILE *errors = fmemopen(said, sizeof said, "w");
    assert_true(conf_check_collector(&conf, NULL, errors) < 0);
    fclose(errors);
    unsigned lines = 0;
    for (const char *at = said; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables),
        cmocka_unit_test(all_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
