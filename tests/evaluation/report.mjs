// From what postern-evaluate wrote to a page (index.md), plots (SVG) and tables (CSV).
//
// usage: report.mjs RUN RATES.tsv OUTPUT COMMIT SEEDS
// RUN holds one folder a process (scores.csv, totals.csv, verdicts.csv, facts.csv).
import fs from "node:fs";
import path from "node:path";

const [run, ratesFile, output, commit, seeds] = process.argv.slice(2);
if (!seeds) {
    console.error("usage: report.mjs RUN RATES.tsv OUTPUT COMMIT SEEDS");
    process.exit(64);
}
const MODEL = "a model's figure";
const OURS = "postern";

function read(name) {
    const all = [];
    for (const part of fs.readdirSync(run).sort()) {
        const file = path.join(run, part, name);
        if (!fs.existsSync(file))
            continue;
        const [head, ...lines] = fs.readFileSync(file, "utf8").trim().split("\n");
        const keys = head.split(",");
        for (const line of lines) {
            const cells = line.split(",");
            all.push(Object.fromEntries(keys.map((k, i) => [k, cells[i]])));
        }
    }
    return all;
}

const scores = read("scores.csv"), totals = read("totals.csv"), verdicts = read("verdicts.csv");
const facts = new Map();
let rows = 0;
for (const part of fs.readdirSync(run).sort()) {
    const file = path.join(run, part, "facts.csv");
    for (const line of fs.existsSync(file) ? fs.readFileSync(file, "utf8").trim().split("\n") : []) {
        const [key, ...value] = line.split(",");
        if (key === "rows")
            rows += Number(value[0]);
        else if (key === "configuration")
            facts.set(`configuration of ${value[0]}`, value[1]);
        else
            facts.set(key, value.join(","));
    }
}
const judges = [...new Set(scores.map((r) => r.judge))].filter((j) => j !== OURS).sort();

// Wilson's interval, 95 %.
function wilson(k, n) {
    if (n === 0)
        return [0, 1];
    const z = 1.96, p = k / n, d = 1 + (z * z) / n, c = p + (z * z) / (2 * n);
    const w = z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
    return [Math.max(0, (c - w) / d), Math.min(1, (c + w) / d)];
}
const percent = (v) => `${(100 * v).toFixed(1)} %`;
// A quantile in which a miss is infinite.
function quantile(list, n, q) {
    const s = [...list].sort((a, b) => a - b), i = Math.ceil(q * n) - 1;
    return i < s.length ? s[Math.max(0, i)] : Infinity;
}
const span = (s) => s === Infinity ? "∞" : s < 600 ? `${Math.round(s)} s` : s < 36000 ? `${(s / 60).toFixed(0)} min`
    : `${(s / 3600).toFixed(1)} h`;
const count = (v) => v === Infinity ? "∞" : String(Math.round(v));
const table = (head, body) => [`| ${head.join(" | ")} |`, `|${head.map(() => "---").join("|")}|`,
    ...body.map((r) => `| ${r.join(" | ")} |`)].join("\n");

// ---- The guilty
const classes = [...new Set(scores.filter((r) => r.guilty === "1").map((r) => r.kind))];
const of = (kind, judge, past) => scores.filter((r) => r.guilty === "1" && r.kind === kind && r.judge === judge &&
    (past === undefined || r.past === past));
const found = (list) => list.filter((r) => r.found_s !== "");

const summary = classes.map((kind) => {
    const all = of(kind, OURS), hit = found(all), n = all.length;
    return { kind, n, k: hit.length, ci: wilson(hit.length, n),
        right: all.filter((r) => r.right_class === "1").length,
        confirmed: all.filter((r) => r.confirmed === "1").length,
        median: quantile(hit.map((r) => Number(r.found_s)), n, 0.5),
        p90: quantile(hit.map((r) => Number(r.found_s)), n, 0.9),
        sessions: quantile(hit.map((r) => Number(r.sessions)), n, 0.5),
        sessions90: quantile(hit.map((r) => Number(r.sessions)), n, 0.9),
        fresh: found(of(kind, OURS, "0")).length, freshN: of(kind, OURS, "0").length,
        past: found(of(kind, OURS, "1")).length, pastN: of(kind, OURS, "1").length };
});

