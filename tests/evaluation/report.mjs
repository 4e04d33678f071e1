// From what postern-evaluate wrote to a page (index.md), plots (SVG) and tables (CSV).
//
// usage: report.mjs RUN RATES.tsv OUTPUT COMMIT SEEDS [PLAYED]
// RUN holds one folder a part (scores.csv, totals.csv, verdicts.csv, levels.csv, facts.csv); in "curve..." verdicts open
// at the lowest threshold. PLAYED says which slices of the long run in OUTPUT are of the same rules and generator.
import fs from "node:fs";
import path from "node:path";

const [run, ratesFile, output, commit, seeds, played] = process.argv.slice(2);
if (!seeds) {
    console.error("usage: report.mjs RUN RATES.tsv OUTPUT COMMIT SEEDS");
    process.exit(64);
}
const mark = seeds.startsWith("test") ? "" : `-${seeds}`; // index.md has the plain names
const MODEL = "a model's figure";
const OURS = "postern";

// The classes stand first: what they say of the run holds for all.
const parts = fs.readdirSync(run).sort(), curves = parts.filter((part) => part.startsWith("curve"));
// The same sites of bots with a common TLS client, with the detector of clients and without.
const prints = parts.filter((part) => part.startsWith("prints-")), printsOff = parts.filter((part) => part.startsWith("printsoff-"));
const folders = parts.filter((part) => part !== "page" && ![...curves, ...prints, ...printsOff].includes(part));

function readFile(file) {
    const all = [];
    if (fs.existsSync(file)) {
        const [head, ...lines] = fs.readFileSync(file, "utf8").trim().split("\n");
        const keys = head.split(",");
        for (const line of lines) {
            const cells = line.split(",");
            all.push(Object.fromEntries(keys.map((k, i) => [k, cells[i]])));
        }
    }
    return all;
}
const read = (name, of = folders) => of.flatMap((part) => readFile(path.join(run, part, name)));

