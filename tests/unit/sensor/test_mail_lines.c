// What each line of a mail log says, by the server or filter that wrote it.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "maillog/exim.h"
#include "maillog/mail_event.h"
#include "maillog/postfix.h"

// ---- What lines say.

static const char *const kinds[MAIL_NOTES] = {
    [MAIL_NOTE_NONE] = "none",         [MAIL_NOTE_CONNECT] = "connect",
    [MAIL_NOTE_TLS] = "tls",           [MAIL_NOTE_DISCONNECT] = "disconnect",
    [MAIL_NOTE_AUTH] = "auth",         [MAIL_NOTE_OPEN] = "open",
    [MAIL_NOTE_LOCAL] = "local",       [MAIL_NOTE_NAME] = "name",
    [MAIL_NOTE_ACCEPTED] = "accepted", [MAIL_NOTE_WHOLE] = "message",
    [MAIL_NOTE_REJECT] = "reject",     [MAIL_NOTE_BLOCK] = "block",
    [MAIL_NOTE_DELIVERY] = "delivery", [MAIL_NOTE_HANDED_ON] = "handed-on",
    [MAIL_NOTE_BOUNCE] = "bounce",     [MAIL_NOTE_DONE] = "done",
};

static void put(FILE *out, const char *name, struct span s)
{
    if (s.len > 0)
        fprintf(out, " %s=%.*s", name, (int)s.len, (const char *)s.data);
}

static void put_number(FILE *out, const char *name, uint64_t v)
{
    if (v > 0)
        fprintf(out, " %s=%llu", name, (unsigned long long)v);
}

static const char *render(const struct mail_note *n, char out[static 1024])
{
    FILE *f = fmemopen(out, 1024, "w");
    char text[IP_TEXT_MAX];
    fputs(kinds[n->kind], f);
    put(f, "id", n->queue_id);
    if (n->client.family)
        fprintf(f, " client=%s", ip_format(&n->client, text));
    put_number(f, "cport", n->client_port);
    put_number(f, "port", n->kind == MAIL_NOTE_NONE ? 0 : n->server_port);
    put(f, "user", n->user);
    if (n->sender_seen)
        fprintf(f, " from=<%.*s>", (int)n->sender.len, (const char *)n->sender.data);
    put(f, "to", n->recipient);
    put(f, "for", n->recipient_list);
    put(f, "helo", n->helo);
    put(f, "name", n->message_id);
    put(f, "other", n->other_id);
    put_number(f, "size", n->size);
    put_number(f, "rcpt", n->recipients);
    put_number(f, "reply", n->reply_code);
    put_number(f, "filter", n->filter);
    put_number(f, "list", n->blocklist);
    fputs(n->tls ? " tls" : "", f);
    fputs(n->auth_failed ? " failed" : "", f);
    fputs(n->whole ? " whole" : "", f);
    fclose(f);
    return out;
}

struct said {
    const char *program, *message, *note;
};

static void check(const struct said *cases, size_t count, bool exim)
{
    for (size_t i = 0; i < count; i++) {
        char text[1024] = "";
        struct mail_note note = {0};
        struct mail_line line = {.program = span_of_text(cases[i].program),
                                 .message = span_of_text(cases[i].message)};
        bool known = exim ? exim_read(line.message, &note) : postfix_read(&line, &note);
        if (!known)
            assert_string_equal(cases[i].note, "other");
        else
            assert_string_equal(render(&note, text), cases[i].note);
    }
}

