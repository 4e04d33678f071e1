// The property: one and the same traffic, whatever lies around its packets and however they are cut,
// ordered or doubled, gives the same counts; with packets lost nothing is counted that was not there,
// and what is less is said to be incomplete.
//
// usage: run.mjs --bin FOLDER --mangle PROGRAM --scenario FILE [--shared FOLDER] [--only SUBSTRING]
//                [--seed N] [--keep FOLDER]
//
// A generated capture always runs, the shared captures when they are there: all of them in one file,
// an hour apart (see main.c), so that an operation costs one run of the sensor. exceptions.tsv
// explains, one by one, where the property does not hold; an exception that is not needed is a failure.
// --seed N looks at other random numbers; exceptions that are not needed then are none.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";

const here = path.dirname(new URL(import.meta.url).pathname);
const { values: option } = parseArgs({
    options: {
        bin: { type: "string" },
        mangle: { type: "string" },
        scenario: { type: "string" },
        shared: { type: "string", default: "" },
        only: { type: "string", default: "" },
        seed: { type: "string", default: "0" },
        keep: { type: "string", default: "" },
    },
});

// What has to be the same: everything that is said of a flow but for these.
const AROUND = ["encap", "realm"];
const IN_PIECES = [...AROUND, "packets", "octets", "duplicates"];
const IN_DISORDER = ["packets", "octets", "duplicates", "end", "start", "time_to_close_ms", "syn_count"];

const MAIL_PORTS = [25, 465, 587, 2525];

const operations = [
    { name: "qinq-pppoe", except: AROUND },
    { name: "mpls", except: AROUND },
    { name: "pseudowire", except: AROUND },
    { name: "vxlan", except: AROUND },
    { name: "gre", except: AROUND },
    { name: "erspan", except: AROUND },
    { name: "ipip", except: AROUND },
    { name: "ds-lite", except: AROUND },
    { name: "fragments", except: IN_PIECES },
    { name: "segments", except: IN_PIECES },
    { name: "shuffle", except: IN_DISORDER },
    { name: "double", except: ["duplicates", "end", "packets", "octets"], packets: 1.01 },
    { name: "fragments shuffle qinq-pppoe", except: [...IN_PIECES, ...IN_DISORDER] },
    { name: "drop", loss: true },
    { name: "drop", seed: 2, loss: true },
    { name: "drop=500", seed: 3, loss: true },
    { name: "segments drop", seed: 4, loss: true },
];

function stop(text) {
    console.error(`mangle: ${text}`);
    process.exit(1);
}

function run(program, args, what) {
    const p = spawnSync(program, args, { encoding: "utf8", maxBuffer: 1 << 30, timeout: 120000 });
    if (p.error) stop(`${what}: ${p.error.message}`);
    // 65: a capture is cut short, and is read as far as it goes.
    if (p.signal || ![0, 65].includes(p.status) || /Sanitizer|runtime error/.test(p.stderr))
        stop(`${what}: ended with ${p.signal ?? p.status}: ${p.stderr.slice(-2000)}`);
    return p;
}

const folder = option.keep || fs.mkdtempSync(path.join(os.tmpdir(), "postern-mangle-"));
fs.mkdirSync(folder, { recursive: true });
process.on("exit", () => option.keep || fs.rmSync(folder, { recursive: true, force: true }));

// ---- Flows of a capture, by slot and pair of ends.

let slots = []; // [begin in ms, name], in order of time

function slotOf(time) {
    const ms = Date.parse(time);
    let name = slots[0][1];
    for (const [begin, slot] of slots) {
        if (begin > ms) break;
        name = slot;
    }
    return name;
}

function endText(end) {
    return `${end.addr}:${end.port}`;
}

function keyOf(flow) {
    const ends = [endText(flow.initiator), endText(flow.responder)].sort();
    return `${slotOf(flow.start)} ${ends.join(" ")}`;
}

