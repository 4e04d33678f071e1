// Asks a running program by its control socket. usage: ask.mjs SOCKET [COMMAND]; prints the result.
import net from "node:net";

const [path, command = "status"] = process.argv.slice(2);
const socket = net.connect(path);
let text = "";
socket.on("connect", () => socket.write(`${JSON.stringify({ v: 1, command })}\n`));
socket.on("data", (data) => {
    text += data;
    if (!text.includes("\n")) return;
    const answer = JSON.parse(text);
    console.log(JSON.stringify(answer.ok ? answer.result : answer.error));
    socket.end();
    process.exitCode = answer.ok ? 0 : 1;
});
socket.on("error", (error) => {
    console.error(`${path}: ${error.message}`);
    process.exitCode = 1;
});
socket.setTimeout(5000, () => {
    console.error(`${path}: no answer`);
    process.exit(1);
});