static void test_postfix(void **state)
{
    (void)state;
    static const struct said cases[] = {
        // What looks like a status in a recipient's quotes is none.
        {"postfix/smtp",
         "AB12CD34EF: to=<\"a0>, relay=m[198.51.100.1]:25, dsn=2.0.0, status=sent (250 ok)\"@x>, "
         "relay=mx[192.0.2.9]:25, delay=1, dsn=5.1.1, status=bounced (host mx[192.0.2.9] said: 550 "
         "5.1.1 no)",
         "delivery id=AB12CD34EF port=25 to=\"a0 reply=550"},
        {"postfix/smtpd", "connect from unknown[192.0.2.7]", "connect client=192.0.2.7 port=25"},
        {"postfix/submission/smtpd", "connect from a.example[2001:db8::7]:40001",
         "connect client=2001:db8::7 cport=40001 port=587"},
        {"postfix-out/smtps/smtpd", "disconnect from a.example[192.0.2.7] ehlo=1 quit=1 commands=2",
         "disconnect client=192.0.2.7 port=465"},
        {"postfix/smtpd", "disconnect from a[192.0.2.7]:9 ehlo=1 mail=1 rcpt=2/3 commands=5/6",
         "disconnect client=192.0.2.7 cport=9 port=25 rcpt=2"},
        {"postfix/2525/smtpd", "lost connection after EHLO from a.example[192.0.2.7]", "none"},
        {"postfix/smtpd",
         "Anonymous TLS connection established from a[192.0.2.7]: TLSv1.3 with cipher X (256/256 "
         "bits)",
         "tls client=192.0.2.7 port=25 tls"},
        {"postfix/smtpd",
         "4XyzBb1234z7Qn: client=a[192.0.2.7], sasl_method=PLAIN, sasl_username=bob",
         "open id=4XyzBb1234z7Qn client=192.0.2.7 port=25 user=bob"},
        {"postfix/smtpd",
         "AB12CD34EF: client=localhost[127.0.0.1], orig_queue_id=4XyzBb1234z7Qn, "
         "orig_client=a[192.0.2.7]",
         "open id=AB12CD34EF client=127.0.0.1 port=25 other=4XyzBb1234z7Qn"},
        {"postfix/smtpd",
         "AB12CD34EF: client=a[192.0.2.7], sasl_method=LOGIN, sasl_username=b, c@d, sasl_sender=e",
         "open id=AB12CD34EF client=192.0.2.7 port=25 user=b, c@d"},
        {"postfix/smtpd", "NOQUEUE: client=a[192.0.2.7]", "none client=192.0.2.7"},
        {"postfix/cleanup", "AB12CD34EF: message-id=<x@y>", "name id=AB12CD34EF port=25 name=x@y"},
        {"postfix/qmgr", "AB12CD34EF: from=<a@b.example>, size=123, nrcpt=4 (queue active)",
         "accepted id=AB12CD34EF port=25 from=<a@b.example> size=123 rcpt=4"},
        {"postfix/qmgr", "AB12CD34EF: from=<>, size=9, nrcpt=1 (queue active)",
         "accepted id=AB12CD34EF port=25 from=<> size=9 rcpt=1"},
        {"postfix/qmgr", "AB12CD34EF: from=<a@b>, status=expired, returned to sender",
         "none id=AB12CD34EF"},
        {"postfix/qmgr", "AB12CD34EF: removed", "done id=AB12CD34EF port=25"},
        {"postfix/pickup", "AB12CD34EF: uid=33 from=<www-data>", "local id=AB12CD34EF port=25"},
        {"postfix/bounce", "AB12CD34EF: sender non-delivery notification: BB12CD34EF",
         "bounce id=AB12CD34EF port=25 other=BB12CD34EF"},
        {"postfix/bounce", "AB12CD34EF: sender delay notification: BB12CD34EF",
         "none id=AB12CD34EF"},
        {"postfix/smtpd",
         "NOQUEUE: reject: RCPT from a[192.0.2.7]: 554 5.7.1 <z@y>: Relay access denied; "
         "from=<s@x> "
         "to=<z@y> proto=ESMTP helo=<pc>",
         "reject client=192.0.2.7 port=25 from=<s@x> to=z@y helo=pc reply=554"},
        {"postfix/smtpd",
         "NOQUEUE: reject: RCPT from a[192.0.2.7]: 450 4.7.1 <z@y>: Recipient address rejected: "
         "Greylisted; from=<> to=<z@y> proto=ESMTP helo=<pc>",
         "reject client=192.0.2.7 port=25 from=<> to=z@y helo=pc reply=450"},
        {"postfix/smtpd",
         "NOQUEUE: reject: RCPT from a[192.0.2.7]: 550 5.1.1 <z@y>: x; from=<s@x> to=<z@y> "
         "proto=ESMTP helo=<pc> sasl_username=<bob>",
         "reject client=192.0.2.7 port=25 user=bob from=<s@x> to=z@y helo=pc reply=550"},
        {"postfix/smtpd",
         "NOQUEUE: reject: RCPT from a[192.0.2.7]: 450 4.7.1 <a>: Sender address rejected: rate "
         "limit; "
         "from=<s@x> to=<z@y> proto=ESMTP helo=<pc>",
         "reject client=192.0.2.7 port=25 from=<s@x> to=z@y helo=pc reply=450 filter=4"},
        {"postfix/cleanup",
         "AB12CD34EF: milter-reject: END-OF-MESSAGE from a[192.0.2.7]: 5.7.1 Spam message "
         "rejected; "
         "from=<s@x> to=<z@y> proto=ESMTP helo=<pc>",
         "reject id=AB12CD34EF client=192.0.2.7 port=25 from=<s@x> to=z@y helo=pc reply=550 "
         "filter=1 "
         "whole"},
        {"postfix/cleanup",
         "AB12CD34EF: milter-reject: END-OF-MESSAGE from a[192.0.2.7]: 4.7.1 Try again; from=<s@x> "
         "to=<z@y> proto=ESMTP helo=<pc>",
         "reject id=AB12CD34EF client=192.0.2.7 port=25 from=<s@x> to=z@y helo=pc reply=450 "
         "filter=3 "
         "whole"},
        {"postfix/cleanup",
         "AB12CD34EF: milter-reject: END-OF-MESSAGE from a[192.0.2.7]: 5.7.1 Infected by Eicar; "
         "from=<s@x> to=<z@y> proto=ESMTP helo=<pc>",
         "reject id=AB12CD34EF client=192.0.2.7 port=25 from=<s@x> to=z@y helo=pc reply=550 "
         "filter=2 "
         "whole"},
        {"postfix/cleanup",
         "AB12CD34EF: reject: header Subject: buy from evil[198.51.100.1]; from=<no> from "
         "a[192.0.2.7]; "
         "from=<s@x> to=<z@y> proto=ESMTP helo=<pc>: 5.7.1 message content rejected",
         "reject id=AB12CD34EF client=192.0.2.7 port=25 from=<s@x> to=z@y helo=pc reply=550 "
         "filter=3 "
         "whole"},
        {"postfix/smtpd", "warning: a[192.0.2.7]: SASL LOGIN authentication failed: UGFzc3dvcmQ6",
         "auth client=192.0.2.7 port=25 failed"},
        {"postfix/submission/smtpd",
         "warning: a[192.0.2.7]:99: SASL PLAIN authentication failed: (reason unavailable), "
         "sasl_username=bob@x",
         "auth client=192.0.2.7 cport=99 port=587 user=bob@x failed"},
        {"postfix/smtpd",
         "warning: a[192.0.2.7]: SASL PLAIN authentication failed: (reason unavailable), "
         "sasl_username=x, sasl_username=bob, sasl_sender=b",
         "auth client=192.0.2.7 port=25 user=x, sasl_username=bob, sasl_sender=b failed"},
        {"postfix/smtpd",
         "warning: a[192.0.2.7]: SASL PLAIN authentication failed: Invalid base64 data in initial "
         "response, sasl_username=(unavailable)",
         "auth client=192.0.2.7 port=25 failed"},
        {"postfix/smtpd", "warning: a[192.0.2.7]:99: SASL DIGEST-MD5 authentication aborted",
         "auth client=192.0.2.7 cport=99 port=25 failed"},
        {"postfix/smtpd", "warning: SASL authentication failure: Password verification failed",
         "none"},
        {"postfix/smtpd",
         "warning: Message delivery request rate limit exceeded: 101 from a[192.0.2.7] for service "
         "smtp",
         "reject client=192.0.2.7 port=25 reply=421 filter=4"},
        {"postfix/smtp",
         "AB12CD34EF: to=<z@y>, orig_to=<q@y>, relay=mx.y[192.0.2.9]:25, delay=1, delays=0/0/0/1, "
         "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as XX)",
         "delivery id=AB12CD34EF port=25 to=q@y reply=250"},
        {"postfix/smtp",
         "AB12CD34EF: to=<z@y>, relay=none, delay=1, delays=0/0/0/1, dsn=4.4.1, status=deferred "
         "(connect to mx.y[192.0.2.9]:25: Connection timed out)",
         "delivery id=AB12CD34EF port=25 to=z@y reply=450"},
        {"postfix/smtp",
         "AB12CD34EF: to=<z@y>, relay=mx.y[192.0.2.9]:25, delay=1, delays=0/0/0/1, dsn=4.7.1, "
         "status=deferred (host mx.y[192.0.2.9] said: 421 4.7.0 try later (in reply to MAIL FROM))",
         "delivery id=AB12CD34EF port=25 to=z@y reply=421"},
        {"postfix/smtp",
         "AB12CD34EF: to=<z@y>, relay=mx.y[192.0.2.9]:25, delay=1, delays=0/0/0/1, dsn=5.7.1, "
         "status=bounced (host mx.y[192.0.2.9] said: 550 5.7.1 listed at xbl.spamhaus.org, "
         "status=sent)",
         "delivery id=AB12CD34EF port=25 to=z@y reply=550 list=2"},
        {"postfix/smtp",
         "AB12CD34EF: to=<z@y>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/0/1, "
         "dsn=2.0.0, "
         "status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as "
         "BB12CD34EF)",
         "handed-on id=AB12CD34EF port=25 to=z@y other=BB12CD34EF reply=250"},
        {"postfix/smtp",
         "AB12CD34EF: to=<z@y>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/0/1, "
         "dsn=2.7.0, "
         "status=sent (250 2.7.0 Ok, discarded, id=1-1 - spam)",
         "block id=AB12CD34EF port=25 to=z@y reply=250 filter=1"},
        {"postfix/lmtp",
         "AB12CD34EF: to=<z@y>, relay=mx1[private/dovecot-lmtp], delay=1, delays=0/0/0/1, "
         "dsn=2.0.0, "
         "status=sent (250 2.0.0 <z@y> saved)",
         "delivery id=AB12CD34EF port=25 to=z@y reply=250"},
        {"amavis",
         "(05784-01) Blocked SPAM {DiscardedOutbound}, LOCAL [192.0.2.7]:4711 <a> -> <b>, "
         "Queue-ID: "
         "AB12CD34EF, Message-ID: <x@y>, Hits: 15",
         "block id=AB12CD34EF name=x@y filter=1"},
        {"amavis", "(05784-01) Passed CLEAN {RelayedOutbound}, Queue-ID: AB12CD34EF", "none"},
        {"rspamd",
         "<ab>; proxy; rspamd_task_write_log: id: <x@y>, qid: <AB12CD34EF>, ip: 192.0.2.7, user: "
         "b, "
         "from: <a>, (default: T (reject): [16.00/15.00] [GTUBE(0.00){}]), len: 9",
         "block id=AB12CD34EF name=x@y filter=1"},
        {"rspamd",
         "<ab>; proxy; rspamd_task_write_log: id: <x@y>, qid: <AB12CD34EF>, ip: 192.0.2.7, user: "
         "b, from: <a>, (default: S (reject): [15.00/15.00] [GTUBE(0.00){}]), len: 9",
         "block id=AB12CD34EF name=x@y filter=1"},
        {"rspamd",
         "<ab>; proxy; rspamd_task_write_log: id: <x@y>, qid: <AB12CD34EF>, ip: 192.0.2.7, from: "
         "<a>, (default: F (soft reject): [0.00/15.00] []), len: 9",
         "none"},
        {"rspamd",
         "<ab>; proxy; rspamd_task_write_log: id: <x>, qid: <BB12CD34EF>, (default: T (reject): "
         "[1/1] "
         "[]), qid: <AB12CD34EF>, ip: 192.0.2.7, (default: F (no action): [0.00/15.00] []), len: 9",
         "block id=BB12CD34EF name=x filter=1"},
        {"rspamd",
         "<ab>; proxy; rspamd_task_write_log: id: <x>, qid: <BB12CD34EF>, (default: T (reject): "
         "[1/1] "
         "[]>, qid: <AB12CD34EF>, ip: 192.0.2.7, (default: F (no action): [0.00/15.00] []), len: 9",
         "none"},
        {"rspamd",
         "<ab>; proxy; rspamd_task_write_log: id: <x@y>, qid: <AB12CD34EF>, ip: 192.0.2.7, from: "
         "<a>, "
         "(default: F (no action): [1.00/15.00] []), len: 9",
         "none"},
        {"spampd", "identified spam <x@y> (11.20/5.00) from <a> for <b> in 1.52s, 2043 bytes.",
         "block name=x@y filter=1"},
        {"clamav-milter",
         "Message AB12CD34EF from <a> to <b> with subject 's' message-id '<x>' date 'd' infected "
         "by Eicar",
         "block id=AB12CD34EF filter=2"},
        {"sshd", "connect from unknown[192.0.2.7]", "other"},
        {"postfix/smtp", "AB12CD34EF: to=<z@y>, dsn=4.0.0, status=deferred",
         "delivery id=AB12CD34EF port=25 to=z@y reply=450"},
        {"postfix/smtpd", "", "none"},
        {"postfix/smtpd", "connect from unknown[unknown]", "connect port=25"},
        {"postfix/smtpd", "connect from unknown", "none"},
        {"postfix/smtpd", "warning: 4XyzBb1234z7Qn: nothing", "none"},
    };
    check(cases, sizeof cases / sizeof cases[0], false);
}