function flowsOf(capture) {
    const p = run(path.join(option.bin, "postern-sensor"), ["-r", capture, "--print", "flows"], "sensor");
    const flows = new Map();
    for (const line of p.stdout.split("\n")) {
        if (!line) continue;
        const flow = JSON.parse(line);
        const key = keyOf(flow);
        if (!flows.has(key)) flows.set(key, []);
        flows.get(key).push(flow);
    }
    return flows;
}

// ---- Comparison. A flow becomes "smtp.rcpt" -> value; flows of one key are added up.

function flatten(value, name, out, except) {
    if (value === null || typeof value !== "object" || Array.isArray(value)) {
        const text = typeof value === "number" ? value : JSON.stringify(value);
        if (typeof text === "number" && !/version|cipher|port$|method|reply$|banner|alert/.test(name))
            out.set(name, (out.get(name) ?? 0) + text);
        else out.set(name, [...(out.get(name) ?? []), text].sort());
        return;
    }
    for (const key of Object.keys(value))
        if (!except.includes(key)) flatten(value[key], name ? `${name}.${key}` : key, out, except);
}

function summed(flows, except) {
    const out = new Map([["flows", flows.length]]);
    for (const flow of flows) flatten(flow, "", out, except);
    return out;
}

function differences(before, after, except) {
    const a = summed(before, except);
    const b = summed(after, except);
    const found = [];
    for (const name of new Set([...a.keys(), ...b.keys()])) {
        const was = JSON.stringify(a.get(name));
        const is = JSON.stringify(b.get(name));
        if (was !== is) found.push({ name, text: `${is} (was ${was})` });
    }
    return found;
}

function packetsOf(flows) {
    return [...flows.values()].flat().reduce((sum, f) => sum + f.packets[0] + f.packets[1], 0);
}

// Never more than there was; less only where it is said.
function invented(before, after) {
    const complete = after.length > 0 && after.every((flow) => flow.complete);
    const sum = (flows) => {
        const parts = flows.map((f) => ({ smtp: f.smtp, socks: f.socks && { granted: f.socks.granted } }));
        const out = new Map();
        for (const part of parts) flatten(part, "", out, []);
        return out;
    };
    const a = sum(before);
    const b = sum(after);
    const found = [];
    for (const [name, is] of b) {
        const was = a.get(name) ?? 0;
        if (typeof is === "number" && is > was) found.push({ name, text: `${is} (was ${was})` });
    }
    if (complete)
        for (const [name, was] of a)
            if (typeof was === "number" && (b.get(name) ?? 0) < was)
                found.push({ name, text: `${b.get(name) ?? 0} (was ${was}) and said to be complete` });
    const apps = new Set(before.map((f) => f.app));
    for (const flow of after)
        if (flow.app !== "unknown" && !apps.has(flow.app))
            found.push({ name: "app", text: `${flow.app} (was ${[...apps]})` });
    // On another port a flow is told only when it is recognised, which the lost packet may prevent.
    const mail = before.some((f) => MAIL_PORTS.includes(f.responder.port) && f.packets[0] + f.packets[1] > 6);
    if (after.length === 0 && mail) found.push({ name: "flows", text: "no word of one of more than six packets" });
    return found;
}

// ---- Exceptions: operation, capture, ends, what differs, why. In all but the last * stands for anything.

const glob = (text) =>
    new RegExp(`^${text.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`);

const exceptions = fs
    .readFileSync(path.join(here, "exceptions.tsv"), "utf8")
    .split("\n")
    .filter((line) => line && !line.startsWith("#"))
    .map((line) => {
        const fields = line.split("\t");
        if (fields.length !== 5 || !fields[4]) stop(`exceptions.tsv: not five fields: ${line}`);
        return { line, match: fields.slice(0, 4).map(glob), used: 0 };
    });