const scores = read("scores.csv"), totals = read("totals.csv"), verdicts = read("verdicts.csv");
const facts = new Map(), realTexts = new Map();
let rows = 0;
for (const part of folders) {
    const file = path.join(run, part, "facts.csv");
    for (const line of fs.existsSync(file) ? fs.readFileSync(file, "utf8").trim().split("\n") : []) {
        const [key, ...value] = line.split(",");
        if (key === "rows")
            rows += Number(value[0]);
        else if (key === "class") {
            for (const site of ["open", "declared"])
                realTexts.set(`${value[0]}_${site}`, `a real machine, ${value[1]}${site === "open" ? "" : "; a block is declared"}`);
        } else if (key === "configuration")
            facts.set(`configuration of ${value[0]}`, value[1]);
        // The first part that says so: later ones play fewer days or none of the classes.
        else if (!facts.has(key) || (key === "real bots" && facts.get(key) === "0"))
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
// The mean of a Poisson count, 95 % (Garwood): of lines, so that one that is hit each day is one mistake.
function poisson(k) {
    const below = (mean) => { // P(X <= k)
        let term = Math.exp(-mean), all = term;
        for (let i = 1; i <= k; i++)
            all += term *= mean / i;
        return all;
    };
    const solve = (want, of_) => {
        let lo = 0, hi = 10 * (k + 5);
        for (let i = 0; i < 100; i++) {
            const mid = (lo + hi) / 2;
            if (of_(mid) > want)
                lo = mid;
            else
                hi = mid;
        }
        return lo;
    };
    const at = (m) => { // P(X >= k)
        let term = Math.exp(-m), less = k > 0 ? term : 0;
        for (let i = 1; i < k; i++)
            less += term *= m / i;
        return 1 - less;
    };
    return [k === 0 ? 0 : solve(-0.025, (m) => -at(m)), solve(0.025, below)];
}
const between = (k, days, scale = 1e6, digits = 2) => days === 0 ? "no days of its own" : k === 0 ?
    `none; below ${((3 * scale) / days).toFixed(digits)} (3/n)` : `${((k * scale) / days).toFixed(digits)} ` +
    `(${poisson(k).map((v) => ((v * scale) / days).toFixed(digits)).join(" to ")})`;
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
const clockDays = totals.filter((t) => t.set === "sites" && Number(t.days) > 3).reduce((a, t) => a + Number(t.lines), 0);
const million = (events, days) => days === 0 ? "no days of its own" : events > 0 ? `${((events * 1e6) / days).toFixed(2)}`
    : `none; below ${((3e6) / days).toFixed(2)} (3/n)`;
const flaggedDays = (judge, home) => siteScores.filter((r) => r.judge === judge &&
    (home === undefined || isHome.get(r.kind) === home)).reduce((a, r) => a + Number(r.days_flagged), 0);
const sum = (list, key) => list.reduce((a, r) => a + Number(r[key]), 0);
const ours = (home) => siteScores.filter((r) => r.judge === OURS && isHome.get(r.kind) === home);
function kindsOf(sets) {
    const here = totals.filter((t) => sets.includes(t.set));
    return [...new Set(here.map((t) => t.kind))].map((kind) => {
        const lines = here.filter((t) => t.kind === kind).reduce((a, t) => a + Number(t.lines), 0);
        const hit = scores.filter((r) => r.guilty === "0" && r.kind === kind && r.judge === OURS && sets.includes(r.set));
        return { kind, lines, days: daysOf((t) => t.kind === kind && sets.includes(t.set)), hit: hit.length,
            tickets: sum(hit, "tickets"), confirmed: sum(hit, "confirmed") };
    });
}
const kindTable = kindsOf(["kinds", "sites"]);
const blockedTable = kindsOf(["kinds-blocked", "sites-blocked", "new-block"]);
// Days flagged a million, of whole sites of one sort.
function flaggedRate(judge, set) {
    const days = daysOf((t) => t.set === set);
    return million(sum(scores.filter((r) => r.set === set && r.guilty === "0" && r.judge === judge), "days_flagged"), days);
}

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
        body += `<path d="${d}H${x0 + w}" fill="none" stroke="${colours[i % 8]}" stroke-width="2"` +
            `${i < 8 ? "" : ' stroke-dasharray="6 3"'}/>` +
            `<text x="${x0 + w + 12}" y="${40 + 18 * i}" fill="${colours[i % 8]}">${kind}${i < 8 ? "" : ", dashed"}</text>`;
    });
    return svg(850, 345, body);
}
// For each judge, from the curve's run: [falsely flagged days per million, share found] as its limit falls.
const curveScores = read("scores.csv", curves).filter((r) => r.guilty === "1"), curveLevels = read("levels.csv", curves);
const curveDays = read("totals.csv", curves).filter((t) => t.set === "sites")
    .reduce((a, t) => a + Number(t.lines) * Number(t.days), 0);
function curveOf(kind, judge) {
    const levels = curveScores.filter((r) => r.kind === kind && r.judge === judge).map((r) => Number(r.level));
    const wrong = curveLevels.filter((l) => l.judge === judge).map((l) => [Number(l.level), Number(l.days)]);
    const limits = [...new Set([...levels, ...wrong.map((w) => w[0])])].filter((l) => l > 0).sort((a, b) => b - a);
    return limits.map((limit) => [(wrong.reduce((a, w) => a + (w[0] >= limit ? w[1] : 0), 0) * 1e6) / Math.max(1, curveDays),
        levels.filter((l) => l >= limit).length / Math.max(1, levels.length)]);
}
// The most that is found with no more days flagged than that.
const shareWithin = (curve, rate) => curve.reduce((best, [wrong, share]) => wrong <= rate ? Math.max(best, share) : best, 0);
const atRates = [0, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000];

