// Pages and uncached pictures a second, apart and together. Measures, never judges.
//   node bench_web.mjs BUILD-FOLDER STATE-FOLDER SUBSCRIBER...
// The folder needs series of the subscribers named (postern replay --state writes one). The requests come
// from tests/bench_get (get.c), whose own share of the processor is small and part of what is told.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';

const [build, state, ...subscribers] = process.argv.slice(2);
if (!subscribers.length) {
  console.error('usage: node bench_web.mjs BUILD-FOLDER STATE-FOLDER SUBSCRIBER...');
  process.exit(64);
}
spawnSync('ninja', ['-C', build, 'bench_get', 'bin/postern-web'], { stdio: 'ignore' });

const port = await new Promise((done) => {
  const s = net.createServer().listen(0, '127.0.0.1', () => {
    const { port: p } = s.address();
    s.close(() => done(p));
  });
});
const server = spawn(path.join(build, 'bin/postern-web'), ['--state', state, '--listen', `127.0.0.1:${port}`],
  { stdio: ['ignore', 'ignore', 'ignore'] });
for (let i = 0; i < 100; i++) {
  const up = await new Promise((done) => {
    const s = net.connect(port, '127.0.0.1', () => { s.destroy(); done(true); }).on('error', () => done(false));
  });
  if (up) break;
  await new Promise((done) => setTimeout(done, 100));
}

// Seconds of processor of a process and its children that have ended, and of the drawing processes.
const ticks = (pid) => {
  const f = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
  return (Number(f[11]) + Number(f[12])) / 100;
};
const drawing = () => readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'latin1')
  .trim().split(' ').filter(Boolean);
const spent = () => ticks(server.pid) + drawing().reduce((n, pid) => n + ticks(pid), 0);
const load = () => readFileSync('/proc/loadavg', 'latin1').split(' ').slice(0, 1).join(' ');

const run = (connections, seconds, rate, paths) => new Promise((done) => {
  const client = spawn(path.join(build, 'tests/bench_get'), [port, connections, seconds, rate].map(String),
    { stdio: ['pipe', 'pipe', 'inherit'] });
  let text = '';
  client.stdout.on('data', (d) => { text += d; });
  client.on('close', () => done(JSON.parse(text)));
  client.stdin.end(`${paths.join('\n')}\n`);
});
const say = (title, r) => console.log(`${title}: ${r.a_second} a second, ${r.ms_50} ms in the middle, ` +
  `${r.ms_99} ms for 99 of 100, at most ${r.ms_most}; ${r.not_200} of ${r.answered} not answered with 200`);

const views = ['connections', 'mail', 'peers', 'socks'];
let minutes = 1440; // each range once, so that none comes from the cache
const graphs = (n) => Array.from({ length: n }, (_, i) => {
  const who = encodeURIComponent(subscribers[i % subscribers.length]);
  return `/graph/subscriber/${views[i % views.length]}.png?name=${who}&from=now-${minutes++}m`;
});
const pages = subscribers.flatMap((s) => ['day', 'week', 'month'].map((range) =>
  `/subscribers/${encodeURIComponent(s)}?range=${range}`));
const day = subscribers.map((s) => `/subscribers/${encodeURIComponent(s)}?range=day`);

const measure = async (title, what) => {
  const before = spent(), began = performance.now();
  await what();
  const seconds = (performance.now() - began) / 1000;
  console.log(`  ${title}: ${((spent() - before) / seconds).toFixed(2)} processors by the server, load ${load()}`);
};
await run(2, 1, 0, graphs(200)); // the drawing processes are there
await measure('alone', async () => say('uncached pictures', await run(4, 10, 0, graphs(5000))));
await measure('alone', async () => say('pages of a day', await run(4, 10, 0, day)));
await measure('alone', async () => say('pages of a day, a week, a month', await run(4, 10, 0, pages)));
await measure('together', async () => {
  const [g, p] = await Promise.all([run(4, 15, 20, graphs(400)), run(4, 15, 200, day)]);
  say('uncached pictures, 20 a second asked for', g);
  say('pages, 200 a second asked for', p);
});
server.kill('SIGTERM');
