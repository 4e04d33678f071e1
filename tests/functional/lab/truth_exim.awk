# What Exim's main log says happened, summed by client address: "address, log, key, value".
#
# "lab: ADDRESS STAGE clear COMMAND" is written by the access lists (exim.sh) for each command they are asked
# about; refusals, failed passwords and messages taken are lines of Exim's own.
# Sessions inside TLS are not told of here but by what was said in clear.

function add(address, key, n) { count[address, key] += n; seen[address] = 1 }

# The client's address stands in brackets behind "H=(name) ", "H=name " or "H=".
function client(text,    at) {
    if (!match(text, /[ =]\[/)) return ""
    text = substr(text, RSTART + 2)
    return substr(text, 1, index(text, "]") - 1)
}

$3 == "lab:" && $6 == "clear" {
    name = $5
    if (name == "connect") name = "flows"
    else if (name == "predata") name = $7 == "data" ? "smtp.data" : ""
    else name = "smtp." name
    if (name != "") add($4, name, 1)
    if (name == "smtp.mail" && $8 == "null") add($4, "smtp.null_sender", 1)
}

/ (temporarily )?rejected / && match($0, / H=/) && $3 != "lab:" {
    rest = substr($0, RSTART)
    address = client(rest)
    class = index(rest, " temporarily rejected ") ? "4xx" : "5xx"
    if (index(rest, "rejected RCPT ")) add(address, "smtp.rcpt_" class, 1)
    if (index(rest, "rejected MAIL ")) add(address, "smtp.mail_" class, 1)
    if (index(rest, "rejected after DATA")) add(address, "smtp.messages_" class, 1)
    if (index(rest, "rejected STARTTLS")) add(address, "smtp.starttls_refused", 1)
    if (index(rest, "blocked using")) add(address, "smtp.blocklist_replies", 1)
}

# "ID <= SENDER H=(name) [ADDRESS]:PORT ...": taken
$4 == "<=" && match($0, / H=/) { add(client(substr($0, RSTART)), "smtp.messages_ok", 1) }

/ authenticator failed for / { add(client($0), "smtp.auth_failed", 1) }

END {
    keys = "flows smtp.helo smtp.mail smtp.mail_4xx smtp.mail_5xx smtp.null_sender smtp.rcpt smtp.rcpt_ok " \
        "smtp.rcpt_4xx smtp.rcpt_5xx smtp.data smtp.messages_ok smtp.messages_4xx smtp.messages_5xx " \
        "smtp.auth smtp.auth_failed smtp.starttls_ok smtp.vrfy smtp.expn smtp.quit " \
        "smtp.blocklist_replies"
    n = split(keys, key, " ")
    for (address in seen) {
        count[address, "smtp.rcpt_ok"] = count[address, "smtp.rcpt"] - count[address, "smtp.rcpt_4xx"] \
            - count[address, "smtp.rcpt_5xx"]
        count[address, "smtp.starttls_ok"] = count[address, "smtp.starttls"] - count[address, "smtp.starttls_refused"]
        for (i = 1; i <= n; i++)
            printf "%s\tlog\t%s\t%d\n", address, key[i], count[address, key[i]]
    }
}
