// What the minutes say against what was sent, mailbox by mailbox and client by client. Every counter is compared of
// everybody who has a row: what was not sent must not be there.
//
// usage: server_compare.mjs LAB
import fs from "node:fs";
import path from "node:path";
import process from "node:process";

const lab = process.argv[2];
const read = (name) => fs.readFileSync(path.join(lab, name), "utf8").trim().split("\n");
const table = (name) => read(name).map((line) => line.split("\t"));

const counters = [
    ...["connections", "messages_ok", "messages_4xx", "messages_5xx", "rcpt_ok", "rcpt_4xx", "rcpt_5xx"],
    ...["auth", "auth_failed", "filter_spam", "filter_virus", "filter_policy", "deferred", "bounces"],
    ...["destination_5xx", "destination_blocklist", "blocklist_exploit", "blocklist_policy", "blocklist_unknown"],
];
const sets = ["client_networks", "client_countries"];

const truth = new Map();
for (const [who, what, n] of table("truth.tsv")) {
    const key = `${who} ${what}`;
    truth.set(key, (truth.get(key) ?? 0) + Number(n));
}
const of = (who, what) => truth.get(`${who} ${what}`) ?? 0;

// A row's subscriber in the words of the scenes.
const boxes = new Map(table("mailboxes.tsv").map(([party, name]) => [party, `box:${name.replace("@lab.example", "")}`]));
const networks = { "client:203.0.113.0/24": "203.0.113.7", "client:192.0.2.0/24": "192.0.2.7" };
Object.assign(networks, { "client:198.18.0.0/24": "198.18.0.7", "client:198.19.0.0/24": "198.19.0.7" });
const nameOf = (subscriber) =>
    boxes.get(subscriber) ?? `client:${networks[subscriber] ?? (subscriber.startsWith("fd77:9:") ? "fd77:9::10" : subscriber)}`;

function load(name) {
    const sums = new Map();
    const add = (key, n) => sums.set(key, (sums.get(key) ?? 0) + n);
    for (const row of read(`${name}.rows`).map((line) => JSON.parse(line))) {
        if (row.kind !== "row") continue;
        const who = nameOf(row.subscriber);
        const counts = row.counters["smarthost/out"] ?? {};
        for (const what of [...counters, "packets_up", "tls_sessions"]) add(`${who} ${what}`, counts[what] ?? 0);
        for (const what of sets) {
            const n = row.sets?.[what] ?? 0;
            if (who.startsWith("box:")) sums.set(`${who} ${what}`, Math.max(sums.get(`${who} ${what}`) ?? 0, n));
        }
    }
    return sums;
}

const parties = new Set([...truth.keys()].map((key) => key.split(" ")[0]));
let compared = 0;
let wrong = 0;

function check(source, who, what, expected, got) {
    compared++;
    if (expected === got) return;
    console.log(`${source}: ${who} ${what}: ${expected} sent, ${got} counted`);
    wrong++;
}

const totals = {};
for (const source of ["log", "both", "files", "journal"]) {
    const sums = load(source);
    const everybody = new Set([...parties, ...[...sums.keys()].map((key) => key.split(" ")[0])]);
    for (const who of everybody)
        for (const what of counters) {
            // A session in clear shows recipients taken of a message that is refused in the end; no log names them.
            const shown = what === "rcpt_ok" && source === "both" && who.startsWith("client:") ? of(who, "rcpt_shown") : 0;
            check(source, who, what, of(who, what) + shown, sums.get(`${who} ${what}`) ?? 0);
        }
    for (const what of sets) check(source, "box:eve", what, of("box:eve", what), sums.get(`box:eve ${what}`) ?? 0);
    totals[source] = sums;
}

// The packets alone: each connection of a subscriber's, and of messages only those in clear.
const wire = load("wire");
let hidden = 0;
let filled = 0;
for (const who of parties) {
    if (!who.startsWith("client:10.78.") || who === "client:10.78.1.40") continue;
    check("wire", who, "connections", of(who, "connections"), wire.get(`${who} connections`) ?? 0);
    hidden += of(who, "messages_ok") - (wire.get(`${who} messages_ok`) ?? 0);
    check("both", who, "packets", wire.get(`${who} packets_up`) ?? 0, totals.both.get(`${who} packets_up`) ?? 0);
    filled += (totals.log.get(`${who} packets_up`) ?? 0) === 0 && (totals.both.get(`${who} packets_up`) ?? 0) > 0 ? 1 : 0;
}
const messages = [...parties].filter((who) => who.startsWith("box:")).reduce((n, who) => n + of(who, "messages_ok"), 0);
console.log(
    `${compared} counts compared, ${wrong} wrong: ${boxes.size} mailboxes with ${messages} messages; ` +
        `${hidden} messages that TLS hid from the packets came from the log, packets of ${filled} clients from the wire`,
);
process.exit(wrong === 0 && boxes.size === 7 && messages > 10 && hidden > 5 && filled > 5 ? 0 : 1);
