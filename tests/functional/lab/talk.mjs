// Plays a dialogue line by line, for what no ordinary client says. Commands on standard input:
//   -> TEXT     send a line            => TEXT     send octets (escapes \r \n \\), no command
//   <-          wait for one reply     <- close    wait for the other side to close
//   hex AA BB   send octets            read N      wait for N octets, printed as hex
//   wait MS     pause                  close, reset
//   digest USER PASSWORD   answer the challenge of the last reply (DIGEST-MD5, RFC 2831)
// Options: --from ADDRESS --to HOST:PORT [--octets: every octet in a segment of its own].
// The transcript on standard output looks like swaks'.
import { createHash } from "node:crypto";
import net from "node:net";
import { parseArgs } from "node:util";

const { values: option } = parseArgs({
    options: { from: { type: "string" }, to: { type: "string" }, octets: { type: "boolean" } },
});
const colon = option.to.lastIndexOf(":");
const socket = net.connect({
    host: option.to.slice(0, colon).replace(/[[\]]/g, ""),
    port: Number(option.to.slice(colon + 1)),
    localAddress: option.from,
    noDelay: true,
});
setTimeout(() => stop("*** took too long", 1), 15000).unref();

let input = Buffer.alloc(0);
let closed = false;
let wake = () => {};
socket.on("data", (data) => {
    input = Buffer.concat([input, data]);
    wake();
});
for (const event of ["close", "error"])
    socket.on(event, () => {
        closed = true;
        wake();
    });

function stop(text, status) {
    console.log(text);
    process.exit(status);
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// Waits until `ready` returns something.
async function until(ready, what) {
    for (;;) {
        const value = ready();
        if (value !== undefined) return value;
        if (closed) stop(`*** closed while waiting for ${what}`, 1);
        await new Promise((done) => (wake = done));
    }
}

function takeReply() {
    const lines = input.toString("latin1").split("\r\n");
    const last = lines.slice(0, -1).findIndex((line) => /^[0-9]{3}( |$)/.test(line));
    if (last < 0) return undefined;
    const reply = lines.slice(0, last + 1);
    input = input.subarray(reply.reduce((n, line) => n + line.length + 2, 0));
    return reply;
}

async function send(data) {
    if (!option.octets) return void socket.write(data);
    for (const octet of data) {
        socket.write(Buffer.from([octet]));
        await new Promise((done) => setImmediate(done));
    }
}

const octetsOf = (text) =>
    Buffer.from(text.replace(/\\([rn\\])/g, (_, c) => ({ r: "\r", n: "\n", "\\": "\\" })[c]), "latin1");

let lastReply = "";

const md5 = (data) => createHash("md5").update(data).digest();

function digestResponse(user, password) {
    const challenge = Buffer.from(lastReply.slice(4), "base64").toString("latin1");
    const value = (key) => new RegExp(`${key}="?([^",]*)`).exec(challenge)?.[1] ?? "";
    const [realm, nonce, cnonce, uri] = [value("realm"), value("nonce"), "bGFi", "smtp/mail.lab.example"];
    const secret = Buffer.concat([md5(`${user}:${realm}:${password}`), Buffer.from(`:${nonce}:${cnonce}`)]);
    const ends = [md5(secret).toString("hex"), md5(`AUTHENTICATE:${uri}`).toString("hex")];
    const response = md5(`${ends[0]}:${nonce}:00000001:${cnonce}:auth:${ends[1]}`).toString("hex");
    return Buffer.from(
        `username="${user}",realm="${realm}",nonce="${nonce}",cnonce="${cnonce}",nc=00000001,qop=auth,` +
            `digest-uri="${uri}",response=${response},charset=utf-8`,
    ).toString("base64");
}

const actions = {
    "->": async (text) => {
        console.log(` -> ${text}`);
        await send(Buffer.from(`${text}\r\n`, "latin1"));
    },
    "=>": async (text) => send(octetsOf(text)),
    "<-": async (text) => {
        if (text === "close") return until(() => (closed ? true : undefined), "the close");
        for (const line of await until(takeReply, "a reply")) {
            console.log(`<-  ${line}`);
            lastReply = line;
        }
    },
    digest: async (text) => actions["->"](digestResponse(...text.split(" "))),
    hex: async (text) => send(Buffer.from(text.replaceAll(" ", ""), "hex")),
    read: async (text) => {
        const n = Number(text);
        await until(() => (input.length >= n ? true : undefined), "octets");
        console.log(`octets ${input.subarray(0, n).toString("hex")}`);
        input = input.subarray(n);
    },
    wait: async (text) => pause(Number(text)),
    close: async () => void socket.end(),
    reset: async () => void socket.resetAndDestroy(),
};

let script = "";
for await (const part of process.stdin) script += part;
await new Promise((done, fail) => socket.on("connect", done).on("error", fail));
for (const line of script.split("\n").filter((text) => text.trim())) {
    const space = line.indexOf(" ");
    const verb = space < 0 ? line : line.slice(0, space);
    if (!actions[verb]) stop(`*** no such action: ${line}`, 2);
    await actions[verb](space < 0 ? "" : line.slice(space + 1));
}
socket.end();
await until(() => (closed ? true : undefined), "the end");