// The issue's targets: least share, and seconds for the median and the 90th percentile.
const targets = { fast_plain: [0.99, 120, 300], fast_tls: [0.95, 120, 300], slow_plain: [0.9, 21600],
    slow_tls: [0.9, 21600], socks: [0.95], guesser: [0.95], guesser_tls: [0.95], backconnect: [0.8] };
const verdictOn = (s) => {
    const t = targets[s.kind];
    if (!t)
        return "no target";
    const misses = [];
    const doubt = s.k / s.n >= t[0] && s.ci[0] < t[0] ? `; the interval reaches below ${percent(t[0])}` : "";
    if (s.k / s.n < t[0])
        misses.push(`share below ${percent(t[0])}`);
    if (t[1] && s.median > t[1])
        misses.push(`median above ${span(t[1])}`);
    if (t[2] && s.p90 > t[2])
        misses.push(`90th percentile above ${span(t[2])}`);
    return (misses.length ? `**missed: ${misses.join("; ")}**` : "reached") + doubt;
};

// ---- The innocent
const isHome = new Map(totals.map((t) => [t.kind, t.household === "1"]));
const daysOf = (pick) => totals.filter(pick).reduce((a, t) => a + Number(t.lines) * Number(t.days), 0);
const siteScores = scores.filter((r) => r.set === "sites");
const homeDays = daysOf((t) => t.set === "sites" && t.household === "1");
const firmDays = daysOf((t) => t.set === "sites" && t.household === "0");
const million = (events, days) => days === 0 ? "nothing played" : events > 0 ? `${((events * 1e6) / days).toFixed(2)}`
    : `none; below ${((3e6) / days).toFixed(2)} (3/n)`;
const flaggedDays = (judge, home) => siteScores.filter((r) => r.judge === judge &&
    (home === undefined || isHome.get(r.kind) === home)).reduce((a, r) => a + Number(r.days_flagged), 0);
const sum = (list, key) => list.reduce((a, r) => a + Number(r[key]), 0);
const ours = (home) => siteScores.filter((r) => r.judge === OURS && isHome.get(r.kind) === home);
const kindTable = [...new Set(totals.filter((t) => t.set === "kinds" || t.set === "sites").map((t) => t.kind))]
    .filter((k) => !classes.includes(k)).map((kind) => {
        const days = daysOf((t) => t.kind === kind && t.set !== "guilty");
        const lines = totals.filter((t) => t.kind === kind).reduce((a, t) => a + Number(t.lines), 0);
        const hit = scores.filter((r) => r.guilty === "0" && r.kind === kind && r.judge === OURS);
        return { kind, lines, days, hit: hit.length, tickets: sum(hit, "tickets"), confirmed: sum(hit, "confirmed") };
    });

// ---- Ours at another's false-alarm rate: the lowest threshold of log-odds at which no more days are flagged.
const allDays = homeDays + firmDays;
const falseLogOdds = siteScores.filter((r) => r.judge === OURS)
    .flatMap((r) => r.log_odds_days.trim().split(" ").filter(Boolean).map(Number)).sort((a, b) => b - a);
function shareAt(kind, allowedDays) {
    const threshold = falseLogOdds.length <= allowedDays ? -Infinity : falseLogOdds[allowedDays];
    const all = of(kind, OURS);
    return found(all).filter((r) => Number(r.log_odds) > threshold).length / all.length;
}

