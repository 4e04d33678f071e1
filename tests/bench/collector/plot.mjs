// From the lines of ingest.sh to a plot: records a second of one core and octets a subscriber, by the number of subscribers,
// both axes logarithmic. Prints the table of docs/bench.md.
//
// usage: plot.mjs RESULTS.txt PLOT.svg, or ingest.sh BUILD --plot PLOT.svg
import fs from "node:fs";

const [input, plot] = process.argv.slice(2);
if (!input || !plot) {
    console.error("usage: plot.mjs RESULTS.txt PLOT.svg");
    process.exit(64);
}

const form = /^ *(\d+) subscribers *(\d+) records .* ([\d.]+) s CPU, *(\d+) records\/s .* (\d+) kB more memory, (\d+) octets/;
const points = fs.readFileSync(input, "utf8").split("\n").map((line) => form.exec(line)).filter(Boolean)
    .map((m) => ({ subscribers: Number(m[1]), records: Number(m[2]), seconds: m[3], rate: Number(m[4]),
        memory: Math.round(Number(m[5]) * 1024 / 1e6), octets: Number(m[6]) }));
if (points.length === 0) {
    console.error(`plot.mjs: ${input}: no lines of ingest.sh`);
    process.exit(65);
}

const words = (n) => n.toLocaleString("en");
console.log("\n| subscribers | records | processor time, s | records a second | memory, MB | octets a subscriber |");
console.log("|---:|---:|---:|---:|---:|---:|");
for (const p of points)
    console.log(`| ${words(p.subscribers)} | ${words(p.records)} | ${p.seconds} | ${words(p.rate)} | ${words(p.memory)} | ` +
        `${words(p.octets)} |`);

const width = 720, height = 320, left = 70, right = 20, top = 40, bottom = 40, gap = 70;
const panel = (width - left - right - gap) / 2;
const out = [];

function text(x, y, words, anchor = "middle") {
    out.push(`<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${words}</text>`);
}

// One quantity over the subscribers, with a line for what was asked.
function draw(x0, title, of, low, high, asked) {
    const from = Math.log10(points[0].subscribers), to = Math.log10(points[points.length - 1].subscribers);
    const span = to > from ? to - from : 1;
    const x = (n) => x0 + (Math.log10(n) - from) / span * panel;
    const y = (v) => height - bottom - (Math.log10(v) - Math.log10(low)) / (Math.log10(high) - Math.log10(low)) *
        (height - top - bottom);
    text(x0 + panel / 2, 22, title);
    for (let v = low; v <= high; v *= 10)
        for (const n of [1, 2, 5].map((m) => m * v).filter((n) => n <= high)) {
            out.push(`<line x1="${x0}" x2="${x0 + panel}" y1="${y(n).toFixed(1)}" y2="${y(n).toFixed(1)}" class="grid"/>`);
            text(x0 - 6, y(n) + 4, n.toLocaleString("en"), "end");
        }
    for (const [value, name] of asked) {
        out.push(`<line x1="${x0}" x2="${x0 + panel}" y1="${y(value).toFixed(1)}" y2="${y(value).toFixed(1)}" class="asked"/>`);
        text(x0 + panel - 4, y(value) - 4, name, "end");
    }
    out.push(`<polyline points="${points.map((p) => `${x(p.subscribers).toFixed(1)},${y(of(p)).toFixed(1)}`).join(" ")}"/>`);
    for (const p of points) {
        out.push(`<circle cx="${x(p.subscribers).toFixed(1)}" cy="${y(of(p)).toFixed(1)}" r="3"/>`);
        text(x(p.subscribers), height - bottom + 18, p.subscribers.toLocaleString("en"));
    }
}

draw(left, "records a second of one core", (p) => p.rate, 20000, 500000, [[150000, "floor"], [300000, "aim"]]);
draw(left + panel + gap, "octets a subscriber", (p) => p.octets, 500, 50000, [[4096, "at most, from 100,000 on"]]);
fs.writeFileSync(plot, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">
<style>.grid{stroke:#ddd}.asked{stroke:#c60;stroke-dasharray:4 3}polyline{fill:none;stroke:#246;stroke-width:2}circle{fill:#246}</style>
<rect width="${width}" height="${height}" fill="#fff"/>
${out.join("\n")}
</svg>
`);