function excused(operation, key, name) {
    const space = key.indexOf(" ");
    const facts = [operation, key.slice(0, space), key.slice(space + 1), name];
    const hit = exceptions.find((e) => e.match.every((pattern, i) => pattern.test(facts[i])));
    if (hit) hit.used++;
    return Boolean(hit);
}

// ---- The captures.

function mangle(inputs, operation, seed, output) {
    const steps = operation.split(" ").flatMap((step) => ["-x", step]);
    const p = run(
        option.mangle,
        ["-s", String(seed), "--slots", path.join(folder, "slots"), ...steps, "-o", output, ...inputs],
        `mangle ${operation}`,
    );
    return p.stderr;
}

const made = path.join(folder, "made.pcap");
run(
    path.join(option.bin, "postern-generate"),
    ["--scenario", option.scenario, "--minutes", "12", "--seed", "3", "-o", made],
    "generator",
);
let inputs = [made];
const index = path.join(option.shared, "captures/index.tsv");
if (option.shared && fs.existsSync(index)) {
    const rows = fs.readFileSync(index, "utf8").trim().split("\n").slice(1);
    inputs.push(...rows.map((row) => path.join(option.shared, "captures", row.split("\t")[2])));
} else {
    console.log("the shared captures are not here: only what the generator made is looked at");
}
inputs = inputs.filter((file) => file.includes(option.only));
if (inputs.length === 0) stop("there is no such capture");

const output = path.join(folder, "out.pcap");
process.stdout.write(mangle(inputs, "plain", 1, output));
const prefix = path.join(option.shared, "captures/");
slots = fs
    .readFileSync(path.join(folder, "slots"), "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split("\t"))
    .map(([begin, file]) => [Number(begin), file === made ? "made.pcap" : file.replace(prefix, "")]);
const plain = flowsOf(output);
const told = [...plain.values()].flat();
console.log(
    `${slots.length} captures, ${told.length} flows, ${told.filter((f) => f.smtp).length} of SMTP, ` +
        `${told.filter((f) => f.socks).length} of SOCKS`,
);
if (told.length === 0) stop("nothing to compare");

let failures = 0;
let lossSeen = 0;
for (const operation of operations) {
    const seed = (operation.seed ?? 1) + Number(option.seed);
    const file = option.keep ? path.join(folder, `${operation.name.replaceAll(" ", "+")}.${seed}.pcap`) : output;
    mangle(inputs, operation.name, seed, file);
    const flows = flowsOf(file);
    let different = 0;
    let explained = 0;
    for (const key of new Set([...plain.keys(), ...flows.keys()])) {
        const before = plain.get(key) ?? [];
        const after = flows.get(key) ?? [];
        if (operation.loss) lossSeen += differences(before, after, IN_PIECES).length;
        const found = operation.loss ? invented(before, after) : differences(before, after, operation.except);
        const left = found.filter(({ name }) => !excused(operation.name, key, name));
        if (left.length < found.length) explained++;
        if (left.length === 0) continue;
        different++;
        const text = left.map((difference) => `${difference.name} ${difference.text}`).join("; ");
        console.log(`${operation.name} (seed ${seed}): ${key}: ${text}`);
    }
    // A copy may escape the memory of what was seen; it is then a retransmission, but rarely.
    const most = Math.floor(packetsOf(plain) * (operation.packets ?? Infinity));
    if (packetsOf(flows) > most) {
        different++;
        console.log(`${operation.name}: ${packetsOf(flows)} packets, at most ${most}`);
    }
    console.log(`${operation.name} (seed ${seed}): ${different} keys differ, ${explained} explained`);
    failures += different;
}
// The comparison itself: lost packets must make a difference somewhere.
if (lossSeen === 0) stop("packets were lost and no count was different: nothing is compared");
if (!option.only && option.seed === "0" && inputs.length > 1)
    for (const e of exceptions.filter((x) => x.used === 0)) {
        console.log(`exceptions.tsv: not needed: ${e.line}`);
        failures++;
    }
process.exit(failures === 0 ? 0 : 1);