function plotTrade() {
    const w = 150, h = 90, columns = 4, shown = [OURS, ...judges], palette = [...colours.slice(0, 5), ...colours.slice(6), "#6fae2f", "#00b0d8"];
    const colour = (j) => j === OURS ? "#000" : palette[judges.indexOf(j) % palette.length];
    let body = "";
    classes.forEach((kind, i) => {
        const x0 = 45 + (i % columns) * (w + 45), y0 = 120 + Math.floor(i / columns) * (h + 55);
        const x = (v) => x0 + (w * Math.min(4, Math.log10(Math.max(v, 1)))) / 4;
        body += `<text x="${x0}" y="${y0 - h - 6}">${kind}</text>` + [0, 0.5, 1].map((v) => `<line x1="${x0}" x2="${x0 + w}" ` +
            `y1="${y0 - v * h}" y2="${y0 - v * h}" stroke="#ddd"/><text x="${x0 - 4}" y="${y0 - v * h + 4}" font-size="9" ` +
            `text-anchor="end">${v * 100} %</text>`).join("") + [1, 10, 100, 1000, 10000].map((v) => `<line x1="${x(v)}" ` +
            `x2="${x(v)}" y1="${y0}" y2="${y0 - h}" stroke="#eee"/><text x="${x(v)}" y="${y0 + 12}" font-size="9" ` +
            `text-anchor="middle">${v}</text>`).join("");
        for (const judge of [...shown].reverse()) {
            const curve = curveOf(kind, judge);
            let d = `M${x0} ${(y0 - h * shareWithin(curve, 1)).toFixed(1)}`, last = shareWithin(curve, 1);
            for (const [wrong, share] of curve.filter(([v]) => v > 1 && v <= 10000)) {
                d += `H${x(wrong).toFixed(1)}` + (share > last ? `V${(y0 - h * share).toFixed(1)}` : "");
                last = Math.max(last, share);
            }
            // What is found at a rate is found where more is allowed.
            body += `<path d="${d}H${x0 + w}" fill="none" stroke="${colour(judge)}" stroke-width="${judge === OURS ? 3 : 1.2}">` +
                `<title>${judge}</title></path>`;
        }
    });
    const below = 120 + Math.ceil(classes.length / columns) * (h + 55) - h - 10;
    shown.forEach((j, i) => { body += `<text x="${45 + (i % 5) * 150}" y="${below + 16 * Math.floor(i / 5)}" fill="${colour(j)}">${j}</text>`; });
    return svg(45 + columns * (w + 45), below + 40, body);
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
const medianOf = (kind, judge) => quantile(found(of(kind, judge)).map((r) => Number(r.found_s)), of(kind, judge).length, 0.5);
const wins = classes.map((kind) => judges.map((j) => {
    const theirs = of(kind, j), share = theirs.length ? found(theirs).length / theirs.length : 0;
    const mine = shareAt(kind, flaggedDays(j)), times = [medianOf(kind, OURS), medianOf(kind, j)];
    return { kind, j, share, mine, times, ahead: mine > share || (mine === share && mine > 0 && times[0] <= times[1]) };
}));

// Ours as it opens from an even chance on, in the curve's run: the same question with less caution.
const evenOf = (kind) => {
    const all = curveScores.filter((r) => r.kind === kind && r.judge === OURS), hit = found(all);
    return { n: all.length, k: hit.length, median: quantile(hit.map((r) => Number(r.found_s)), all.length, 0.5) };
};
const evenFalse = curveLevels.filter((l) => l.judge === OURS).reduce((a, l) => a + Number(l.days), 0);
const timeTable = table(["class", "ours", ...(curveScores.length ? ["ours from an even chance"] : []), ...judges.map((j) => baselineTexts.get(j) ?? j)],
    [[`falsely flagged days per million (${MODEL})`, million(flaggedDays(OURS), allDays), ...(curveScores.length ?
        [million(evenFalse, curveDays)] : []), ...judges.map((j) => million(flaggedDays(j), allDays))],
    ...classes.map((k) => [k, span(medianOf(k, OURS)), ...(curveScores.length ? [span(evenOf(k).median)] : []),
        ...judges.map((j) => span(medianOf(k, j)))])]);

const slices = readFile(path.join(output, `long-${seeds}.csv`)).filter((r) => r.played === played);
const longDays = sum(slices, "home_days"), longSure = sum(slices, "home_lines_confirmed"), longFirm = sum(slices, "firm_days");
const longFirmTickets = sum(slices, "firm_tickets");
const slicesFalse = fs.existsSync(path.join(output, `long-${seeds}-false.csv`)) ?
    fs.readFileSync(path.join(output, `long-${seeds}-false.csv`), "utf8").trim().split("\n").map((l) => l.split(","))
        .filter((c) => c[0] === played && c[4] === "opened") : [];
const openedBy = new Map();
for (const c of slicesFalse)
    openedBy.set(`${c[3]}, ${c[5]}, ${c[6]}`, (openedBy.get(`${c[3]}, ${c[5]}, ${c[6]}`) ?? 0) + 1);
const long = slices.length === 0 ? [] : ["## The long run", "",
    `${slices.length} slices of the same rules and generator, each a site of 2,000 lines and 30 days (\`long-${seeds}.csv\`): ` +
    `${sum(slices, "rows").toLocaleString("en")} rows. Every figure is ${MODEL}.`, "",
    table(["", "subscriber-days", `tickets per million (${MODEL})`, "lines ticketed", "lines ticketed per million subscriber-days",
        `days confirmed for quarantine per million (${MODEL})`, "lines confirmed"],
    [["residential", longDays.toLocaleString("en"), million(sum(slices, "home_tickets"), longDays), sum(slices, "home_lines_ticketed"),
        between(sum(slices, "home_lines_ticketed"), longDays), million(sum(slices, "home_days_confirmed"), longDays), longSure],
    ["business mail servers", longFirm.toLocaleString("en"), million(longFirmTickets, longFirm), sum(slices, "firm_lines_ticketed"),
        between(sum(slices, "firm_lines_ticketed"), longFirm), sum(slices, "firm_lines_confirmed") ? "see the CSV" :
            `none; below ${(3e6 / Math.max(1, longFirm)).toFixed(2)} (3/n)`, sum(slices, "firm_lines_confirmed")]]), "",
    `What was opened there, by kind, class and ceiling (\`long-${seeds}-false.csv\`): ` +
    `${[...openedBy].sort((x, y) => y[1] - x[1]).map(([k, n]) => `${k}: ${n}`).join("; ") || "nothing"}.`, ""];

// ---- The issue's targets, on all that was played of whole sites.
const bothHome = homeDays + longDays, bothFirm = firmDays + longFirm, sure = sum(ours(true), "confirmed") + longSure;
const bothFirmLines = ours(false).length + sum(slices, "firm_lines_ticketed"), bothFirmTickets = firmTickets + longFirmTickets;
const bothFirmSure = sum(ours(false), "confirmed") + sum(slices, "firm_lines_confirmed");
const firmBound = bothFirmTickets === 0 ? 3 / Math.max(1, bothFirm) : (bothFirmTickets / bothFirm) * (poisson(bothFirmLines)[1] / bothFirmLines);
const behind = wins.flat().filter((w) => w.share > w.mine), later = wins.flat().filter((w) => !w.ahead && w.share === w.mine && w.mine > 0);
const evenLater = later.filter((w) => curveScores.length > 0 && evenOf(w.kind).median > w.times[1]);
const target = (kinds) => summary.filter((s) => kinds.includes(s.kind));
const say = (kinds) => target(kinds).map((s) => `${s.kind} ${percent(s.k / s.n)}, ${span(s.median)}, ${span(s.p90)}`).join("; ");
const verdict = (kinds) => target(kinds).some((s) => verdictOn(s).startsWith("**missed")) ? "**missed**" :
    target(kinds).some((s) => verdictOn(s).includes("interval")) ? "reached; the interval reaches below" : "reached";
const targetTable = [["fast bots found 99 % plain, 95 % TLS; median 120 s, 90th percentile 300 s", say(["fast_plain", "fast_tls"]),
    verdict(["fast_plain", "fast_tls"])],
["slow bots found 90 %, median 6 h", say(["slow_plain", "slow_tls"]), verdict(["slow_plain", "slow_tls"])],
["SOCKS relays and guessers found 95 %", say(["socks", "guesser", "guesser_tls"]), verdict(["socks", "guesser", "guesser_tls"])],
["backconnect proxies found 80 %", say(["backconnect"]), verdict(["backconnect"])],
[`no false quarantine in 3,000,000 residential subscriber-days (${MODEL})`, `${sure} lines in ${bothHome.toLocaleString("en")}: ` +
    between(sure, bothHome) + " per million", sure > 0 ? "**missed**" : bothHome >= 3e6 ? "reached" : "**not shown: too few days**"],
[`small businesses' mail servers ticketed at most 0.02 % a day (${MODEL})`, `${bothFirmTickets} tickets of ${bothFirmLines} lines in ` +
    `${bothFirm.toLocaleString("en")} days: ${(100 * bothFirmTickets / Math.max(1, bothFirm)).toFixed(4)} % a day, at most ` +
    `${(100 * firmBound).toFixed(4)} % (95 %, over lines)`, bothFirmTickets / Math.max(1, bothFirm) > 0.0002 ? "**missed**" :
    firmBound > 0.0002 ? "reached; the interval reaches above" : "reached"],
[`and never quarantined (${MODEL})`, `${bothFirmSure} lines: ${between(bothFirmSure, bothFirm)} per million`, bothFirmSure > 0 ?
    "**missed**" : "none seen"],
["ahead of every baseline in each class at its own false-alarm rate", `${wins.flat().length} pairs of class and baseline: ${behind.length} ` +
    `find more than ours, ${later.length} find as many sooner` + (curveScores.length === 0 ? "" : `; opened from an even chance on ours is ` +
    `later than ${evenLater.length} of these (flagged ${evenFalse} of ${curveDays.toLocaleString("en")} days falsely)`), behind.length > 0 ? "**missed**" : later.length > 0 ?
    "reached in share, **missed in time**" : "reached"]];

// ---- Clients
function printTable() {
    const on = read("scores.csv", prints), off = read("scores.csv", printsOff);
    const pick = (list, kind) => list.filter((r) => r.guilty === "1" && r.judge === OURS && r.kind === kind);
    const kinds = [...new Set(on.filter((r) => r.guilty === "1").map((r) => r.kind))];
    const show = (list) => { const hit = found(list), t = hit.map((r) => Number(r.found_s));
        return `${hit.length} of ${list.length}, ${span(quantile(t, list.length, 0.5))}, ${span(quantile(t, list.length, 0.9))}`; };
    const says = read("verdicts.csv", prints).filter((v) => v.event === "opened" && /client-print/.test(v.evidence));
    const wronged = [...new Set(says.filter((v) => v.guilty === "0").map((v) => v.kind))].join(", ");
    const lines = read("totals.csv", prints).filter((t) => !kinds.some((k) => k.startsWith(t.kind))).reduce((a, t) => a + Number(t.lines), 0);
    return ["## Clients that bots have in common", "",
        `Sites as above, of ${lines.toLocaleString("en")} innocent lines together that show the TLS clients of mail programs and servers (a ` +
        `model's figure), and on each three fast bots, then three slow and three crafty ones of a program with a TLS client of its own, and as ` +
        `many that use a library which servers use too. Found, median, 90th percentile, with the detector \`client-print\` and without. Sites ` +
        "of the guilty alone show no clients: where all are bots every client is a bot's.", "",
        table(["class", "with", "without"], kinds.map((k) => [k, show(pick(on, k)), show(pick(off, k))])), "",
        `It was part of ${says.filter((v) => v.guilty === "1").length} first tickets of bots and of ` +
        `${says.filter((v) => v.guilty === "0").length} tickets of innocents${wronged ? `: ${wronged}` : ""} (${MODEL}).`, ""];
}

const notes = path.join(output, `notes-${seeds}.md`);
const page = [`# Evaluation on ${seeds} seeds`, "",
    "Made by `scripts/evaluate`; do not edit. How it is done, and what it cannot show, is in [method.md](method.md).", "",
    table(["", ""], [["commit", `\`${commit}\``], ["rules", facts.get("rules")], ["seeds", seeds],
        ...[...facts].filter(([k]) => k.startsWith("configuration")).map(([k, v]) => [k, `\`${v}\``]),
        ["rows judged", rows.toLocaleString("en")], ["days warm-up, days counted, days of attacks",
            `${facts.get("warm")}, ${facts.get("days")}, ${facts.get("attack days")}`],
        ["subscriber-days of whole sites", `${homeDays.toLocaleString("en")} residential, ${firmDays.toLocaleString("en")} of businesses with a mail server`],
        ["real machines", facts.get("real bots")]]), "",
    "Assumptions: every rate is drawn from the ranges at the end of this page; lines are independent but for what strikes a whole site (outages, boots, changes of hands); " +
    "detection time is packet time at the row's cut, without the collector's delay (a few seconds).", "",
    ...(fs.existsSync(notes) ? [fs.readFileSync(notes, "utf8").trim(), ""] : []),
    "## Targets", "",
    "On test seeds, whole sites and the long run together. Why a target is missed stands above.", "",
    table(["target", "measured", ""], targetTable), "",
    "## The guilty", "",
    "Scored once a party. A miss is infinitely late. Sessions are what the party began until it was found.", "",
    table(["class", "parties", "found", "95 % (Wilson)", "named rightly", "confirmed for quarantine", "median", "90th pct",
        "sessions, median", "90th pct", "without / with a clean past", "target"],
    summary.map((s) => [`${s.kind}: ${texts.get(s.kind)?.text ?? realTexts.get(s.kind) ?? ""}`, s.n, percent(s.k / s.n),
        `${percent(s.ci[0])} to ${percent(s.ci[1])}`, s.right, s.confirmed, span(s.median), span(s.p90), count(s.sessions),
        count(s.sessions90), `${s.fresh}/${s.freshN}, ${s.past}/${s.pastN}`, verdictOn(s)])), "",
    `![time to detect, bots](times-bots${mark}.svg)`, "", `![time to detect, others](times-others${mark}.svg)`, "",
    `## The innocent (${MODEL})`, "",
    `Whole sites, each kind as often as assumed. Every figure here is ${MODEL}: it says how the rules fare with the ` +
    "households of the generator, not with anybody's real subscribers.", "",
    "Intervals are of 95 %, over lines: a line that is ticketed on many days is one mistake.", "",
    table(["", "subscriber-days", `tickets per million (${MODEL})`, `lines ticketed`, "lines ticketed per million subscriber-days",
        `days confirmed for quarantine per million (${MODEL})`, "lines confirmed"],
    [["residential", homeDays.toLocaleString("en"), million(homeTickets, homeDays), ours(true).length,
        between(ours(true).length, homeDays), million(sum(ours(true), "confirmed_days"), homeDays), sum(ours(true), "confirmed")],
    ["business mail servers", firmDays.toLocaleString("en"), million(firmTickets, firmDays), ours(false).length,
        between(ours(false).length, firmDays), million(sum(ours(false), "confirmed_days"), firmDays), sum(ours(false), "confirmed")]]), "",
    `On the days on which clocks change: ${sum(siteScores.filter((r) => r.judge === OURS), "clock_day")} lines ticketed in ` +
    `${clockDays.toLocaleString("en")} subscriber-days; over all days ${between(ours(true).length + ours(false).length, allDays)} per ` +
    `million. (${MODEL})`, "",
    `By kind, whole sites and a site with as many of each kind together (${MODEL}):`, "",
    table(["kind", "lines in a million (assumed)", "lines", "subscriber-days", "lines ticketed", "tickets",
        "lines confirmed for quarantine", "tickets per million subscriber-days"],
    kindTable.map((k) => [`${k.kind}: ${texts.get(k.kind)?.text ?? ""}`, texts.get(k.kind)?.frequency ?? "", k.lines,
        k.days.toLocaleString("en"), k.hit, k.tickets, k.confirmed, million(k.tickets, k.days)])), "",
    ...long,
    ...(prints.length > 0 ? printTable() : []),
    `## Behind a block of port 25 (${MODEL})`, "",
    "A declared block: the lines of households and the odd kinds among them on a site that says `port25: blocked-after`, and whole " +
    "such sites. A new one: whole sites on which port 25 of households is dropped from eleven on the second day, and nobody says so.", "",
    table(["kind", "lines", "subscriber-days", "lines ticketed", "tickets", "lines confirmed for quarantine"],
        blockedTable.filter((k) => k.hit > 0 || k.kind === "household").map((k) => [k.kind, k.lines, k.days.toLocaleString("en"),
            k.hit, k.tickets, k.confirmed])), "",
    `Other kinds played there, none ticketed: ${blockedTable.filter((k) => k.hit === 0 && k.kind !== "household")
        .map((k) => k.kind).join(", ")}.`, "",
    table([`days flagged per million subscriber-days (${MODEL})`, "open", "declared block", "a block begins"],
        [OURS, ...judges].map((j) => [baselineTexts.get(j) ?? j, ...["sites", "sites-blocked", "new-block"]
            .map((set) => flaggedRate(j, set))])), "",
    `## Against the baselines (${MODEL})`, "",
    "On the same rows. A day of a line counts as falsely flagged once. *Ours* is the share found when our threshold is " +
    "raised until no more subscriber-days are falsely flagged than by the baseline; where we flag fewer to begin with it is " +
    "our ordinary share, a lower bound of what we could find at their rate. *Later*: as many are found and the " +
    "baseline's median is earlier (ours to theirs); *behind*: the baseline finds more.", "",
    table(["baseline", `falsely flagged per million subscriber-days (${MODEL})`, ...classes],
        [[`postern`, million(flaggedDays(OURS), allDays), ...classes.map((k) => percent(shareAt(k, Infinity)))],
            ...judges.map((j, i) => [baselineTexts.get(j) ?? j, million(flaggedDays(j), allDays),
                ...wins.map((w) => `${percent(w[i].share)} / ours ${percent(w[i].mine)}${w[i].ahead ? "" : w[i].mine === w[i].share ? w[i].mine > 0 ?
                    `, later: ${w[i].times.map(span).join(" to ")}` : "" : " **behind**"}`)])]), "",
    `Median time to detect; a class of which less than half is found has none. *From an even chance*: the run of the trade-off curves, ` +
    `${evenOf(classes[0] ?? "").n} parties a class, ` + "where our verdicts open as soon as the evidence is more for than against.", "", timeTable, "",
    ...(curveScores.length === 0 ? [] : [`![trade-off](trade-off${mark}.svg)`, "",
        `Share found against falsely flagged subscriber-days per million (${MODEL}; 1 stands for 1 and fewer), as each rule's limit is ` +
        `lowered: a run of its own, ${curveDays.toLocaleString("en")} subscriber-days of whole sites, our verdicts opened from an even ` +
        `chance on. A percentage or a count has no lower end; ours ends where two kinds of evidence are not there. Figures: ` +
        `\`trade-off-${seeds}.csv\`.`, ""]),
    "## Rates of the generator", "",
    table(["key", "low", "high", "unit", "source"], rates), ""].join("\n");
fs.writeFileSync(path.join(output, seeds.startsWith("test") ? "index.md" : `${seeds}.md`), page);
const bots = classes.filter((k) => /^(fast|slow)_/.test(k) || (/_open$/.test(k) && realTexts.has(k)));
fs.writeFileSync(path.join(output, `times-bots${mark}.svg`), plotTimes(bots.slice(0, 8)));
fs.writeFileSync(path.join(output, `times-others${mark}.svg`), plotTimes(classes.filter((k) => !bots.includes(k)).slice(0, 12)));
if (curveScores.length > 0) {
    fs.writeFileSync(path.join(output, `trade-off${mark}.svg`), plotTrade());
    csv(`trade-off-${seeds}.csv`, ["judge", "class", ...atRates.map((r) => `found_at_${r}_per_million`)],
        [OURS, ...judges].flatMap((j) => classes.map((k) => [j, k, ...atRates.map((r) => shareWithin(curveOf(k, j), r).toFixed(4))])));
}
csv(`classes-${seeds}.csv`, ["class", "parties", "found", "wilson_low", "wilson_high", "named_rightly", "confirmed", "median_s",
    "p90_s", "sessions_median", "sessions_p90"], summary.map((s) => [s.kind, s.n, s.k, s.ci[0].toFixed(4), s.ci[1].toFixed(4),
    s.right, s.confirmed, s.median, s.p90, s.sessions, s.sessions90]));
csv(`innocents-${seeds}.csv`, ["kind", "lines", "subscriber_days", "lines_ticketed", "tickets", "lines_confirmed"],
    kindTable.map((k) => [k.kind, k.lines, k.days, k.hit, k.tickets, k.confirmed]));
csv(`blocked-${seeds}.csv`, ["kind", "lines", "subscriber_days", "lines_ticketed", "tickets", "lines_confirmed"],
    blockedTable.map((k) => [k.kind, k.lines, k.days, k.hit, k.tickets, k.confirmed]));
csv(`baselines-${seeds}.csv`, ["baseline", "class", "falsely_flagged_per_million", "found", "ours_at_that_rate", "ahead"],
    wins.flat().map((w) => [w.j, w.kind, ((flaggedDays(w.j) * 1e6) / Math.max(1, allDays)).toFixed(2), w.share.toFixed(4),
        w.mine.toFixed(4), w.ahead ? 1 : 0]));
csv(`false-${seeds}.csv`, ["kind", "event", "class", "ceiling", "state", "log_odds", "evidence"],
    [...new Set(verdicts.filter((v) => v.guilty === "0").map((v) => v.kind))].flatMap((kind) => verdicts.filter((v) =>
        v.guilty === "0" && v.kind === kind && v.event === "opened").slice(0, 20)).map((v) => [v.kind, v.event, v.class, v.ceiling, v.state, v.log_odds,
        v.evidence]));
