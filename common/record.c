// Names of the values in records, as `--print`, pages and documents spell them.
#include "common/record.h"

#include <stddef.h>

static const char *name_of(const char *const *names, size_t count, unsigned value)
{
    return value < count ? names[value] : NULL;
}

#define NAME_OF(names, value) name_of(names, sizeof(names) / sizeof *(names), value)

const char *record_app_name(unsigned app)
{
    static const char *const names[RECORD_APP_N] = {
        [RECORD_APP_UNKNOWN] = "unknown", [RECORD_APP_SMTP] = "smtp",
        [RECORD_APP_SMTPS] = "smtps",     [RECORD_APP_LMTP] = "lmtp",
        [RECORD_APP_SOCKS4] = "socks4",   [RECORD_APP_SOCKS4A] = "socks4a",
        [RECORD_APP_SOCKS5] = "socks5",   [RECORD_APP_POP3] = "pop3",
        [RECORD_APP_POP3S] = "pop3s",     [RECORD_APP_IMAP] = "imap",
        [RECORD_APP_IMAPS] = "imaps",     [RECORD_APP_DNS] = "dns",
        [RECORD_APP_TLS] = "tls",         [RECORD_APP_HTTP] = "http",
        [RECORD_APP_SSH] = "ssh",         [RECORD_APP_OTHER] = "other",
    };
    return NAME_OF(names, app);
}

const char *record_handshake_name(unsigned handshake)
{
    static const char *const names[] = {
        [RECORD_HANDSHAKE_PENDING] = "pending",
        [RECORD_HANDSHAKE_ESTABLISHED] = "established",
        [RECORD_HANDSHAKE_REFUSED] = "refused",
        [RECORD_HANDSHAKE_UNANSWERED] = "unanswered",
        [RECORD_HANDSHAKE_ICMP] = "icmp",
        [RECORD_HANDSHAKE_CLOSED_EARLY] = "closed-early",
        [RECORD_HANDSHAKE_MIDSTREAM] = "midstream",
    };
    return NAME_OF(names, handshake);
}
