// See sasl.h. A challenge is no secret, but only its first octets are looked at.
#include "proto/sasl.h"

#include "proto/base64.h"

bool sasl_is_oauth(struct span mechanism)
{
    return span_begins(mechanism, "XOAUTH") || span_begins(mechanism, "OAUTH");
}

bool sasl_challenge_refuses(struct span base64)
{
    uint8_t text[12];
    size_t len = base64_decode(base64, text, sizeof text), at = 0;
    while (at < len &&
           (text[at] == ' ' || text[at] == '\t' || text[at] == '\r' || text[at] == '\n'))
        at++;
    return at < len && text[at] == '{';
}
