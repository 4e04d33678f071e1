// Opens the pages in a real browser: nothing may fail to load, no script may be needed, the pictures
// must be pictures, the ways from page to page must work, and what should be refused is refused.
//
// Needs: POSTERN_BIN (folder of the programs), POSTERN_STATE (a folder that postern replay wrote, with
// at least one ticket). Starts its own postern-web on a free port and ends it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import http from 'node:http';
import net from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';

const bin = process.env.POSTERN_BIN;
const state = process.env.POSTERN_STATE;
const shots = process.env.POSTERN_SHOTS; // a folder for pictures of the pages; none by default
assert.ok(bin && state, 'POSTERN_BIN and POSTERN_STATE must be set');

let server, browser, origin, port, profile;

const freePort = () =>
  new Promise((done) => {
    const s = net.createServer();
    s.listen(0, '127.0.0.1', () => {
      const { port: p } = s.address();
      s.close(() => done(p));
    });
  });

// A raw request, so that the Host header is ours to choose.
const ask = (requestPath, { host = `127.0.0.1:${port}`, method = 'GET', headers = {} } = {}) =>
  new Promise((done, failed) => {
    const r = http.request(
      { host: '127.0.0.1', port, path: requestPath, method, agent: false, headers: { Host: host, ...headers } },
      (answer) => {
        const parts = [];
        answer.on('data', (d) => parts.push(d));
        answer.on('end', () =>
          done({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }));
      });
    r.on('error', failed);
    r.end();
  });

before(async () => {
  port = await freePort();
  origin = `http://127.0.0.1:${port}`;
  server = spawn(path.join(bin, 'postern-web'), ['--state', state, '--listen', `127.0.0.1:${port}`],
    { stdio: ['ignore', 'inherit', 'inherit'] });
  for (let i = 0; ; i++) {
    try {
      await ask('/');
      break;
    } catch (e) {
      assert.equal(server.exitCode, null, 'postern-web ended at once');
      assert.ok(i < 200, `postern-web does not answer: ${e.message}`);
      await new Promise((done) => setTimeout(done, 100));
    }
  }
  profile = mkdtempSync(path.join(os.tmpdir(), 'postern-pages-'));
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    env: { ...process.env, HOME: profile },
  });
});