static void test_exim(void **state)
{
    (void)state;
    static const struct said cases[] = {
        {"exim",
         "1rXabc-0000AB-Cd <= a@b.example H=(pc) [192.0.2.7]:4711 I=[198.51.100.1]:587 P=esmtpsa "
         "X=TLS1.3:X:256 CV=no A=login:bob@b.example S=1234 id=x@y T=\"for free for you\" from "
         "<a@b> "
         "for c@d e@f",
         "message id=1rXabc-0000AB-Cd client=192.0.2.7 cport=4711 port=587 user=bob@b.example "
         "from=<a@b.example> for=c@d e@f helo=pc name=x@y size=1234 rcpt=2 tls"},
        {"exim",
         "1rXabc-0000000AbCd-0XyZ <= a@b H=host.example ([10.0.0.1]) [2001:db8::7] P=esmtp S=99",
         "message id=1rXabc-0000000AbCd-0XyZ client=2001:db8::7 from=<a@b> helo=[10.0.0.1] "
         "size=99"},
        // A login is the server's word: not in a sender, a message id, a recipient, a helo.
        {"exim",
         "1rXabc-0000AB-Cd <= \"x A=plain:ceo@b.example y\"@b H=(h) [192.0.2.7] P=esmtps S=1 "
         "id=e A=plain:cfo@b.example for \"a A=plain:cto@b.example\"@c",
         "message id=1rXabc-0000AB-Cd client=192.0.2.7 from=<\"x A=plain:ceo@b.example y\"@b> "
         "helo=h name=e size=1"},
        {"exim",
         "H=(h A=plain:ceo@b.example) [192.0.2.7] F=<\"a A=plain:coo@b.example\"@b> rejected RCPT "
         "<c@d>: no",
         "reject client=192.0.2.7 from=<\"a A=plain:coo@b.example\"@b> to=c@d "
         "helo=h A=plain:ceo@b.example reply=550"},
        {"exim", "1rXabc-0000AB-Cd <= root@h U=root P=local S=9",
         "local id=1rXabc-0000AB-Cd from=<root@h> size=9"},
        {"exim", "1rXabd-0000AC-Cd <= <> R=1rXabc-0000AB-Cd U=Debian-exim P=local S=1",
         "bounce id=1rXabc-0000AB-Cd from=<> other=1rXabd-0000AC-Cd size=1"},
        {"exim",
         "1rXabc-0000AB-Cd => c@d R=dnslookup T=remote_smtp H=mx.d [192.0.2.9] C=\"250 OK\"",
         "delivery id=1rXabc-0000AB-Cd to=c@d reply=250"},
        {"exim",
         "1rXabc-0000AB-Cd == c@d R=dnslookup T=remote_smtp defer (-44) H=mx.d [192.0.2.9]: SMTP "
         "error "
         "from remote mail server after RCPT TO:<c@d>: 451 4.7.1 later",
         "delivery id=1rXabc-0000AB-Cd to=c@d reply=451"},
        {"exim",
         "1rXabc-0000AB-Cd ** c@d R=dnslookup T=remote_smtp H=mx.d [192.0.2.9]: SMTP error from "
         "remote "
         "mail server after RCPT TO:<c@d>: 554 5.7.1 listed at xbl.spamhaus.org",
         "delivery id=1rXabc-0000AB-Cd to=c@d reply=554 list=2"},
        {"exim", "1rXabc-0000AB-Cd => bob <bob@d.example> R=local_user T=mail_spool",
         "delivery id=1rXabc-0000AB-Cd to=bob@d.example reply=250"},
        {"exim", "1rXabc-0000AB-Cd => :blackhole: <bob@d.example> R=system_aliases",
         "delivery id=1rXabc-0000AB-Cd to=bob@d.example reply=250"},
        {"exim", "1rXabc-0000AB-Cd => c@d <bob@d.example> R=system_aliases T=remote_smtp",
         "delivery id=1rXabc-0000AB-Cd to=bob@d.example reply=250"},
        {"exim", "1rXabc-0000AB-Cd => bob", "delivery id=1rXabc-0000AB-Cd to=bob reply=250"},
        {"exim", "1rXabc-0000AB-Cd => bob <", "delivery id=1rXabc-0000AB-Cd to=bob reply=250"},
        {"exim", "1rXabc-0000AB-Cd Completed", "done id=1rXabc-0000AB-Cd"},
        {"exim", "H=(pc) [192.0.2.7]:4711 F=<a@b> rejected RCPT <c@d>: relay not permitted",
         "reject client=192.0.2.7 cport=4711 from=<a@b> to=c@d helo=pc reply=550"},
        {"exim", "H=(pc) [192.0.2.7] F=<a@b> temporarily rejected RCPT <c@d>: greylisted",
         "reject client=192.0.2.7 from=<a@b> to=c@d helo=pc reply=450"},
        {"exim",
         "1rXabc-0000AB-Cd H=(pc) [192.0.2.7] A=login:bob F=<a@b> rejected after DATA: spam found",
         "reject id=1rXabc-0000AB-Cd client=192.0.2.7 user=bob from=<a@b> helo=pc reply=550 "
         "filter=1 "
         "whole"},
        // What the rule says, when it fits what was done.
        {"exim",
         "H=(pc) [192.0.2.7]:4711 I=[198.51.100.1]:25 F=<a@b> temporarily rejected RCPT <c@d>: "
         "452 4.2.2 Mailbox full",
         "reject client=192.0.2.7 cport=4711 port=25 from=<a@b> to=c@d helo=pc reply=452"},
        {"exim", "H=(pc) [192.0.2.7] F=<a@b> rejected RCPT <c@d>: 451 is no refusal",
         "reject client=192.0.2.7 from=<a@b> to=c@d helo=pc reply=550"},
        {"exim", "H=(pc) [192.0.2.7] F=<a@b> rejected RCPT <c@d>: ",
         "reject client=192.0.2.7 from=<a@b> to=c@d helo=pc reply=550"},
        {"exim", "H=(pc) [192.0.2.7]:4711 rejected DATA: 554 5.5.1 No content from you",
         "reject client=192.0.2.7 cport=4711 helo=pc reply=554 whole"},
        {"exim",
         "H=[192.0.2.7]:4711 I=[198.51.100.1]:25 rejected connection in \"connect\" ACL: listed",
         "reject client=192.0.2.7 cport=4711 port=25 reply=550"},
        // The line before the refusal is none, whatever the other server said.
        {"exim",
         "H=(pc) [192.0.2.7]:4711 sender verify fail for <a@b>: mx.b [192.0.2.9] : SMTP error from "
         "remote mail server after RCPT TO:<a@b>: 550 rejected by policy",
         "other"},
        {"exim",
         "login authenticator failed for (pc) [192.0.2.7]:99 I=[198.51.100.1]:587: 535 Incorrect",
         "auth client=192.0.2.7 cport=99 port=587 failed"},
        {"exim",
         "SMTP connection from [192.0.2.7]:99 I=[198.51.100.1]:465 (TCP/IP connection count = 1)",
         "connect client=192.0.2.7 cport=99 port=465"},
        {"exim",
         "login authenticator failed for (pc) [192.0.2.7]:99: 535 Incorrect authentication data "
         "(set_id=bob)",
         "auth client=192.0.2.7 cport=99 user=bob failed"},
        {"exim", "SMTP connection from [192.0.2.7]:99 (TCP/IP connection count = 1)",
         "connect client=192.0.2.7 cport=99"},
        {"exim", "SMTP connection from (pc) [192.0.2.7]:99 closed by QUIT",
         "disconnect client=192.0.2.7 cport=99"},
        {"exim", "[123] 1rXabc-0000AB-Cd Completed", "done id=1rXabc-0000AB-Cd"},
        {"exim", "1rXabc-0000AB-Cd Frozen (delivery error message)", "none id=1rXabc-0000AB-Cd"},
        {"exim", "exim 4.96 daemon started: pid=1", "other"},
        {"exim", "", "other"},
        {"exim", "[", "other"},
    };
    check(cases, sizeof cases / sizeof cases[0], true);
}

