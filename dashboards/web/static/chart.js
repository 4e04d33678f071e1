// The chart of a series: the numbers of the API drawn by uPlot, with a crosshair and zoom. Dragging
// over a stretch asks for it again, so that finer intervals come when there are any; a double click
// goes back. Without this script the page shows the same as pictures and a table.
'use strict';

(() => {
  const colours = ['#2f6b45', '#9a5b13', '#b5403d', '#3f6fae'];
  // Of equal lines, zeros above all, the later is broken and shows the earlier through its gaps.
  const breaks = [[], [10, 6], [4, 8], [2, 12]];
  const breaksOfMaximum = [[4, 3], [3, 7], [2, 10], [1, 13]];
  const place = document.getElementById('chart');
  if (!place || typeof uPlot === 'undefined') return;

  const range = { from: Number(place.dataset.from), to: Number(place.dataset.to) };
  const views = place.dataset.views.split(';').map((text) => {
    const [title, sources] = text.split('=');
    return { title, sources: sources.split(',') };
  });
  const note = document.createElement('p');
  note.className = 'note';
  const choice = document.createElement('select');
  choice.id = 'chart-view';
  choice.setAttribute('aria-label', 'What the chart shows');
  views.forEach((view, i) => choice.add(new Option(view.title, String(i))));
  const box = document.createElement('div');
  place.append(choice, box, note);
  place.hidden = false;

  let chart = null;
  let answer = null;
  let asked = 0;
  const ink = getComputedStyle(document.documentElement).getPropertyValue('--ink').trim();
  const line = getComputedStyle(document.documentElement).getPropertyValue('--line').trim();
  const whole = (v) => (v == null ? '-' : v > 0 && v < 0.5 ? '<1' : Math.round(v).toLocaleString('en'));

  const two = (n) => String(n).padStart(2, '0');
  // Times of the day, and the date where it changes.
  const ticks = (u, splits, axis, space, step) => splits.map((t, i) => {
    const d = new Date(t * 1000);
    const time = `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}`;
    const day = `${d.getUTCFullYear()}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())}`;
    if (step >= 86400) return day;
    const changed = i === 0 || new Date(splits[i - 1] * 1000).getUTCDate() !== d.getUTCDate();
    return changed ? `${time}\n${day}` : time;
  });

  // Of an interval that was not watched for all of its time, how much was.
  const share = (watched, of) => (watched >= of ? 'all' : watched === 0 ? 'none'
    : `${(Math.floor((watched / of) * 1000) / 10).toFixed(1)} %`);
  const inPart = (i) => {
    const s = i == null ? null : answer.samples[i];
    if (!s || s.watched_s >= answer.step_s) return '';
    return s.others ? ', not this party\'s'
      : `, ${share(s.watched_s, answer.step_s)} watched`;
  };
  // What was counted in the time that was watched, and how much that was.
  const totals = (view, at) => {
    const own = answer.samples.filter((s) => !s.others);
    const watched = own.reduce((n, s) => n + s.watched_s, 0);
    const counted = at.map((source, i) => view.sources[i] === 'loss_ppm' ? null
      : `${view.sources[i]} ${whole(own.reduce((n, s) => n + (s.average[source] ?? 0) * s.minutes, 0))}`);
    return `In all: ${counted.filter(Boolean).join(', ') || '-'}. `
      + `Watched: ${share(watched, own.length * answer.step_s)} of this time.`;
  };

  const size = () => ({ width: Math.max(280, Math.min(900, box.clientWidth)), height: 260 });

  const draw = () => {
    const view = views[Number(choice.value)];
    const at = view.sources.map((name) => answer.sources.indexOf(name));
    const times = answer.samples.map((s) => Date.parse(s.end) / 1000 - answer.step_s);
    const data = [times];
    const series = [{ label: 'from (UTC)', value: (u, t, s, i) => (t == null ? '-'
      : new Date(t * 1000).toISOString().slice(0, 16).replace('T', ' ') + inPart(i)) }];
    at.forEach((source, i) => {
      data.push(answer.samples.map((s) => s.average[source]));
      series.push({ label: view.sources[i], stroke: colours[i], width: 1.5, dash: breaks[i], points: { show: false },
        paths: uPlot.paths.stepped({ align: 1 }), value: (u, v) => whole(v) });
      if (answer.step_s > 60) {
        data.push(answer.samples.map((s) => s.maximum[source]));
        series.push({ label: `${view.sources[i]}, maximum`, stroke: colours[i], width: 1,
          dash: breaksOfMaximum[i], points: { show: false }, paths: uPlot.paths.stepped({ align: 1 }),
          value: (u, v) => whole(v) });
      }
    });
    chart?.destroy();
    const axis = { stroke: ink, grid: { stroke: line }, ticks: { stroke: line } };
    chart = new uPlot({
      ...size(),
      tzDate: (t) => uPlot.tzDate(new Date(t * 1000), 'Etc/UTC'),
      scales: { y: { range: (u, low, high) => [Math.min(0, low ?? 0), Math.max(1, (high ?? 1) * 1.05)] } },
      axes: [{ ...axis, values: ticks, space: 80 }, { ...axis, size: 60 }],
      series,
      cursor: { drag: { x: true, y: false, setScale: false } },
      hooks: {
        setSelect: [(u) => {
          if (u.select.width < 4) return;
          const from = Math.floor(u.posToVal(u.select.left, 'x') / 60) * 60;
          const to = Math.ceil(u.posToVal(u.select.left + u.select.width, 'x') / 60) * 60;
          ask(from, Math.max(to, from + 600));
        }],
      },
    }, data, box);
    box.querySelector('.u-over').addEventListener('dblclick', () => ask(range.from, range.to));
    note.textContent = `${totals(view, at)} Intervals of ${answer.step_s / 60} min.${at.length > 1 ? ' Where lines are equal, the broken one lies on the whole one.' : ''} Drag to zoom, double click to go back.`;
    place.dataset.shown = `${times[0]}-${times[times.length - 1] + answer.step_s}`;
  };

  const ask = async (from, to) => {
    const mine = ++asked;
    try {
      const reply = await fetch(`${place.dataset.api}&from=${from}&to=${to}`);
      if (!reply.ok) throw new Error(`${reply.status}`);
      const got = await reply.json();
      if (mine !== asked) return;
      answer = got;
      draw();
    } catch (e) {
      note.textContent = `The numbers could not be read (${e.message}).`;
    }
  };

  choice.addEventListener('change', draw);
  window.addEventListener('resize', () => chart?.setSize(size())); // a phone is turned
  ask(range.from, range.to);
})();