after(async () => {
  await browser?.close();
  if (server && server.exitCode === null) {
    // With graphs being drawn, requests half sent and connections kept open.
    const busy = Array.from({ length: 30 }, (_, i) => net.connect(port, '127.0.0.1', function go() {
      this.on('error', () => {});
      this.write(i % 3 === 0 ? 'GET / HTTP/1.1\r\nHo'
        : `GET /graph/site/mail.png?name=site&from=now-${i + 100}m HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    }));
    await new Promise((done) => setTimeout(done, 50));
    const ended = new Promise((done) => server.on('exit', (code) => done(code)));
    const began = Date.now();
    server.kill('SIGTERM');
    assert.equal(await ended, 0, 'postern-web ends cleanly on SIGTERM');
    assert.ok(Date.now() - began < 3000, `SIGTERM took ${Date.now() - began} ms`);
    busy.forEach((s) => s.destroy());
  }
  if (profile) rmSync(profile, { recursive: true, force: true });
});

// A page without scripts that notes all that goes wrong.
async function open(where, options = {}) {
  const context = await browser.newContext({ javaScriptEnabled: false, ...options });
  const page = await context.newPage();
  const wrong = [];
  // Leaving a page cuts off what it was still loading: that is no fault.
  page.on('requestfailed', (r) => r.failure()?.errorText === 'net::ERR_ABORTED'
    || wrong.push(`${r.url()} ${r.failure()?.errorText}`));
  page.on('response', (r) => r.status() >= 400 && wrong.push(`${r.url()} ${r.status()}`));
  page.on('console', (m) => m.type() === 'error' && wrong.push(m.text()));
  page.on('request', (r) => r.url().startsWith(origin) || wrong.push(`asks ${r.url()}`));
  await page.goto(origin + where);
  return { context, page, wrong };
}

// Scrolls every picture into view, waits for it, and gives their natural widths.
async function pictures(page) {
  const widths = [];
  for (const image of await page.locator('img').all()) {
    await image.scrollIntoViewIfNeeded();
    const src = await image.getAttribute('src');
    const answer = await ask(src);
    assert.equal(answer.status, 200, src);
    assert.equal(answer.headers['content-type'], 'image/png');
    assert.deepEqual([...answer.body.subarray(0, 4)], [0x89, 0x50, 0x4e, 0x47]);
    widths.push(answer.body.readUInt32BE(16));
  }
  return widths;
}

const tickets = async () => JSON.parse((await ask('/api/v1/tickets')).body).tickets;

test('from the site to a ticket to its subscriber, without scripts', async () => {
  const { context, page, wrong } = await open('/');
  assert.match(await page.title(), /Postern/);
  assert.ok(await page.locator('tbody tr').count() > 0);
  assert.equal((await pictures(page)).length, 4);
  if (shots) await page.screenshot({ path: path.join(shots, 'site.png'), fullPage: true });
  await page.locator('a[href^="/tickets/"]').first().click();
  assert.match(await page.locator('h1').innerText(), /^Ticket \d+$/);
  assert.ok((await page.locator('.sentence').innerText()).length > 20);
  assert.ok(await page.locator('h2:has-text("Evidence") + div tbody tr').count() >= 1);
  assert.equal((await pictures(page)).length, 4);
  if (shots) await page.screenshot({ path: path.join(shots, 'ticket.png'), fullPage: true });
  await page.locator('dl a[href^="/subscribers/"]').click();
  assert.ok(await page.locator('tbody a[href^="/tickets/"]').count() >= 1);
  const widths = await pictures(page);
  assert.equal(widths.length, 4);
  assert.ok(widths.every((w) => w > 600), `${widths}`);
  assert.ok(await page.locator('h2:has-text("numbers") ~ div td.number').count() > 8);
  if (shots) await page.screenshot({ path: path.join(shots, 'subscriber.png'), fullPage: true });
  for (const range of ['week', 'month', 'year']) {
    await page.locator(`.ranges a:has-text("${range}")`).click();
    assert.equal(await page.locator('.ranges strong').innerText(), range);
    assert.equal((await pictures(page)).length, 4);
  }
  assert.deepEqual(wrong, []);
  await context.close();
});

test('with scripts: the same numbers, a crosshair, and zoom', async () => {
  const list = await tickets();
  const { context, page, wrong } = await open(`/subscribers/${encodeURIComponent(list[0].subscriber)}`,
    { javaScriptEnabled: true });
  await page.locator('#chart canvas').waitFor();
  const values = () => page.locator('#chart .u-legend .u-value').allInnerTexts();
  const shown = () => page.locator('#chart').getAttribute('data-shown');
  const over = page.locator('#chart .u-over');
  await over.scrollIntoViewIfNeeded();
  const box = await over.boundingBox();
  const middle = box.y + box.height / 2;
  // The crosshair reads what the API says of that time.
  await page.mouse.move(box.x + box.width * 0.99, middle);
  const [when, established] = await values();
  assert.match(when, /^\d{4}-\d\d-\d\d \d\d:\d\d(, [\d.]+ % watched)?$/);
  assert.match(await page.locator('#chart .note').innerText(), /^In all: established [\d,]+.*Watched: [\d.]+ % of this time/);
  const api = await page.locator('#chart').getAttribute('data-api');
  const from = Date.parse(`${when.slice(0, 16).replace(' ', 'T')}Z`) / 1000;
  const one = JSON.parse((await ask(`${api}&from=${from}&to=${from + 60}`)).body);
  assert.equal(established, one.samples[0].average[0] === null ? '-'
    : String(Math.round(one.samples[0].average[0])));
  // Dragging asks for the stretch; a double click goes back.
  const before = await shown();
  await page.mouse.move(box.x + box.width * 0.9, middle);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.98, middle, { steps: 5 });
  await page.mouse.up();
  await page.waitForFunction((was) => document.getElementById('chart').dataset.shown !== was, before);
  const [a, b] = (await shown()).split('-').map(Number);
  const [c, d] = before.split('-').map(Number);
  assert.ok(a > c && b - a < (d - c) / 5, `${before} became ${a}-${b}`);
  await page.locator('#chart .u-over').dblclick();
  await page.waitForFunction((was) => document.getElementById('chart').dataset.shown === was, before);
  for (const view of ['1', '2', '3']) {
    await page.locator('#chart-view').selectOption(view);
    await page.locator('#chart canvas').waitFor();
  }
  if (shots) await page.screenshot({ path: path.join(shots, 'chart.png'), fullPage: true });
  assert.deepEqual(wrong, []); // nor a word of the content security policy
  await context.close();
});

test('of an address that changed hands, each party sees its own time', async () => {
  const name = process.env.POSTERN_LEASED;
  const { context, page, wrong } = await open(`/subscribers/${name}`);
  const whose = page.locator('p.ranges', { hasText: 'Whose:' });
  const chosen = () => whose.locator('strong').innerText();
  // What the page's own pictures and numbers ask for.
  const asked = async () => new URL(await page.locator('figure img').first().getAttribute('src'), origin)
    .searchParams;
  const minutes = async (query) => {
    const series = JSON.parse((await ask(`/api/v1/series/subscriber?name=${name}` +
      `&from=2026-03-02T10:00:00Z&to=2026-03-02T11:00:00Z${query}`)).body);
    return series.samples.map((s) => s.average[0]);
  };
  // The present party, from its first minute on and no earlier.
  assert.match(await chosen(), /^line:after since 2026-03-02 10:3\d/);
  const began = Number((await asked()).get('own_from'));
  assert.ok(began >= Date.parse('2026-03-02T10:30:00Z') / 1000);
  assert.equal((await asked()).get('own_to'), null);
  const edge = (began - Date.parse('2026-03-02T10:00:00Z') / 1000) / 60;
  const after = await minutes(`&own_from=${began}`);
  assert.ok(after.slice(0, edge).every((v) => v === null) && after.slice(edge).every((v) => v !== null));
  assert.ok(after.some((v) => v > 0));
  await pictures(page);
  // Its range keeps whose it is.
  await page.locator('.ranges a:has-text("week")').click();
  assert.match(await chosen(), /^line:after/);
  // The one before: shown from its beginning to its end.
  await whose.locator('a:has-text("line:before")').click();
  assert.match(await chosen(), /^line:before/);
  // Around the change it may have been nobody's for sure.
  const ended = Number((await asked()).get('own_to'));
  assert.ok(ended <= began && ended > began - 15 * 60);
  assert.equal((await asked()).get('to'), String(ended));
  const before = await minutes(`&own_from=${(await asked()).get('own_from')}&own_to=${ended}`);
  assert.ok(before.slice(edge).every((v) => v === null) && before.some((v) => v > 0));
  await pictures(page);
  if (shots) await page.screenshot({ path: path.join(shots, 'lease.png'), fullPage: true });
  await page.locator('.ranges a:has-text("month")').click();
  assert.match(await chosen(), /^line:before/);
  assert.equal((await asked()).get('own_to'), String(ended));
  // All of the address, when asked for.
  await whose.locator('a:has-text("all")').click();
  assert.equal(await chosen(), 'all');
  assert.equal((await asked()).get('own_from'), null);
  await page.locator('.ranges a:has-text("week")').click();
  assert.equal(await chosen(), 'all');
  const all = await minutes('');
  for (const [i, v] of all.entries()) assert.equal(v, after[i] ?? before[i] ?? v);
  assert.deepEqual(wrong, []);
  await context.close();
});

test('sensors have pages of their own', async () => {
  const { context, page, wrong } = await open('/');
  await page.locator('a[href^="/sensor/"]').first().click();
  assert.match(await page.locator('h1').innerText(), /^Sensor /);
  assert.equal((await pictures(page)).length, 3);
  assert.ok(await page.locator('td.number').count() > 8);
  if (shots) await page.screenshot({ path: path.join(shots, 'sensor.png'), fullPage: true });
  assert.deepEqual(wrong, []);
  await context.close();
  assert.equal((await ask('/sensor/nowhere')).status, 404);
  assert.equal((await ask('/pop/..%2f..%2fetc')).status, 404);
  assert.equal((await ask('/graph/sensor/mail.png?name=sensor')).status, 404);
  assert.equal((await ask('/graph/site/packets.png?name=site')).status, 404);
});

test('a picture drawn a moment ago is not drawn again', async () => {
  const where = '/graph/site/mail.png?name=site&range=week';
  const first = await ask(where);
  const again = await ask(where, { headers: { 'If-None-Match': first.headers.etag } });
  assert.equal(again.status, 304);
  assert.match(first.headers['cache-control'], /max-age=\d+/);
  const began = Date.now();
  for (let i = 0; i < 50; i++) assert.equal((await ask(where)).body.length, first.body.length);
  assert.ok(Date.now() - began < 1500, `50 from the cache took ${Date.now() - began} ms`);
});

test('free ranges: relative, epoch and ISO', async () => {
  const at = Math.floor(Date.parse((await tickets())[0].first_seen) / 1000);
  assert.ok(at > 0);
  const iso = (t) => new Date(t * 1000).toISOString();
  const name = encodeURIComponent((await tickets())[0].subscriber);
  const read = async (range) => JSON.parse((await ask(`/api/v1/series/subscriber?name=${name}&${range}`)).body);
  const epoch = await read(`from=${at - 600}&to=${at + 600}`);
  assert.deepEqual(await read(`from=${iso(at - 600)}&to=${iso(at + 600)}`), epoch);
  assert.equal((await read('from=now-2h&to=now-1h')).samples.length, 60);
  for (const format of ['png', 'svg'])
    for (const range of ['range=day', 'range=year', `from=${at}&to=now`, `from=${iso(at)}`, 'from=now-24h'])
      for (const theme of ['light', 'dark'])
        assert.equal((await ask(`/graph/subscriber/connections.${format}?name=${name}&${range}&theme=${theme}`))
          .status, 200, `${format} ${range} ${theme}`);
});

test('dark and narrow', async () => {
  const { context, page, wrong } = await open('/', {
    colorScheme: 'dark', viewport: { width: 390, height: 800 },
  });
  await pictures(page);
  const source = await page.locator('picture source').first().getAttribute('srcset');
  assert.match(source, /theme=dark/);
  if (shots) await page.screenshot({ path: path.join(shots, 'dark.png'), fullPage: true });
  assert.deepEqual(wrong, []);
  // On a phone's width nothing of a picture is cut, and none of the page lies beside the screen.
  const subscriber = encodeURIComponent((await tickets())[0].subscriber);
  await page.goto(`${origin}/subscribers/${subscriber}?range=week`);
  for (const image of await page.locator('figure img').all()) {
    await image.scrollIntoViewIfNeeded();
    await image.evaluate((i) => i.decode());
    const { shown, natural, from } = await image.evaluate((i) =>
      ({ shown: i.clientWidth, natural: i.naturalWidth, from: i.currentSrc }));
    assert.match(from, /width=220/);
    assert.ok(natural <= shown + 1 && natural > 300, `${natural} shown as ${shown}`);
  }
  const beside = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  assert.ok(beside[0] <= beside[1], `${beside}`);
  await context.close();
});

test('the finder leads to a subscriber', async () => {
  const [first] = await tickets();
  const { context, page } = await open('/tickets');
  await page.locator('#find').fill(first.subscriber);
  await page.locator('button').click();
  assert.match(page.url(), /subscriber=/);
  assert.ok(await page.locator('tbody a[href^="/tickets/"]').count() >= 1);
  await context.close();
});

test('the API says what the pages say', async () => {
  const list = await tickets();
  assert.ok(list.length > 0);
  const [first] = list;
  const one = JSON.parse((await ask(`/api/v1/tickets/${first.number}`)).body);
  assert.equal(one.subscriber, first.subscriber);
  assert.ok(one.verdict.evidence.length > 0);
  const feed = JSON.parse((await ask('/api/v1/feed?after=0')).body).changes;
  feed.forEach((change, i) => assert.equal(change.change, i + 1));
  const name = encodeURIComponent(first.subscriber);
  const series = JSON.parse((await ask(`/api/v1/series/subscriber?name=${name}&range=day`)).body);
  assert.equal(series.step_s, 60);
  assert.equal(series.samples.length, 1440);
  const seen = series.samples.some((s) => s.average.some((v) => v > 0));
  assert.ok(seen, 'a ticketed subscriber has traffic in its series');
});

test('what should be refused is refused', async () => {
  assert.equal((await ask('/', { host: 'evil.example' })).status, 421);
  assert.equal((await ask('/', { host: `evil.example:${port}` })).status, 421);
  assert.equal((await ask('/', { method: 'POST' })).status, 405);
  assert.equal((await ask('/', { method: 'DELETE' })).status, 405);
  assert.equal((await ask('/nowhere')).status, 404);
  assert.equal((await ask('/tickets/0')).status, 404);
  assert.equal((await ask('/tickets/999999')).status, 404);
  assert.equal((await ask('/tickets/1x')).status, 404);
  assert.equal((await ask('/subscribers/nobody')).status, 400);
  assert.equal((await ask('/subscribers/203.0.113.250')).status, 404);
  assert.equal((await ask('/subscribers/..%2f..%2fetc%2fpasswd')).status, 400);
  assert.equal((await ask('/?range=century')).status, 400);
  assert.equal((await ask('/?from=later')).status, 400);
  assert.equal((await ask('/graph/subscriber/connections.gif?name=1.2.3.4')).status, 404);
  assert.equal((await ask('/graph/subscriber/connections.png')).status, 400);
  assert.equal((await ask('/graph/subscriber/connections.png?name=203.0.113.250')).status, 404);
  // A picture that cannot be is a picture that says so, with its status.
  const none = await ask('/graph/subscriber/mail.png?name=203.0.113.250&theme=dark');
  assert.equal(none.headers['content-type'], 'image/svg+xml');
  assert.match(none.body.toString(), /^<svg[^]*No traffic of this name/);
  assert.equal((await ask(`/${'a'.repeat(2000)}`)).status, 414);
  const problem = await ask('/api/v1/nothing');
  assert.equal(problem.status, 404);
  assert.equal(problem.headers['content-type'], 'application/problem+json');
  const markup = await ask('/tickets?subscriber=%3Cscript%3Ealert(1)%3C/script%3E');
  assert.ok(!markup.body.includes('<script>'));
});

// Octets as they are, and what comes back until the other end closes or `enough` says so.
const raw = (octets, enough = () => false) =>
  new Promise((done) => {
    const s = net.connect(port, '127.0.0.1', () => s.write(octets));
    let text = '';
    const end = () => { s.destroy(); done(text); };
    s.setTimeout(8000, end);
    s.on('data', (d) => { text += d; if (enough(text)) end(); });
    s.on('error', end);
    s.on('close', end);
  });

test('bodies and long headers get an answer', async () => {
  const head = 'HTTP/1.1\r\nHost: localhost\r\n';
  const body = 'x'.repeat(100000);
  assert.match(await raw(`POST / ${head}Content-Length: 5\r\n\r\nhello`), /^HTTP\/1\.1 405 /);
  assert.match(await raw(`PUT / ${head}Content-Length: 100000\r\n\r\n${body}`), /^HTTP\/1\.1 405 /);
  assert.match(await raw(`POST / ${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`),
    /^HTTP\/1\.1 405 /);
  assert.match(await raw(`GET / ${head}X-Long: ${'a'.repeat(64000)}\r\n\r\n`), /^HTTP\/1\.1 431 /);
  assert.match(await raw(`GET /${'a'.repeat(64000)} ${head}\r\n`), /^HTTP\/1\.1 414 /);
  const withBody = await raw(`GET /style.css ${head}Content-Length: 5\r\nConnection: close\r\n\r\nhello`);
  assert.match(withBody, /^HTTP\/1\.1 200 /);
});

test('a head that may be read in two ways is refused', async () => {
  const host = 'Host: localhost\r\n';
  const length = 'Content-Length: 5\r\n';
  const chunked = 'Transfer-Encoding: chunked\r\n';
  const heads = [
    `${host}${host}`, `${host}Host: evil.example\r\n`, `Host: evil.example\r\n${host}`, `${host}hOST: localhost\r\n`,
    `${host}${length}${chunked}`, `${host}${chunked}${length}`, `${host}${length}${length}`,
    `${host}${length}Content-Length: 6\r\n`, `${host}${chunked}${chunked}`,
    `${host}Transfer-Encoding: gzip, chunked\r\n`, `${host}Transfer-Encoding: identity\r\n`,
    `${host}Content-Length: 5, 5\r\n`, `${host}Content-Length: +5\r\n`, `${host}Content-Length: -1\r\n`,
    `${host}Content-Length: 0x5\r\n`, `${host}Content-Length: \r\n`,
  ];
  // A second request in the body: whoever believes the other length answers it.
  const hidden = `0\r\n\r\nGET /style.css HTTP/1.1\r\n${host}Connection: close\r\n\r\n`;
  for (const method of ['GET', 'HEAD', 'POST']) {
    for (const head of heads) {
      const answer = await raw(`${method} / HTTP/1.1\r\n${head}\r\n${hidden}`);
      assert.match(answer, /^HTTP\/1\.1 400 /, head);
      assert.ok(!answer.includes('HTTP/1.1 200'), head);
    }
  }
  assert.match(await raw(`GET /style.css HTTP/1.1\r\n${host}${chunked}Connection: close\r\n\r\n0\r\n\r\n`),
    /^HTTP\/1\.1 200 /);
});

test('who asks for nothing keeps nobody out', async () => {
  const idle = await Promise.all(Array.from({ length: 700 }, () => new Promise((done) => {
    const s = net.connect(port, '127.0.0.1', () => { s.write('GET / HTTP/1.1\r\nHo'); done(s); });
    s.on('error', () => done(s));
  })));
  const began = Date.now();
  assert.equal((await ask('/style.css')).status, 200);
  assert.ok(Date.now() - began < 1000, `waited ${Date.now() - began} ms`);
  // A request sent octet by octet is ended too: the clock does not start again with each.
  const drip = net.connect(port, '127.0.0.1');
  const gone = new Promise((done) => drip.on('close', done));
  drip.on('error', () => {});
  const timer = setInterval(() => drip.write('a'), 200);
  await gone;
  clearInterval(timer);
  assert.ok(Date.now() - began < 9000, `a dripping request lived ${Date.now() - began} ms`);
  idle.forEach((s) => s.destroy());
});

test('a filter that is none is said', async () => {
  for (const where of ['/tickets?state=bogus', '/api/v1/tickets?state=bogus']) {
    const answer = await ask(where);
    assert.equal(answer.status, 400, where);
    assert.match(answer.body.toString(), /open or all/);
  }
  assert.equal((await ask('/tickets?before=x')).status, 400);
  assert.equal((await ask('/tickets?class=bogus')).status, 400);
  assert.equal((await ask('/tickets?state=all')).status, 200);
});

test('headers, HEAD and ETag', async () => {
  const page = await ask('/');
  assert.match(page.headers['content-security-policy'], /default-src 'none'/);
  assert.equal(page.headers['x-content-type-options'], 'nosniff');
  const head = await ask('/', { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(head.body.length, 0);
  const style = await ask('/style.css');
  const again = await ask('/style.css', { headers: { 'If-None-Match': style.headers.etag } });
  assert.equal(again.status, 304);
});

test('many graphs at once, and an SVG', async () => {
  const [first] = await tickets();
  const name = encodeURIComponent(first.subscriber);
  const views = ['connections', 'peers', 'mail', 'socks'];
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) =>
    ask(`/graph/subscriber/${views[i % 4]}.png?name=${name}&from=now-${i + 1}h`)));
  assert.ok(answers.every((a) => a.status === 200), answers.map((a) => a.status).join());
  const svg = await ask(`/graph/subscriber/mail.svg?name=${name}`);
  assert.equal(svg.status, 200);
  assert.match(svg.body.toString(), /<svg[^>]* width="\d+px" height="\d+px" viewBox="0 0 \d+ \d+"/);
});

test('an SVG opened by itself has its colours, and nothing that runs', async () => {
  const where = '/graph/site/connections.svg?name=site';
  const policy = (await ask(where)).headers['content-security-policy'];
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /script-src|img-src|connect-src/);
  const page = await browser.newPage();
  await page.goto(origin + where);
  const styles = await page.evaluate(() =>
    [...document.querySelectorAll('[style]')].map((e) => e.style.length));
  assert.ok(styles.length > 10 && styles.every((n) => n > 0), `${styles.filter((n) => n === 0).length} without`);
  await page.close();
});

test('the chart follows when a phone is turned', async () => {
  const [first] = await tickets();
  const page = await browser.newPage({ viewport: { width: 844, height: 390 } });
  await page.goto(`${origin}/subscribers/${encodeURIComponent(first.subscriber)}`);
  await page.waitForSelector('.u-wrap');
  for (const width of [390, 844]) {
    await page.setViewportSize({ width, height: 844 });
    await page.waitForFunction(() => {
      const wrap = document.querySelector('.u-wrap');
      return wrap.offsetWidth === Math.max(280, Math.min(900, wrap.parentElement.parentElement.clientWidth));
    }, null, { timeout: 5000 });
    assert.ok(await page.evaluate(() => document.querySelector('.u-wrap').offsetWidth < window.innerWidth), `${width}`);
  }
  await page.close();
});

test('a picture asked for with nonsense is a picture that says so', async () => {
  const where = '/graph/site/mail.png?name=site';
  const cases = {
    'width=9999': /width: write a number from 200 to 2000/, 'width=abc': /width/, 'width=': /width/,
    'height=1': /height: write a number from 60 to 1000/, 'height=1e3': /height/,
    'theme=pink': /theme: write light or dark/, 'own_from=x': /own_from: write an epoch/, 'own_to=-1': /own_to/,
    'tickets=7': /tickets/, 'tickets=9-3': /tickets/, [`tickets=${Array(9).fill('1-2').join()}`]: /up to 8/,
    'range=century': /range/, 'from=2026-13-01': /from/, 'from=now&to=now-1h': /from must lie before to/,
    'from=now-11y': /within ten years/,
  };
  for (const [query, says] of Object.entries(cases)) {
    const answer = await ask(`${where}&${query}`);
    assert.equal(answer.status, 400, query);
    assert.equal(answer.headers['content-type'], 'image/svg+xml', query);
    assert.match(answer.body.toString(), says, query);
  }
  for (const query of ['from=now-1y', 'width=220', 'width=2000&height=1000', 'range=month&width=220&theme=dark'])
    assert.equal((await ask(`${where}&${query}`)).status, 200, query);
});

test('totals are of the time that was watched, and say how much that was', async () => {
  const name = encodeURIComponent((await tickets())[0].subscriber);
  const read = async (query) =>
    JSON.parse((await ask(`/api/v1/series/subscriber?name=${name}&${query}`)).body);
  // An hour was captured: by minutes and by the day in progress the same was counted.
  const minutes = await read('from=2026-03-02T10:00:00Z&to=2026-03-02T11:00:00Z');
  const year = await read('range=year');
  assert.equal(year.step_s, 86400);
  const counted = (s) => s.samples.reduce((n, x) => n + (x.average[0] ?? 0) * x.minutes, 0);
  assert.ok(counted(minutes) > 0);
  assert.ok(Math.abs(counted(minutes) - counted(year)) < 0.01, `${counted(minutes)} ${counted(year)}`);
  const day = year.samples.find((s) => s.observed);
  assert.ok(day.minutes >= 60 && day.minutes <= 62 && day.watched_s <= 3720, `${day.minutes}`);
  const { context, page, wrong } = await open(`/subscribers/${name}?range=year`);
  assert.match(await page.locator('p.totals').innerText(), /In all: established \d+.*Watched: (<0.1|0\.\d) % of this time/);
  assert.match(await page.locator('table.numbers td').last().innerText(), /all|none|%|intervals/);
  assert.deepEqual(wrong, []);
  await context.close();
});
