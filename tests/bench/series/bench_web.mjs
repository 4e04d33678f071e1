// Pages and uncached pictures a second, apart and together. Measures, never judges.
//   node bench_web.mjs POSTERN-WEB STATE-FOLDER SUBSCRIBER...
// The folder needs series of the subscribers named (postern replay --state writes one).
import { spawn } from 'node:child_process';
import http from 'node:http';
import net from 'node:net';

const [program, state, ...subscribers] = process.argv.slice(2);
if (!subscribers.length) {
  console.error('usage: node bench_web.mjs POSTERN-WEB STATE-FOLDER SUBSCRIBER...');
  process.exit(64);
}

const port = await new Promise((done) => {
  const s = net.createServer().listen(0, '127.0.0.1', () => {
    const { port: p } = s.address();
    s.close(() => done(p));
  });
});
const server = spawn(program, ['--state', state, '--listen', `127.0.0.1:${port}`],
  { stdio: ['ignore', 'ignore', 'inherit'] });

const ask = (path) => new Promise((done, failed) => {
  http.get({ host: '127.0.0.1', port, path, agent: false }, (answer) => {
    answer.resume();
    answer.on('end', () => done(answer.statusCode));
  }).on('error', failed);
});
for (let i = 0; i < 100; i++) {
  try { await ask('/style.css'); break; } catch { await new Promise((done) => setTimeout(done, 100)); }
}

async function run(title, paths, together) {
  const times = [];
  let next = 0, bad = 0;
  const began = performance.now();
  await Promise.all(Array.from({ length: together }, async () => {
    while (next < paths.length) {
      const path = paths[next++], t = performance.now();
      if (await ask(path) !== 200) bad++;
      times.push(performance.now() - t);
    }
  }));
  const seconds = (performance.now() - began) / 1000;
  times.sort((a, b) => a - b);
  const at = (q) => times[Math.floor(times.length * q)].toFixed(0);
  console.log(`${title}: ${(paths.length / seconds).toFixed(0)} a second, ` +
    `${at(0.5)} ms in the middle, ${at(0.99)} ms for 99 of 100, ${bad} not answered with 200`);
}

const views = ['connections', 'mail', 'peers', 'socks'];
let hours = 24; // each range once, so that none comes from the cache
const graphs = (n) => Array.from({ length: n }, (_, i) => {
  const who = encodeURIComponent(subscribers[i % subscribers.length]);
  if (i % views.length === 0) hours++;
  return `/graph/subscriber/${views[i % views.length]}.png?name=${who}&from=now-${hours}h`;
});
const pages = (n) => Array.from({ length: n }, (_, i) =>
  `/subscribers/${encodeURIComponent(subscribers[i % subscribers.length])}?range=day`);

await run('uncached pictures', graphs(200), 4);
await run('pages', pages(1000), 4);
await Promise.all([run('uncached pictures, with pages', graphs(200), 4),
  run('pages, with pictures', pages(1000), 2)]);
server.kill('SIGTERM');
