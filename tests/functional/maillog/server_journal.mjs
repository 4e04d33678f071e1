// Lines of mail logs as `journalctl -o json` prints them, in the order of their time.
//
// usage: server_journal.mjs LOG...   (traditional stamps, UTC)
import fs from "node:fs";
import process from "node:process";

const entries = [];
for (const file of process.argv.slice(2)) {
    let text = fs.readFileSync(file);
    while (text.length > 0) {
        const end = text.indexOf(10) < 0 ? text.length : text.indexOf(10);
        const line = text.subarray(0, end).toString("latin1");
        text = text.subarray(end + 1);
        const part = /^(\w{3} [ \d]\d [\d:]{8}) (\S+) ([^[: ]+)\[(\d+)\]: (.*)$/.exec(line);
        if (!part) continue;
        const octets = Buffer.from(part[5], "latin1");
        // eslint-disable-next-line no-control-regex -- the journal's own rule for what is no text
        const binary = /[\x00-\x08\x0b-\x1f\x7f-\xff]/.test(part[5]);
        entries.push({
            __REALTIME_TIMESTAMP: String(Date.parse(`${part[1]} ${new Date().getUTCFullYear()} UTC`) * 1000),
            __CURSOR: `s=0;i=${entries.length}`,
            _HOSTNAME: part[2],
            SYSLOG_IDENTIFIER: part[3],
            SYSLOG_PID: part[4],
            MESSAGE: binary ? [...octets] : octets.toString("utf8"),
        });
    }
}
entries.sort((a, b) => Number(a.__REALTIME_TIMESTAMP) - Number(b.__REALTIME_TIMESTAMP));
for (const entry of entries) console.log(JSON.stringify(entry));
