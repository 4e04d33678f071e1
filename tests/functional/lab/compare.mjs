// Holds what the sensor counted, summed by the scene's address, against every line of truth.
// usage: compare.mjs LAB [FACTS] (the folder inside.sh filled; at least so many facts have to be known).
// Prints each difference by scene and source.
import fs from "node:fs";
import path from "node:path";

const lab = process.argv[2];
const leastTruth = Number(process.argv[3] ?? 500);
const lines = (name) => {
    const file = path.join(lab, name);
    return fs.existsSync(file) ? fs.readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
};

// The scene whose address stands at the other end: the servers come to it.
const scenes = new Map(lines("scenes.tsv").map((line) => line.split("\t")));
const elsewhere = new Map([
    ["198.51.100.39", "10.77.1.39"],
    ["198.51.100.25", "postfix"],
    ["198.51.100.30", "exim"],
]);
const sceneOf = (flow) => elsewhere.get(flow.initiator.addr) ?? flow.initiator.addr;

const flows = new Map();
for (const line of lines("flows.json")) {
    const flow = JSON.parse(line);
    const address = sceneOf(flow);
    if (!flows.has(address)) flows.set(address, []);
    flows.get(address).push(flow);
}

const isCount = (key) => key.startsWith("smtp.") && key !== "smtp.banner_code";

// The value of "smtp.rcpt": counts are added up, facts listed.
function valueOf(address, key) {
    const of = flows.get(address) ?? [];
    if (key === "flows") return String(of.length);
    const parts = key === "smtp.starttls_state" ? ["smtp", "starttls"] : key.split(".");
    const values = of.map((flow) => parts.reduce((o, part) => o?.[part], flow));
    if (values.every((v) => v === undefined)) return isCount(key) ? "0" : "nothing";
    if (isCount(key) && values.some((v) => typeof v === "number"))
        return String(values.reduce((sum, v) => sum + (v ?? 0), 0));
    return [...new Set(values.filter((v) => v !== undefined).map(String))].sort().join(",");
}

// ---- Truth: source and value by address and key.

const truth = [];
const add = (address, source, key, value) => truth.push({ address, source, key, value });
for (const line of lines("truth_scenes.tsv")) add(...line.split("\t"));
const byLog = new Set(lines("by_log"));
const logged = new Set();
const logs = [
    ...lines("truth_postfix.tsv"),
    // The one at home names the other as its client.
    ...lines("truth_exim.tsv").map((line) => line.replace(/^198\.51\.100\.30\t/, "exim\t")),
];
for (const line of logs) {
    const [address, ...rest] = line.split("\t");
    if (!byLog.has(address)) continue;
    logged.add(address);
    add(address, ...rest);
}
// Transcripts of several sessions of one scene add up.
const transcripts = new Map();
for (const line of lines("truth_transcripts.tsv")) {
    const [address, , key, value] = line.split("\t");
    const id = `${address}\t${key}`;
    const before = transcripts.get(id);
    transcripts.set(id, key.endsWith("banner_code") ? value : String(Number(before ?? 0) + Number(value)));
}
for (const [id, value] of transcripts) {
    const [address, key] = id.split("\t");
    add(address, "transcript", key, value);
}

// "TLS connection established from unknown[10.77.1.41]:40112: TLSv1.3 with cipher TLS_AES_... "
const versions = { "TLSv1.2": 0x0303, "TLSv1.3": 0x0304, "TLS1.2": 0x0303, "TLS1.3": 0x0304 };
const suites = new Map([
    ["TLS_AES_256_GCM_SHA384", 0x1302],
    ["TLS_CHACHA20_POLY1305_SHA256", 0x1303],
    ["TLS_AES_128_GCM_SHA256", 0x1301],
    ["ECDHE-RSA-AES256-GCM-SHA384", 0xc030],
    ["ECDHE-RSA-AES128-GCM-SHA256", 0xc02f],
    ["ECDHE-RSA-CHACHA20-POLY1305", 0xcca8],
    ["TLS1.3 AES_256_GCM", 0x1302],
    ["TLS1.3 CHACHA20_POLY1305", 0x1303],
    ["TLS1.3 AES_128_GCM", 0x1301],
    ["TLS1.2 AES_256_GCM", 0xc030],
    ["TLS1.2 AES_128_GCM", 0xc02f],
    ["TLS1.2 CHACHA20_POLY1305", 0xcca8],
]);
const tlsByLog = new Set(lines("tls_by_log"));
const tlsSeen = new Set();
const established = [
    /TLS connection established from unknown\[([^\]]+)\]\S* (TLSv[0-9.]+) with cipher (\S+)/,
    // The last that Exim says of a session, with GnuTLS' names:
    // "lab: 10.77.1.41 quit TLS1.3:ECDHE_X25519__RSA_PSS_RSAE_SHA256__AES_256_GCM:256 quit"
    /lab: (\S+) quit (TLS[0-9.]+):ECDHE_\w+__RSA_\w+__(\w+):/,
];
for (const line of [...lines("mail.log"), ...lines("exim/mainlog")]) {
    const found = established.map((form) => form.exec(line)).find(Boolean);
    if (!found || !tlsByLog.has(found[1])) continue;
    tlsSeen.add(found[1]);
    add(found[1], "log", "tls.version", String(versions[found[2]]));
    add(found[1], "log", "tls.cipher", String(suites.get(found[3]) ?? suites.get(`${found[2]} ${found[3]}`)));
}

// ---- Comparison.

let wrong = 0;
const fail = (text) => {
    wrong++;
    console.log(text);
};
for (const address of byLog)
    if (!logged.has(address)) fail(`${scenes.get(address)}: the server's log says nothing of ${address}`);
for (const address of tlsByLog)
    if (!tlsSeen.has(address)) fail(`${scenes.get(address)}: the server's log knows no TLS with ${address}`);
for (const { address, source, key, value } of truth) {
    const counted = valueOf(address, key);
    if (counted !== value)
        fail(`${scenes.get(address) ?? "?"} (${address}): ${key} ${counted} (${source}: ${value})`);
}
// Nobody else was on the wire.
for (const address of flows.keys())
    if (!scenes.has(address)) fail(`a flow of ${address}, which is no scene`);
// What is whole is said to be whole.
for (const [address, of] of flows)
    for (const flow of of)
        if (flow.handshake === "established" && !flow.complete)
            fail(`${scenes.get(address)}: said to be incomplete (${flow.incomplete}), port ${flow.initiator.port}`);

const sessions = [...flows.values()].reduce((n, of) => n + of.length, 0);
console.log(`${scenes.size} scenes, ${sessions} flows, ${truth.length} facts compared, ${wrong} wrong`);
if (truth.length < leastTruth) fail("too little truth to compare with: did the servers run?");
process.exit(wrong === 0 ? 0 : 1);
