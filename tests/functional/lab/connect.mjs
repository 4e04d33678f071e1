// An HTTP proxy that tunnels (CONNECT) for one customer, and asks for the password on a connection that it keeps:
// what is asked again there is answered there.
// usage: connect.mjs HOST:PORT USER:PASSWORD
import net from "node:net";

const [where, customer] = process.argv.slice(2);
const [host, port] = where.split(":");
const wanted = `basic ${Buffer.from(customer).toString("base64")}`;
const refusal = "Who are you?\n";

function place(text) {
    const colon = text.lastIndexOf(":");
    return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}

// The answer to one head: a tunnel, or that a password is wanted.
function answer(socket, head, rest) {
    const [method, target] = head.split(" ");
    const given = /^proxy-authorization: *(.*?)\r?$/im.exec(head)?.[1] ?? "";
    if (method !== "CONNECT" || given.toLowerCase() !== wanted.toLowerCase()) {
        socket.write(
            "HTTP/1.1 407 Proxy Authentication Required\r\n" +
                `Proxy-Authenticate: Basic realm="lab"\r\nContent-Length: ${refusal.length}\r\n\r\n${refusal}`,
        );
        return false;
    }
    const far = net.connect(place(target), () => {
        socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
        far.write(rest);
        socket.pipe(far).pipe(socket);
    });
    far.on("error", () => socket.end("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"));
    socket.on("close", () => far.destroy());
    return true;
}

net.createServer((socket) => {
    let seen = "";
    const read = (data) => {
        seen += data.toString("latin1");
        for (let end; (end = seen.indexOf("\r\n\r\n")) >= 0; ) {
            const head = seen.slice(0, end + 2);
            seen = seen.slice(end + 4);
            if (answer(socket, head, Buffer.from(seen, "latin1"))) {
                socket.off("data", read);
                return;
            }
        }
    };
    socket.on("data", read);
    socket.on("error", () => {});
}).listen(Number(port), host);
