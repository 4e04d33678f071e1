# What Postfix's log says happened, summed by client address: "address, log, key, value".
#
# smtpd ends a session with "disconnect from unknown[ADDRESS]:PORT ehlo=1 mail=1 rcpt=2/3 ...":
# "2/3" is two that succeeded of three; a single number means that all did. Rejections are lines of
# their own with the stage and the reply; qmgr tells of every message that was taken.

function add(address, key, n) { count[address, key] += n; seen[address] = 1 }

function between(text, left, right,    at) {
    at = index(text, left)
    if (at == 0) return ""
    text = substr(text, at + length(left))
    at = index(text, right)
    return at == 0 ? text : substr(text, 1, at - 1)
}

/ disconnect from unknown\[/ {
    address = between($0, "disconnect from unknown[", "]")
    add(address, "flows", 1)
    for (i = 1; i <= NF; i++) {
        if ($i !~ /^[a-z]+=[0-9]+(\/[0-9]+)?$/) continue
        split($i, pair, "=")
        parts = split(pair[2], n, "/")
        total = parts == 2 ? n[2] : n[1]
        name = pair[1] == "ehlo" || pair[1] == "lhlo" ? "helo" : pair[1]
        if (name == "commands" || name == "noop" || name == "help") continue
        add(address, "smtp." name, total)
        if (name == "rcpt") add(address, "smtp.rcpt_ok", n[1])
        if (name == "auth") add(address, "smtp.auth_failed", total - n[1])
        if (name == "starttls") add(address, "smtp.starttls_ok", n[1])
    }
}

/ reject: [A-Z-]+ from unknown\[/ {
    stage = between($0, "reject: ", " from")
    rest = substr($0, index($0, " from unknown["))
    address = between(rest, "unknown[", "]")
    match(rest, /: [45][0-9][0-9] /)
    class = substr(rest, RSTART + 2, 1) "xx"
    if (stage == "RCPT") add(address, "smtp.rcpt_" class, 1)
    if (stage == "MAIL") add(address, "smtp.mail_" class, 1)
    if (stage == "END-OF-MESSAGE") add(address, "smtp.messages_" class, 1)
    if (index(rest, "blocked using")) add(address, "smtp.blocklist_replies", 1)
}

/ too many errors after | 421 / {
    if (index($0, "unknown[")) add(between($0, "unknown[", "]"), "smtp.reply_421", 1)
}

/smtpd\[[0-9]+\]: [0-9A-F]+: client=unknown\[/ {
    id = between(substr($0, index($0, "]: ")), "]: ", ":")
    client[id] = between($0, "client=unknown[", "]")
}

/qmgr\[[0-9]+\]: [0-9A-F]+: from=<.*queue active/ {
    id = between(substr($0, index($0, "]: ")), "]: ", ":")
    if (id in client) {
        add(client[id], "smtp.messages_ok", 1)
        if (index($0, "from=<>")) add(client[id], "smtp.null_sender", 1)
    }
}

# Postfix as an LMTP client: a line for each recipient, and which command was answered so.
/ postfix\/lmtp\[[0-9]+\]: [0-9A-F]+: to=</ {
    address = "postfix"
    id = between(substr($0, index($0, "]: ")), "]: ", ":")
    if (!(id in delivered)) {
        delivered[id] = 1
        split("flows smtp.helo smtp.mail smtp.data smtp.quit smtp.messages_ok", once, " ")
        for (i in once) add(address, once[i], 1)
    }
    add(address, "smtp.rcpt", 1)
    if (!index($0, "in reply to RCPT TO")) add(address, "smtp.rcpt_ok", 1)
    else add(address, "smtp.rcpt_" (index($0, "status=bounced") ? "5xx" : "4xx"), 1)
}

END {
    keys = "flows smtp.helo smtp.mail smtp.mail_4xx smtp.mail_5xx smtp.null_sender smtp.rcpt " \
        "smtp.rcpt_ok smtp.rcpt_4xx smtp.rcpt_5xx smtp.data smtp.bdat smtp.messages_ok " \
        "smtp.messages_4xx smtp.messages_5xx smtp.auth smtp.auth_failed smtp.starttls_ok smtp.vrfy " \
        "smtp.quit smtp.rset smtp.blocklist_replies smtp.unknown smtp.reply_421"
    keys_n = split(keys, key, " ")
    for (address in seen)
        for (i = 1; i <= keys_n; i++)
            printf "%s\tlog\t%s\t%d\n", address, key[i], count[address, key[i]]
}
