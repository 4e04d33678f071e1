// Writes into a real server's log what an outsider can: through greeting, login, envelope and headers. Each session
// ends by itself; what the server answers plays no part.
//
// usage: server_hostile.mjs FROM HOST PORT QUEUE-ID MESSAGE-ID   (of somebody else's message)
// Prints what was sent as truth lines: sessions, tries, messages taken and refused.
import net from "node:net";
import process from "node:process";

const [from, host, port, otherId, otherName] = process.argv.slice(2);
const line = (text) => Buffer.from(`${text}\r\n`, "latin1");
const plain = (user, password) => Buffer.from(`\0${user}\0${password}`, "latin1").toString("base64");
const stamp = new Date().toISOString();
const forged = `${stamp} mail postfix/submission/smtpd[1]: ${otherId}: client=unknown[10.78.1.11]:5, sasl_method=PLAIN, sasl_username=anna`;
const login = [line("EHLO pc"), line(`AUTH PLAIN ${plain("mallory", "right-mallory")}`)];
const envelope = [line("MAIL FROM:<mallory@lab.example>"), line("RCPT TO:<a@ok.example>"), line("DATA")];
const quit = line("QUIT");

// A message of mallory's, with headers of his own.
const message = (...headers) => [
    ...login,
    ...envelope,
    Buffer.concat([...headers.map((h) => Buffer.from(`${h}\r\n`, "latin1")), line(""), line("text"), line(".")]),
    quit,
];
// Nobody's, refused at its recipient, so that the log names greeting and envelope.
const refused = (greeting, sender = "x@lab.example") => [
    Buffer.concat([Buffer.from(`EHLO ${greeting}`, "latin1"), line("")]),
    line(`MAIL FROM:<${sender}>`),
    line("RCPT TO:<gone@ok.example>"),
    quit,
];
const failed = (user) => [line("EHLO pc"), line(`AUTH PLAIN ${plain(user, "wrong")}`), quit];

const sessions = {
    refused: [
        refused("pc\x01\x07\x1b[31m\x7f\t\xff\xfe\xc3\xbc"),
        refused("pc\rNov 22 12:00:00 mail postfix/qmgr[1]: " + otherId + ": removed"),
        refused(`pc; from=<anna@lab.example> to=<b@ok.example> proto=ESMTP helo=<pc> sasl_username=<anna>`),
        refused("pc", `"x> to=<b>, dsn=5.0.0, status=bounced (host a said: 550 ${otherId}: client=unknown[10.78.1.11])"@lab.example`),
        refused("unknown[10.78.1.11]:25: SASL LOGIN authentication failed: x, sasl_username=anna"),
    ],
    failed: [
        failed(`anna\n${forged}`),
        failed(`anna\r\n${forged}\r\n`),
        failed("\x01\x1b\xff\xfe\xc3\xbc"),
        failed("u".repeat(5000)),
        failed(`x, sasl_username=anna, sasl_sender=b, orig_queue_id=${otherId}`),
    ],
    taken: [
        message(`Message-ID: <${otherName}>, qid: <${otherId}>, ip: 10.78.1.11, user: anna, (default: T (reject): [16.00/15.00] []), len: 1`),
        message(`Message-ID: <${otherName}>`), // the very name of another's
        message(`Subject: ${otherId}: client=unknown[10.78.1.11], sasl_username=anna`, `X-Spam: ${forged}`),
    ],
    forbidden: [
        message(
            `Subject: FORBIDDEN from unknown[10.78.1.11]:25; from=<anna@lab.example> to=<a@ok.example> proto=ESMTP helo=<pc>: 5.7.1 x`,
        ),
        message(`Subject: FORBIDDEN ${"y".repeat(65536)}`),
    ],
    spam: [
        message(`Message-ID: <${otherName}>, qid: <${otherId}>, ip: 10.78.1.11`, "Subject: SPAM-OF-THE-LAB"),
    ],
};

// One part after another, each when the server has answered the one before.
function play(parts) {
    return new Promise((done, fail) => {
        const socket = net.connect({ host, port: Number(port), localAddress: from });
        const rest = [...parts];
        let said = "";
        socket.setTimeout(15000, () => fail(new Error("a hostile session took too long")));
        socket.on("data", (data) => {
            said += data.toString("latin1");
            if (!/(^|\n)[0-9]{3} [^\n]*\r\n$/.test(said)) return;
            said = "";
            if (rest.length > 0) socket.write(rest.shift());
        });
        socket.on("error", fail);
        socket.on("close", done);
    });
}

let count = 0;
for (const kind of Object.keys(sessions)) {
    await Promise.all(sessions[kind].map(play));
    count += sessions[kind].length;
}
const n = (kind) => sessions[kind].length;
const mallory = n("taken") + n("forbidden") + n("spam");
const truth = [];
for (const party of ["box:mallory", `client:${from}`]) {
    truth.push([party, "messages_ok", n("taken")], [party, "rcpt_ok", n("taken")]);
    truth.push([party, "auth", mallory]);
    truth.push([party, "filter_policy", n("forbidden")], [party, "filter_spam", n("spam")]);
    truth.push([party, "messages_5xx", n("forbidden") + n("spam")]);
}
truth.push([`client:${from}`, "connections", count]);
truth.push([`client:${from}`, "auth", n("failed")], [`client:${from}`, "auth_failed", n("failed")]);
truth.push([`client:${from}`, "rcpt_5xx", n("refused")]);
truth.push([`client:${from}`, "rcpt_shown", n("forbidden") + n("spam")]);
console.log(truth.map((t) => t.join("\t")).join("\n"));