// ---- Plots
const colours = ["#1b6ca8", "#c2452d", "#2e8b57", "#8a5fb0", "#b8860b", "#444444", "#d0679d", "#3aa6a6"];
function svg(width, height, body) {
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" ` +
        `font-size="12"><rect width="${width}" height="${height}" fill="#fff"/>${body}</svg>\n`;
}
function axis(x0, y0, w, h, ticks, label) {
    return ticks.map(([t, x]) => `<line x1="${x}" y1="${y0}" x2="${x}" y2="${y0 - h}" stroke="#ddd"/>` +
        `<text x="${x}" y="${y0 + 16}" text-anchor="middle">${t}</text>`).join("") +
        [0, 0.25, 0.5, 0.75, 1].map((v) => `<line x1="${x0}" x2="${x0 + w}" y1="${y0 - v * h}" y2="${y0 - v * h}" ` +
        `stroke="#ddd"/><text x="${x0 - 6}" y="${y0 - v * h + 4}" text-anchor="end">${v * 100} %</text>`).join("") +
        `<text x="${x0 + w / 2}" y="${y0 + 34}" text-anchor="middle">${label}</text>`;
}
function plotTimes(kinds) {
    const x0 = 50, y0 = 300, w = 560, h = 270, lo = Math.log10(10), hi = Math.log10(4 * 86400);
    const x = (s) => x0 + (w * (Math.log10(Math.max(10, Math.min(s, 4 * 86400))) - lo)) / (hi - lo);
    const ticks = [[10, "10 s"], [60, "1 min"], [600, "10 min"], [3600, "1 h"], [21600, "6 h"], [86400, "1 d"]];
    let body = axis(x0, y0, w, h, ticks.map(([s, t]) => [t, x(s)]), "time from the attack's first flow to the ticket");
    kinds.forEach((kind, i) => {
        const all = of(kind, OURS), times = found(all).map((r) => Number(r.found_s)).sort((a, b) => a - b);
        let d = `M${x0} ${y0}`;
        times.forEach((t, k) => { d += `H${x(t).toFixed(1)}V${(y0 - (h * (k + 1)) / all.length).toFixed(1)}`; });
        body += `<path d="${d}H${x0 + w}" fill="none" stroke="${colours[i % 8]}" stroke-width="2"/>` +
            `<text x="${x0 + w + 12}" y="${40 + 18 * i}" fill="${colours[i % 8]}">${kind}</text>`;
    });
    return svg(780, 345, body);
}
function plotTrade() {
    const x0 = 50, y0 = 300, w = 520, h = 270, kinds = ["fast_plain", "fast_tls", "slow_plain", "slow_tls", "crafty"];
    const x = (v) => x0 + (w * Math.max(0, Math.log10(Math.max(v, 1)))) / 5;
    let body = axis(x0, y0, w, h, [0, 1, 2, 3, 4, 5].map((e) => [`${10 ** e}`, x(10 ** e)]),
        `falsely flagged per million subscriber-days (${MODEL}; 1 stands for 1 and fewer)`);
    kinds.forEach((kind, i) => {
        for (const judge of [OURS, ...judges]) {
            const all = of(kind, judge), v = all.length ? found(all).length / all.length : 0;
            const fx = x((flaggedDays(judge) * 1e6) / Math.max(1, allDays)), fy = y0 - v * h;
            body += judge === OURS ? `<rect x="${fx - 5}" y="${fy - 5}" width="10" height="10" fill="${colours[i]}"/>`
                : `<circle cx="${fx}" cy="${fy}" r="4" fill="none" stroke="${colours[i]}"><title>${judge} ${kind}</title></circle>`;
        }
        body += `<text x="${x0 + w + 14}" y="${40 + 18 * i}" fill="${colours[i]}">${kind}</text>`;
    });
    body += `<text x="${x0 + w + 14}" y="150">square: postern</text><text x="${x0 + w + 14}" y="168">circles: baselines</text>`;
    return svg(760, 345, body);
}