static void test_events(void **state)
{
    (void)state;
    static const struct {
        const char *line, *note;
    } cases[] = {
        {"{\"v\":1,\"time\":\"2026-11-22T09:00:00Z\",\"event\":\"message\",\"client\":\"192.0.2."
         "7\","
         "\"client_port\":9,\"user\":\"bob\",\"server_port\":587,\"tls\":true,\"sender\":\"a@b\","
         "\"recipients\":2,\"recipient\":[\"c@d\",\"e@f\"],\"size\":5,\"new\":[]}",
         "message client=192.0.2.7 cport=9 port=587 user=bob from=<a@b> for=c@d e@f size=5 rcpt=2 "
         "tls"},
        {"{\"v\":1,\"time\":\"2026-11-22T09:00:00Z\",\"event\":\"delivery\",\"user\":\"bob\","
         "\"reply_code\":550,\"reply\":\"5.7.1 listed at xbl.spamhaus.org\",\"recipient\":\"c@d\"}",
         "delivery user=bob to=c@d reply=550 list=2"},
        {"{\"v\":1,\"time\":\"2026-11-22T09:00:00Z\",\"event\":\"reject\",\"client\":\"192.0.2.7\","
         "\"filter\":\"virus\",\"whole\":true,\"queue_id\":\"Q\"}",
         "reject id=Q client=192.0.2.7 filter=2 whole"},
        {"{\"v\":1,\"time\":\"2026-11-22T09:00:00Z\",\"event\":\"auth\",\"client\":\"192.0.2.7\","
         "\"auth_failed\":true,\"user\":\"a\\u0000b\"}",
         NULL}, // rendered below: a NUL is an octet of the name
    };
    static const char *const broken[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"v\":2,\"time\":\"2026-11-22T09:00:00Z\",\"event\":\"message\"}",
        "{\"v\":1,\"time\":\"yesterday\",\"event\":\"message\"}",
        "{\"v\":1,\"time\":\"2026-11-22T09:00:00Z\",\"event\":\"massage\"}",
        "{\"v\":1,\"time\":\"2026-11-22T09:00:00Z\",\"event\":\"auth\",\"client\":\"192.0.2\"}",
        "{\"v\":1,\"time\":\"2026-11-22T09:00:00Z\",\"event\":\"auth\",\"client_port\":65536}",
        "{\"v\":1,\"time\":\"2026-11-22T09:00:00Z\",\"event\":\"auth\",\"reply_code\":99}",
        "{\"v\":1,\"time\":\"2026-11-22T09:00:00Z\",\"event\":\"auth\",\"user\":7}",
        "{\"v\":1,\"time\":\"2026-11-22T09:00:00Z\",\"event\":\"message\",\"recipient\":[1]}",
    };
    static struct mail_event e;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024] = "";
        assert_int_equal(mail_event_read(&e, span_of_text(cases[i].line)), MAIL_EVENT_NOTE);
        assert_true(e.note.t_ms == 1795338000000);
        if (cases[i].note)
            assert_string_equal(render(&e.note, text), cases[i].note);
        else
            assert_true(span_equal(e.note.user, span_of("a\0b", 3)));
    }
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        if (mail_event_read(&e, span_of_text(broken[i])) != MAIL_EVENT_BROKEN)
            fail_msg("taken: %s", broken[i]);
        assert_true(e.error[0] != '\0');
    }
    mail_event_fini(&e);
}

