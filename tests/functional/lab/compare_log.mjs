// What Postfix or Exim logged against what went over the wire, client by client: the minutes that come of the log
// against the flows that the packets show. Where a session is inside TLS only the log can say.
//
// usage: compare_log.mjs LAB [SERVER]   (flows.json, log.rows; SERVER: postfix or exim)
import fs from "node:fs";
import path from "node:path";
import process from "node:process";

const lab = process.argv[2];
const lines = (name) =>
    fs
        .readFileSync(path.join(lab, name), "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));

const server = process.argv[3] ?? "postfix";
// Every address at which it answers.
const servers = { postfix: /^(198\.51\.100\.2[5-9]|fd77:2::25)$/, exim: /^198\.51\.100\.30$/ }[server];
const counters = ["messages_ok", "auth", "auth_failed", "rcpt_4xx", "rcpt_5xx"];

// What the server does not log.
const unloggedBy = {
    postfix: [
        ["10.77.1.37 rcpt_5xx", "commands out of their order are refused without a line"],
        ["10.77.1.56 auth", "a client that hangs up instead of answering has no line of its own"],
        ["10.77.1.56 auth_failed", "and no line of its refusal"],
    ],
    exim: [["10.77.1.37 rcpt_5xx", "commands out of their order are no recipients for it"]],
};
const unlogged = new Map(unloggedBy[server]);

const wire = new Map();
const log = new Map();
const hidden = new Set();

function add(to, client, counter, n) {
    const key = `${client} ${counter}`;
    to.set(key, (to.get(key) ?? 0) + n);
}

for (const flow of lines("flows.json")) {
    if (!servers.test(flow.responder.addr)) continue;
    const client = flow.initiator.addr;
    if (!flow.smtp || flow.smtp.starttls === "accepted" || flow.app === "smtps") hidden.add(client);
    for (const counter of counters) add(wire, client, counter, flow.smtp?.[counter] ?? 0);
}

let mailboxes = 0;
let mailboxMessages = 0;
for (const row of lines("log.rows")) {
    if (row.kind !== "row") continue;
    const counts = row.counters["smarthost/out"] ?? {};
    if (row.subscriber.startsWith("mailbox:")) {
        mailboxes++;
        mailboxMessages += counts.messages_ok ?? 0;
        continue;
    }
    const client = row.subscriber.replace(/^client:/, "");
    for (const counter of counters) add(log, client, counter, counts[counter] ?? 0);
}

let compared = 0;
let wrong = 0;
let more = 0;
const unused = new Set(unlogged.keys());
for (const key of new Set([...wire.keys(), ...log.keys()])) {
    const client = key.split(" ")[0];
    const [w, l] = [wire.get(key) ?? 0, log.get(key) ?? 0];
    compared++;
    if (unlogged.has(key) && l < w) {
        unused.delete(key);
    } else if (hidden.has(client) ? l < w : l !== w) {
        console.log(`${key}: ${w} on the wire, ${l} in the log`);
        wrong++;
    }
    if (hidden.has(client) && l > w) more++;
}
for (const key of unused) console.log(`${key}: is logged by now (${unlogged.get(key)})`);
console.log(
    `the log against the wire: ${compared} counts compared, ${wrong} wrong; ${more} that TLS hid; ` +
        `${mailboxMessages} messages of ${mailboxes} mailboxes`,
);
// Without sessions inside TLS, or without a mailbox, the log was not needed, and nothing was tried.
process.exit(wrong === 0 && unused.size === 0 && more > 0 && mailboxMessages > 0 ? 0 : 1);
