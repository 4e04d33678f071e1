// Replies of receivers, as they are worded in the wild (addresses are documentation ones), and what
// they are worth.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/blocklist.h"

static const struct {
    const char *text; // lines apart by \n
    enum blocklist_kind kind;
    bool names_us;
} rows[] = {
    {"554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org; "
     "https://www.spamhaus.org/query/ip/192.0.2.7",
     BLOCKLIST_UNKNOWN, true},
    {"554 blocked using zen.spamhaus.org; 127.0.0.4", BLOCKLIST_EXPLOIT, false},
    {"554 127.0.0.2 returned by zen.spamhaus.org for 192.0.2.7", BLOCKLIST_EXPLOIT, true},
    {"554 zen.spamhaus.org answered 127.0.0.3 (CSS)", BLOCKLIST_EXPLOIT, false},
    {"554 zen.spamhaus.org=127.0.0.10", BLOCKLIST_POLICY, false},
    {"554 zen.spamhaus.org=127.0.0.11", BLOCKLIST_POLICY, false},
    {"554 zen.spamhaus.org 127.0.0.8", BLOCKLIST_UNKNOWN, false},
    {"550 Error: open resolver; https://www.spamhaus.org/returnc/pub/ zen.spamhaus.org "
     "127.255.255.254",
     BLOCKLIST_NONE, false},
    {"550-5.7.1 listed by Spamhaus\n550 5.7.1 127.0.0.4 192.0.2.7.", BLOCKLIST_EXPLOIT, true},
    {"550 rejected, see http://www.spamhaus.org/pbl/query/PBL123456", BLOCKLIST_POLICY, false},
    {"550 192.0.2.70 is listed in pbl.spamhaus.org", BLOCKLIST_POLICY, false},
    {"550 5.7.1 blocked by xbl.spamhaus.org", BLOCKLIST_EXPLOIT, false},
    {"550 https://www.spamhaus.org/sbl/query/SBLCSS", BLOCKLIST_EXPLOIT, false},
    {"550 domain listed in dbl.spamhaus.org", BLOCKLIST_UNKNOWN, false},
    {"550 Blocked - see https://www.spamcop.net/bl.shtml?192.0.2.7", BLOCKLIST_EXPLOIT, true},
    {"554 Blocked by psbl.surriel.com", BLOCKLIST_EXPLOIT, false},
    {"554 Client host [192.0.2.7] blocked using b.barracudacentral.org", BLOCKLIST_EXPLOIT, true},
    {"554 rejected: dul.dnsbl.sorbs.net", BLOCKLIST_POLICY, false},
    {"554 see https://www.abuseat.org/lookup.cgi?ip=192.0.2.7", BLOCKLIST_EXPLOIT, true},
    {"554 blocked using dnsbl-1.uceprotect.net", BLOCKLIST_EXPLOIT, false},
    {"554 Your network is listed at dnsbl-3.uceprotect.net", BLOCKLIST_NONE, false},
    {"554 blocked (UCEPROTECT-Level2) blacklist", BLOCKLIST_NONE, false},
    {"550 5.7.1 Unfortunately, messages from [192.0.2.7] weren't sent. Please contact your "
     "Internet "
     "service provider since part of their network is on our block list (S3150).",
     BLOCKLIST_UNKNOWN, true},
    {"550-5.7.1 [192.0.2.7] The IP you're using to send mail is not authorized to\n"
     "550-5.7.1 send email directly to our servers. Please use the SMTP relay at your\n"
     "550-5.7.1 service provider instead. Learn more at\n"
     "550 5.7.1  https://support.google.com/mail/?p=NotAuthorizedError",
     BLOCKLIST_POLICY, true},
    {"421-4.7.0 [192.0.2.7 15] Our system has detected an unusual rate of unsolicited mail",
     BLOCKLIST_EXPLOIT, true},
    {"554 Dynamic IP addresses are not accepted", BLOCKLIST_POLICY, false},
    {"553 generic reverse DNS of residential lines", BLOCKLIST_POLICY, false},
    {"550 your host is on our RBL", BLOCKLIST_UNKNOWN, false},
    {"550 you are on a blacklist", BLOCKLIST_UNKNOWN, false},
    {"550 5.1.1 no such user: marble@verbl.example", BLOCKLIST_NONE, false},
    {"450 4.2.0 greylisted, come back later", BLOCKLIST_NONE, false},
    {"550 7.2.0.192.in-addr.arpa 192.0.2.7.dyn.example rejected", BLOCKLIST_NONE, false},
    {"550 x192.0.2.7 1192.0.2.7 192.0.2.777 192.0.2 300.0.2.7", BLOCKLIST_NONE, false},
    {"550 [192.0.2.7]", BLOCKLIST_NONE, true},
    {"", BLOCKLIST_NONE, false},
};

