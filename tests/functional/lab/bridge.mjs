// Joins two connections, so that a SOCKS server behind an outgoing connection can be reached: what a
// back-connect proxy does.
// usage: bridge.mjs dial FROM HOST:PORT HOST:PORT     connects to both (the first from FROM)
//        bridge.mjs meet HOST:PORT HOST:PORT          takes one connection on each
// Ends when either side ends; meet prints "ready" when it listens on both.
import net from "node:net";

const [mode, ...rest] = process.argv.slice(2);
const place = (text) => {
    const colon = text.lastIndexOf(":");
    return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
};

function join(a, b) {
    for (const [one, other] of [[a, b], [b, a]]) {
        one.pipe(other);
        one.on("error", () => process.exit(0));
        one.on("close", () => setTimeout(() => process.exit(0), 100));
    }
}

setTimeout(() => process.exit(1), 15000).unref();
if (mode === "dial") {
    const [from, far, near] = rest;
    join(net.connect({ ...place(far), localAddress: from, noDelay: true }), net.connect(place(near)));
} else {
    const taken = [];
    let ready = 0;
    for (const where of rest) {
        const server = net.createServer((socket) => {
            server.close();
            taken.push(socket);
            if (taken.length === 2) join(...taken);
        });
        server.listen(place(where), () => ++ready === 2 && console.log("ready"));
    }
}