// ---- The page
const texts = new Map([...fs.readFileSync(path.join(path.dirname(ratesFile), "people.h"), "utf8")
    .matchAll(/X\((\w+), (?:(?:(\d+), (?:true|false), )"([^"]*)"|"([^"]*)")/g)]
    .map((m) => [m[1], { frequency: m[2], text: m[3] ?? m[4] }]));
const baselineTexts = new Map([...fs.readFileSync(path.join(path.dirname(ratesFile), "baseline.h"), "utf8")
    .matchAll(/X\((\w+), "([^"]*)"\)/g)].map((m) => [m[1], m[2]]));
const rates = fs.readFileSync(ratesFile, "utf8").trim().split("\n").filter((l) => !l.startsWith("#"))
    .map((l) => l.split("\t"));
const csv = (name, head, body) => fs.writeFileSync(path.join(output, name),
    [head, ...body].map((r) => r.join(",")).join("\n") + "\n");

fs.mkdirSync(output, { recursive: true });
const firmTickets = sum(ours(false), "tickets"), homeTickets = sum(ours(true), "tickets");
const firmRate = firmDays ? firmTickets / firmDays : 0;
const wins = classes.map((kind) => judges.map((j) => {
    const theirs = of(kind, j), share = theirs.length ? found(theirs).length / theirs.length : 0;
    const mine = shareAt(kind, flaggedDays(j));
    return { kind, j, share, mine, ahead: mine > share || (mine === share && mine > 0 &&
        quantile(found(of(kind, OURS)).map((r) => Number(r.found_s)), of(kind, OURS).length, 0.5) <=
        quantile(found(theirs).map((r) => Number(r.found_s)), theirs.length, 0.5)) };
}));

const notes = path.join(output, `notes-${seeds}.md`);
const page = [`# Evaluation on ${seeds} seeds`, "",
    "Made by `scripts/evaluate`; do not edit. How it is done, and what it cannot show, is in [method.md](method.md).", "",
    table(["", ""], [["commit", `\`${commit}\``], ["rules", facts.get("rules")], ["seeds", seeds],
        ...[...facts].filter(([k]) => k.startsWith("configuration")).map(([k, v]) => [k, `\`${v}\``]),
        ["rows judged", rows.toLocaleString("en")], ["days warm-up, days counted, days of attacks",
            `${facts.get("warm")}, ${facts.get("days")}, ${facts.get("attack days")}`],
        ["subscriber-days of whole sites", `${homeDays.toLocaleString("en")} residential, ${firmDays.toLocaleString("en")} of businesses with a mail server`],
        ["real bots", facts.get("real bots")]]), "",
    "Assumptions: every rate is drawn from the ranges at the end of this page; lines are independent but for outages; " +
    "detection time is packet time at the row's cut, without the collector's delay (a few seconds).", "",
    ...(fs.existsSync(notes) ? [fs.readFileSync(notes, "utf8").trim(), ""] : []),
    "## The guilty", "",
    "Scored once a party. A miss is infinitely late. Sessions are what the party began until it was found.", "",
    table(["class", "parties", "found", "95 % (Wilson)", "named rightly", "confirmed for quarantine", "median", "90th pct",
        "sessions, median", "90th pct", "without / with a clean past", "target"],
    summary.map((s) => [`${s.kind}: ${texts.get(s.kind)?.text ?? ""}`, s.n, percent(s.k / s.n),
        `${percent(s.ci[0])} to ${percent(s.ci[1])}`, s.right, s.confirmed, span(s.median), span(s.p90), count(s.sessions),
        count(s.sessions90), `${s.fresh}/${s.freshN}, ${s.past}/${s.pastN}`, verdictOn(s)])), "",
    "![time to detect, bots](times-bots.svg)", "", "![time to detect, others](times-others.svg)", "",
    `## The innocent (${MODEL})`, "",
    `Whole sites, each kind as often as assumed. Every figure here is ${MODEL}: it says how the rules fare with the ` +
    "households of the generator, not with anybody's real subscribers.", "",
    table(["", "subscriber-days", `tickets per million (${MODEL})`, `lines ticketed`,
        `confirmed for quarantine per million (${MODEL})`, "lines confirmed"],
    [["residential", homeDays.toLocaleString("en"), million(homeTickets, homeDays), ours(true).length,
        million(sum(ours(true), "confirmed_days"), homeDays), sum(ours(true), "confirmed")],
    ["business mail servers", firmDays.toLocaleString("en"), million(firmTickets, firmDays), ours(false).length,
        million(sum(ours(false), "confirmed_days"), firmDays), sum(ours(false), "confirmed")]]), "",
    `Targets: no false quarantine in 3,000,000 residential subscriber-days: ${sum(ours(true), "confirmed") > 0 ?
        "**missed**" : homeDays >= 3e6 ? "reached" : `none seen, and **only ${homeDays.toLocaleString("en")} played**`}. ` +
    `Mail servers ticketed at most 0.02 % a day: ${(100 * firmRate).toFixed(3)} % a day${firmTickets === 0 ?
        ` (below ${firmDays ? (300 / firmDays).toFixed(3) : "-"} %, 3/n)` : ""}, ${firmRate > 0.0002 ? "**missed**" :
        firmTickets === 0 && 3 / Math.max(1, firmDays) > 0.0002 ? "**not shown: too few days**" : "reached"}; never quarantined: ${
        sum(ours(false), "confirmed") > 0 ? "**missed**" : "none seen"}. (${MODEL})`, "",
    `By kind, whole sites and a site with as many of each kind together (${MODEL}):`, "",
    table(["kind", "lines in a million (assumed)", "lines", "subscriber-days", "lines ticketed", "tickets",
        "lines confirmed for quarantine", "tickets per million subscriber-days"],
    kindTable.map((k) => [`${k.kind}: ${texts.get(k.kind)?.text ?? ""}`, texts.get(k.kind)?.frequency ?? "", k.lines,
        k.days.toLocaleString("en"), k.hit, k.tickets, k.confirmed, million(k.tickets, k.days)])), "",
    `## Against the baselines (${MODEL})`, "",
    "On the same rows. A day of a line counts as falsely flagged once. *Ours* is the share found when our threshold is " +
    "raised until no more subscriber-days are falsely flagged than by the baseline; where we flag fewer to begin with it is " +
    "our ordinary share, a lower bound of what we could find at their rate. *Later*: as many are found and the " +
    "baseline's median is earlier; *behind*: the baseline finds more.", "",
    table(["baseline", `falsely flagged per million subscriber-days (${MODEL})`, ...classes],
        [[`postern`, million(flaggedDays(OURS), allDays), ...classes.map((k) => percent(shareAt(k, Infinity)))],
            ...judges.map((j, i) => [baselineTexts.get(j) ?? j, million(flaggedDays(j), allDays),
                ...wins.map((w) => `${percent(w[i].share)} / ours ${percent(w[i].mine)}${w[i].ahead ? "" : w[i].mine === w[i].share ? w[i].mine > 0 ? ", later" : "" : " **behind**"}`)])]), "",
    "![trade-off](trade-off.svg)", "",
    "## Rates of the generator", "",
    table(["key", "low", "high", "unit", "source"], rates), ""].join("\n");
fs.writeFileSync(path.join(output, seeds === "test" ? "index.md" : `${seeds}.md`), page);
const bots = classes.filter((k) => /fast|slow|neris|virut/.test(k) && !/declared/.test(k));
fs.writeFileSync(path.join(output, "times-bots.svg"), plotTimes(bots.slice(0, 8)));
fs.writeFileSync(path.join(output, "times-others.svg"), plotTimes(classes.filter((k) => !bots.includes(k)).slice(0, 12)));
fs.writeFileSync(path.join(output, "trade-off.svg"), plotTrade());
csv(`classes-${seeds}.csv`, ["class", "parties", "found", "wilson_low", "wilson_high", "named_rightly", "confirmed", "median_s",
    "p90_s", "sessions_median", "sessions_p90"], summary.map((s) => [s.kind, s.n, s.k, s.ci[0].toFixed(4), s.ci[1].toFixed(4),
    s.right, s.confirmed, s.median, s.p90, s.sessions, s.sessions90]));
csv(`innocents-${seeds}.csv`, ["kind", "lines", "subscriber_days", "lines_ticketed", "tickets", "lines_confirmed"],
    kindTable.map((k) => [k.kind, k.lines, k.days, k.hit, k.tickets, k.confirmed]));
csv(`baselines-${seeds}.csv`, ["baseline", "class", "falsely_flagged_per_million", "found", "ours_at_that_rate", "ahead"],
    wins.flat().map((w) => [w.j, w.kind, ((flaggedDays(w.j) * 1e6) / Math.max(1, allDays)).toFixed(2), w.share.toFixed(4),
        w.mine.toFixed(4), w.ahead ? 1 : 0]));
csv(`false-${seeds}.csv`, ["kind", "event", "class", "ceiling", "state", "log_odds", "evidence"],
    verdicts.filter((v) => v.guilty === "0").slice(0, 200).map((v) => [v.kind, v.event, v.class, v.ceiling, v.state, v.log_odds,
        v.evidence]));