static void look(struct blocklist_finding *b, const char *text, const struct ip_addr *client)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        blocklist_look(b, span_of(text, n), client);
        text += n + (text[n] == '\n');
    }
}

static void test_replies(void **state)
{
    (void)state;
    struct ip_addr us = ip_from_v4((uint8_t[]){192, 0, 2, 7});
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct blocklist_finding b = {0};
        look(&b, rows[i].text, &us);
        if (blocklist_kind(&b) != rows[i].kind || b.names_us != rows[i].names_us)
            print_error("%s\n", rows[i].text);
        assert_int_equal(blocklist_kind(&b), rows[i].kind);
        assert_int_equal(b.names_us, rows[i].names_us);
    }
}

static void test_v6(void **state)
{
    (void)state;
    struct ip_addr us;
    assert_int_equal(ip_parse("2001:db8::7", &us), 0);
    static const struct {
        const char *text;
        bool names_us;
    } v6[] = {
        {"554 Client host [2001:db8::7] blocked using zen.spamhaus.org", true},
        {"554 2001:0db8:0:0:0:0:0:7: listed", true},
        {"554 2001:DB8::7", true},
        {"554 2001:db8::70 listed", false},
        {"554 at 12:34:56 fade cafe ::: 2001:db8:::7", false},
        {"554 5.7.1 dead:beef", false},
    };
    for (size_t i = 0; i < sizeof v6 / sizeof *v6; i++) {
        struct blocklist_finding b = {0};
        look(&b, v6[i].text, &us);
        assert_int_equal(b.names_us, v6[i].names_us);
    }
}

// Each phrase of the table is reached by its first two letters, in capitals, too, and at the text's very end.
static void test_each_phrase(void **state)
{
    (void)state;
    const struct ip_addr us = ip_from_v4((uint8_t[]){192, 0, 2, 7});
    size_t count = 0;
    for (const char *phrase; (phrase = blocklist_phrase(count)); count++) {
        char text[128];
        int len = snprintf(text, sizeof text, "554 it is: %s", phrase);
        for (int capitals = 0; capitals < 2; capitals++) {
            struct blocklist_finding b = {0};
            blocklist_look(&b, span_of(text, (size_t)len), &us);
            if (!b.listed && !b.discounted)
                print_error("%s\n", text);
            assert_true(b.listed || b.discounted);
            for (int i = 0; i < len; i++)
                text[i] = (char)(text[i] >= 'a' && text[i] <= 'z' ? text[i] - 0x20 : text[i]);
        }
    }
    assert_true(count > 80);
}

// A word begins behind whatever is no letter or digit, wherever that stands among the octets looked at together; behind
// one of them it goes on. The text is as long as its words: nothing behind it is read.
static void test_where_words_begin(void **state)
{
    (void)state;
    const struct ip_addr us = ip_from_v4((uint8_t[]){192, 0, 2, 7});
    for (size_t before = 1; before < 20; before++) {
        for (unsigned octet = 0; octet < 256; octet++) {
            uint8_t text[64] = {0};
            memset(text, '.', before);
            text[before - 1] = (uint8_t)octet;
            memcpy(text + before, "xbl.spamhaus.org", 16);
            uint8_t *exact = malloc(before + 16);
            assert_non_null(exact);
            memcpy(exact, text, before + 16);
            struct blocklist_finding b = {0};
            blocklist_look(&b, span_of(exact, before + 16), &us);
            free(exact);
            bool word = (octet >= '0' && octet <= '9') || (octet >= 'a' && octet <= 'z') ||
                        (octet >= 'A' && octet <= 'Z');
            // Within a word there is still its label "spamhaus", which names no kind.
            assert_int_equal(b.exploit, !word);
            assert_true(b.listed);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_replies), cmocka_unit_test(test_v6),
                                       cmocka_unit_test(test_each_phrase),
                                       cmocka_unit_test(test_where_words_begin)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
