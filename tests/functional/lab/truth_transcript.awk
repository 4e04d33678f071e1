# What a client's transcript (swaks, curl -v, talk.mjs) says was spoken in clear: "address, transcript,
# key, value". Commands are paired with replies in their order. In swaks' transcripts lines inside
# TLS have a tilde in their mark and so are passed over.
# Variables: address; lmtp=1: a message is answered once for each accepted recipient.

function add(key, n) { count[key] += n }

function command(line,    verb) {
    if (content) return                      # a line of the message
    if (more_auth) { more_auth = 0; queue[++last] = "AUTH"; return }
    verb = toupper(line)
    sub(/[ \r].*/, "", verb)
    if (verb ~ /^(HELO|EHLO|LHLO)$/) verb = "HELO"
    queue[++last] = verb
    if (index(known, " " verb " ")) add("smtp." tolower(verb), 1)
    if (verb == "MAIL" && line ~ /<>/) add("smtp.null_sender", 1)
    if (verb == "BDAT") { if (toupper(line) ~ /LAST/) queue[last] = "BDAT LAST"; }
}

function message(class) {
    if (class == 2 || best == 2) best = 2
    else if (best == 0) best = class
    if (--answers > 0) return
    add(best == 2 ? "smtp.messages_ok" : "smtp.messages_" best "xx", 1)
    best = 0
    accepted = 0
}

function reply(line,    code, class, verb) {
    code = substr(line, 1, 3)
    if (code !~ /^[2-5][0-9][0-9]$/ || substr(line, 4, 1) == "-") return
    class = substr(code, 1, 1)
    if (!greeted) { greeted = 1; add("smtp.banner_code", code + 0); return }
    if (code == 421) add("smtp.reply_421", 1)
    if (content || answers > 0) {
        if (content) { content = 0; answers = lmtp ? accepted : 1 }
        message(class)
        return
    }
    if (first > last) return
    verb = queue[first++]
    if (verb == "RCPT") {
        add(class == 2 ? "smtp.rcpt_ok" : "smtp.rcpt_" class "xx", 1)
        if (class == 2) accepted++
    } else if (verb == "MAIL" && class > 3) add("smtp.mail_" class "xx", 1)
    else if (verb == "DATA" && code == 354) content = 1
    else if (verb == "BDAT LAST") { answers = lmtp ? accepted : 1; message(class) }
    else if (verb == "AUTH" && code == 334) {
        more_auth = 1
        # {"status":"...: a token refused in the challenge; the reply that may follow says it a second time
        if (substr(line, 5) ~ /^eyJzdGF0dXMiOi/) { refused = 1; add("smtp.auth_failed", 1) }
    } else if (verb == "AUTH") {
        if (class > 3 && !refused) add("smtp.auth_failed", 1)
        refused = 0
    }
    else if (verb == "STARTTLS" && class == 2) add("smtp.starttls_ok", 1)
    else if (verb == "RSET" || verb == "HELO") accepted = 0
}

BEGIN { first = 1; known = " HELO MAIL RCPT DATA BDAT AUTH STARTTLS VRFY EXPN QUIT RSET " }
{ sub(/\r$/, "") }
/^=== Trying/ || /^=== Connected/ { next }
# What was said to a proxy before it granted the tunnel is no mail.
/^\* CONNECT phase completed/ { first = 1; last = 0; delete count; next }
/^ -> / { command(substr($0, 5)); next }
/^> / { command(substr($0, 3)); next }
/^<(-|\*\*) / { line = $0; sub(/^<(-|\*\*) +/, "", line); reply(line); next }
/^< / { reply(substr($0, 3)); next }
# curl ends with a QUIT that it does not write down.
/^\* Connection #0 to host .* left intact/ { if (greeted) add("smtp.quit", 1) }
END {
    if (!greeted) exit
    keys = "smtp.helo smtp.mail smtp.mail_4xx smtp.mail_5xx smtp.null_sender smtp.rcpt smtp.rcpt_ok " \
        "smtp.rcpt_4xx smtp.rcpt_5xx smtp.data smtp.bdat smtp.messages_ok smtp.messages_4xx " \
        "smtp.messages_5xx smtp.auth smtp.auth_failed smtp.starttls_ok smtp.vrfy smtp.expn smtp.quit " \
        "smtp.rset smtp.banner_code smtp.reply_421"
    n = split(keys, key, " ")
    for (i = 1; i <= n; i++) printf "%s\ttranscript\t%s\t%d\n", address, key[i], count[key[i]]
}
