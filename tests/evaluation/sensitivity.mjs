// From the runs of sensitivity.sh to sensitivity.md, sensitivity.csv and sensitivity-rates.csv.
//
// usage: sensitivity.mjs RUN OUTPUT
import fs from "node:fs";
import path from "node:path";

const [run, output] = process.argv.slice(2);
if (!output) {
    console.error("usage: sensitivity.mjs RUN OUTPUT");
    process.exit(64);
}

function read(name, file) {
    const [head, ...lines] = fs.readFileSync(path.join(run, name, file), "utf8").trim().split("\n"), keys = head.split(",");
    return lines.filter(Boolean).map((line) => {
        const cells = line.split(",");
        return Object.fromEntries(keys.map((k, i) => [k, cells[i]]));
    });
}

// What a run says of each class, and of the innocents: lines ticketed by us.
function outcome(name) {
    const scores = read(name, "scores.csv").filter((r) => r.judge === "postern"), classes = new Map();
    for (const r of scores.filter((s) => s.guilty === "1")) {
        const c = classes.get(r.kind) ?? { n: 0, times: [] };
        c.n++;
        if (r.found_s !== "")
            c.times.push(Number(r.found_s));
        classes.set(r.kind, c);
    }
    for (const c of classes.values()) {
        c.times.sort((a, b) => a - b);
        c.found = c.times.length;
        c.median = c.times[Math.ceil(c.n / 2) - 1] ?? Infinity;
    }
    const innocents = scores.filter((r) => r.guilty === "0");
    const lines = read(name, "totals.csv").filter((t) => !classes.has(t.kind) && !/^real/.test(t.kind))
        .reduce((a, t) => a + Number(t.lines) * (Number(t.days) > 0), 0);
    return { classes, hit: innocents.length, lines, sure: innocents.filter((r) => r.confirmed === "1").length,
        who: [...new Set(innocents.map((r) => r.kind))] };
}
const span = (s) => s === Infinity ? "∞" : s < 600 ? `${Math.round(s)} s` : s < 36000 ? `${Math.round(s / 60)} min`
    : `${(s / 3600).toFixed(1)} h`;
const table = (head, body) => [`| ${head.join(" | ")} |`, `|${head.map(() => "---").join("|")}|`,
    ...body.map((r) => `| ${r.join(" | ")} |`)].join("\n");
const cell = (c) => c ? `${c.found}/${c.n}, ${span(c.median)}` : "";

const names = fs.readdirSync(run).filter((n) => fs.existsSync(path.join(run, n, "facts.csv")));
const ordered = (prefix) => names.filter((n) => n.startsWith(prefix)).sort();
const first = ["tap-base", "tap-packets", "tap-tier-a", "tap-flow-only"];
const taps = [...first, ...ordered("tap-").filter((n) => !first.includes(n))], offs = ordered("off-");
const all = new Map([...taps, ...offs].map((n) => [n, outcome(n)])), base = all.get("tap-base");
const kinds = [...base.classes.keys()];
const rules = fs.readFileSync(path.join(run, "tap-base", "facts.csv"), "utf8").match(/^rules,(.*)$/m)[1];
const false_ = (o) => o.lines === 0 ? "" : o.hit === 0 ? `0 of ${o.lines}` : `${o.hit} of ${o.lines}: ${o.who.join(", ")}` +
    (o.sure ? `; ${o.sure} confirmed for quarantine` : "");

// Of a run that was stopped: what is whole.
const listed = ["rates.csv", "rates.new"].map((n) => path.join(run, n)).find((f) => fs.existsSync(f));
const allRates = listed ? fs.readFileSync(listed, "utf8").trim().split("\n").filter(Boolean).map((l) => l.split(",")) : [];
const rates = allRates.filter(([key, group]) => [`rate-${key}-0.5`, `rates-${group}`, `rate-${key}-2`]
    .every((n) => fs.existsSync(path.join(run, n, "facts.csv"))));
const ratesFile = path.join(path.dirname(process.argv[1]), "rates.tsv");
const unplayed = fs.readFileSync(ratesFile, "utf8").split("\n").filter((l) => l && !l.startsWith("#")).map((l) => l.split("\t")[0])
    .filter((k) => k !== "lines" && !rates.some((r) => r[0] === k));
const rateRows = [], rateCsv = [["rate", "class", "parties", "found_half", "found", "found_double", "median_half_s", "median_s",
    "median_double_s"]];
for (const [key, group] of rates) {
    const three = [`rate-${key}-0.5`, `rates-${group}`, `rate-${key}-2`].map(outcome), [half, plain, double] = three;
    for (const [kind, c] of plain.classes) {
        const cells = three.map((o) => o.classes.get(kind));
        rateCsv.push([key, kind, c.n, ...cells.map((x) => x.found), ...cells.map((x) => x.median)]);
        rateRows.push([key, kind, cell(half.classes.get(kind)), cell(c), cell(double.classes.get(kind))]);
    }
    if (plain.lines > 0) {
        rateCsv.push([key, "innocents ticketed", plain.lines, half.hit, plain.hit, double.hit, "", "", ""]);
        rateRows.push([key, "innocent lines ticketed", ...three.map(false_)]);
    }
}

const page = ["# Sensitivity, on tuning seeds", "",
    `Made by \`scripts/evaluate --sensitivity\`; do not edit. Rules ${rules}. Parties found, and the median time; short runs of two ` +
    "days, so shares are coarse: a change of one party is none. False tickets are lines (a model's figure), 5 of each kind but tor_exit, " +
    "cgnat and told_of_bot.", "",
    "## Taps and tiers", "",
    "*base*: packets of both directions, and the mail log (tier B, a full mirror). *tier-a*: of ports that are neither mail nor DNS only SYN, FIN " +
    "and RST are mirrored. *export*: tier C, a router's flow export sampled 1:100, no log. *packets*: tier B without the mail log. *flow-only*: " +
    "the legal profile that opens no dialogue, no log. The analysis is told what the sensors declare; *undeclared* shows what " +
    "comes of a fault that nobody declares, where detectors go on that should be off.", "",
    table(["condition", ...kinds, "innocent lines ticketed"], taps.map((n) => [n.slice(4),
        ...kinds.map((k) => cell(all.get(n).classes.get(k))), false_(all.get(n))])), "",
    "## Without each detector", "", "Empty: as with all of them.", "",
    table(["without", ...kinds], offs.map((n) => [n.slice(4), ...kinds.map((k) => {
        const c = cell(all.get(n).classes.get(k));
        return c === cell(base.classes.get(k)) ? "" : c;
    })])), "",
    "## Each rate of the generator at half and double", "",
    "The same lines, the range of one rate moved, three parties of each class and kind. Households: a site of 2,000 lines and 3 or 4 days.", "",
    ...(unplayed.length ? [`Not played with these rules: ${unplayed.join(", ")}.`, ""] : []),
    table(["rate", "class", "half", "as it is", "double"], rateRows), ""].join("\n");
fs.writeFileSync(path.join(output, "sensitivity.md"), page);
const csv = (name, lines) => fs.writeFileSync(path.join(output, name), lines.map((l) => l.join(",")).join("\n") + "\n");
csv("sensitivity.csv", [["condition", "class", "parties", "found", "median_s"], ...[...taps, ...offs].flatMap((n) =>
    kinds.map((k) => [n, all.get(n).classes.get(k)]).filter(([, c]) => c).map(([k, c]) => [n.replace(/^tap-/, ""), k, c.n, c.found, c.median]))]);
csv("sensitivity-rates.csv", rateCsv);
