// From the runner's CSV to a table (standard output, Markdown) and a plot (SVG): processor time a packet,
// median and spread of the repetitions, and the ratio to the floor on the same capture.
//
// usage: report.mjs RESULTS.csv PLOT.svg
import fs from "node:fs";

const [input, plot] = process.argv.slice(2);
if (!input || !plot) {
    console.error("usage: report.mjs RESULTS.csv PLOT.svg");
    process.exit(64);
}

const rows = fs.readFileSync(input, "utf8").trim().split("\n").slice(1).map((line) => {
    const [capture, program, packets, run, user, system, wall, peak, status] = line.split(",");
    const ns = ((Number(user) + Number(system)) * 1000) / Number(packets);
    return { capture, program, packets: Number(packets), run: Number(run), ns,
        userNs: (Number(user) * 1000) / Number(packets), peak: Number(peak), status: Number(status),
        wall: Number(wall) };
});

const median = (list) => {
    const s = [...list].sort((a, b) => a - b), half = s.length >> 1;
    return s.length % 2 ? s[half] : (s[half - 1] + s[half]) / 2;
};

// One entry a capture and program, in the order of the plan. Ratios are taken within a repetition: the
// floor of the same round.
function summarise() {
    const groups = new Map();
    for (const r of rows) {
        const key = `${r.capture}\t${r.program}`;
        if (!groups.has(key)) groups.set(key, []);
        groups.get(key).push(r);
    }
    return [...groups.values()].map((list) => {
        const { capture, program, packets } = list[0];
        const ratios = list.map((r) => {
            const floor = rows.find((f) => f.capture === capture && f.program === "floor" && f.run === r.run);
            return floor ? r.ns / floor.ns : NaN;
        });
        return { capture, program, packets, runs: list.length, ns: median(list.map((r) => r.ns)),
            user: median(list.map((r) => r.userNs)),
            low: Math.min(...list.map((r) => r.ns)), high: Math.max(...list.map((r) => r.ns)),
            ratio: median(ratios), ratioLow: Math.min(...ratios), ratioHigh: Math.max(...ratios),
            peak: Math.max(...list.map((r) => r.peak)) / 1024,
            failed: list.filter((r) => r.status !== 0).length };
    });
}

function table(entries) {
    const lines = ["| capture | program | packets | ns a packet | least-most | of it user | times the floor | least-most | peak MiB |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|"];
    for (const e of entries)
        lines.push(`| ${e.capture} | ${e.program}${e.failed ? ` (failed ${e.failed} of ${e.runs})` : ""} | ${e.packets} | ` +
            `${e.ns.toFixed(0)} | ${e.low.toFixed(0)}-${e.high.toFixed(0)} | ${e.user.toFixed(0)} | ${e.ratio.toFixed(2)} | ` +
            `${e.ratioLow.toFixed(2)}-${e.ratioHigh.toFixed(2)} | ${e.peak.toFixed(0)} |`);
    return lines.join("\n");
}

// Bars on a logarithmic scale: a dissector costs a hundred times what a counter does.
function svg(entries) {
    const left = 250, width = 560, row = 20, least = 30;
    const most = Math.max(...entries.map((e) => e.high)) * 1.2;
    const x = (ns) => left + (Math.log(Math.max(ns, least) / least) / Math.log(most / least)) * width;
    const parts = [];
    let y = 40, capture = "";
    for (const e of entries) {
        if (e.capture !== capture) {
            capture = e.capture;
            y += 14;
            parts.push(`<text x="8" y="${y + 4}" font-weight="bold">${capture}, ${e.packets} packets</text>`);
            y += row;
        }
        const ours = e.program.startsWith("postern") ? "#1f6f54" : e.program === "floor" ? "#444" : "#9aa7b5";
        parts.push(`<text x="${left - 8}" y="${y + 4}" text-anchor="end">${e.program}</text>`,
            `<rect x="${left}" y="${y - 7}" width="${(x(e.ns) - left).toFixed(1)}" height="13" fill="${ours}"/>`,
            `<line x1="${x(e.low).toFixed(1)}" x2="${x(e.high).toFixed(1)}" y1="${y}" y2="${y}" stroke="#c33" stroke-width="2"/>`,
            `<text x="${(x(e.high) + 6).toFixed(1)}" y="${y + 4}">${e.ns.toFixed(0)} ns, ${e.ratio.toFixed(2)}x</text>`);
        y += row;
    }
    const height = y + 20;
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${left + width + 140}" height="${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
<text x="8" y="24" font-size="15">Processor time a packet (median; red: least to most; logarithmic; x: times the floor)</text>
${parts.join("\n")}
</svg>
`;
}

const entries = summarise();
console.log(table(entries));
fs.writeFileSync(plot, svg(entries));