static void test_journal(void **state)
{
    (void)state;
    static struct mail_event e;
    static const char line[] =
        "{\"__REALTIME_TIMESTAMP\":\"1795338000123456\",\"_HOSTNAME\":\"mx1\",\"SYSLOG_"
        "IDENTIFIER\":"
        "\"postfix/smtpd\",\"_PID\":\"7\",\"SYSLOG_PID\":\"8\",\"MESSAGE\":\"connect from "
        "a[192.0.2.7]\"}";
    static const char octets[] = "{\"__REALTIME_TIMESTAMP\":\"1795338000123456\",\"_HOSTNAME\":"
                                 "\"mx1\",\"SYSLOG_IDENTIFIER\":"
                                 "\"postfix/smtpd\",\"_PID\":\"7\",\"MESSAGE\":[97,255,98]}";
    assert_int_equal(mail_event_read(&e, span_of_text(line)), MAIL_EVENT_LINE);
    assert_true(e.line.t_ms == 1795338000123);
    assert_int_equal(e.line.pid, 8);
    assert_true(span_equal_text(e.line.program, "postfix/smtpd"));
    assert_true(span_equal_text(e.line.message, "connect from a[192.0.2.7]"));
    assert_int_equal(mail_event_read(&e, span_of_text(octets)), MAIL_EVENT_LINE);
    assert_true(span_equal_text(e.line.message, "a\xff"
                                                "b"));
    assert_int_equal(e.line.pid, 7);
    assert_int_equal(mail_event_read(&e, span_of_text("{\"__REALTIME_TIMESTAMP\":\"1\"}")),
                     MAIL_EVENT_OTHER);
    assert_int_equal(mail_event_read(&e, span_of_text("{\"MESSAGE\":null}")), MAIL_EVENT_OTHER);
    mail_event_fini(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_postfix),
        cmocka_unit_test(test_exim),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
