// One stream in full: value with what was expected, score with the threshold, alarm spans; or
// value with what was foreseen, and the forecast ahead of it; or levels, and what was heard in them.

import { element, legend, part, setText } from "./dom.js";
import { figure, moment, number, time } from "./format.js";
import * as crowd from "./crowd.js";
import * as hearing from "./hearing.js";
import * as outlook from "./outlook.js";
import { draw } from "./plot.js";

export function create(root, store, actions) {
  const ids = ["title", "badge", "features", "legend", "value", "score", "empty", "readout"];
  const nodes = Object.fromEntries(ids.map((id) => [id, part(root, id)]));
  let cursor = null; // index into the points, and on into the forecast
  let scale = null;
  let chips = "";

  function update(change) {
    if (change.focus?.reset) cursor = null;
    const focus = outlook.visible(store);
    const coming = outlook.ahead(store);
    const times = moments();
    setText(nodes.title, store.selected ?? "Stream");
    const alarming = focus.a.at(-1) === 1;
    nodes.badge.hidden = !alarming;
    setText(nodes.badge, alarming ? "alarm" : "");
    showFeatures();
    nodes.empty.hidden = focus.t.length > 0;
    setText(nodes.empty, store.selected ? "Waiting for rows of this stream." : "Waiting for the first rows.");
    const shown = views(store, focus, coming);
    legend(nodes.legend, shown.legend);
    const x = [times[0] ?? store.time - 60000, times.at(-1) ?? store.time];
    if (cursor !== null) cursor = Math.min(cursor, times.length - 1);
    const at = cursor === null ? null : times[cursor];
    nodes.score.hidden = !shown.scored;
    scale = draw(nodes.value, { x, lines: shown.lines, areas: shown.areas, bands: shown.bands, range: shown.range, floor: shown.floor, whole: shown.whole, cursor: at, timeAxis: !shown.scored });
    if (shown.scored) draw(nodes.score, { x, ...shown.score, bands: shown.plain, cursor: at, floor: 0 });
    nodes.value.setAttribute("aria-label", summary(store, focus, coming));
    setText(nodes.readout, readout(store, focus, coming, cursor));
  }

  function moments() {
    return outlook.visible(store).t.concat(outlook.ahead(store)?.t ?? []);
  }

  function showFeatures() {
    const together = hearing.levelled(store) || Boolean(store.tracking); // all in one chart
    const wanted = JSON.stringify([store.features, store.feature, together]);
    if (wanted === chips) return;
    chips = wanted;
    nodes.features.hidden = store.features.length < 2 || together;
    nodes.features.replaceChildren(
      ...store.features.map((feature, place) =>
        element("button", {
          type: "button",
          className: "chip",
          ariaPressed: String(place === store.feature),
          onclick: () => {
            actions.select(store.selected, { feature: feature.name });
            nodes.features.children[place].focus();
          },
        }, [feature.name]),
      ),
    );
  }

  function point(event) {
    if (!scale || !store.focus.t.length) return;
    const ms = scale.timeAt(event.clientX - event.target.getBoundingClientRect().left);
    cursor = nearest(moments(), ms);
    update({});
  }

  function key(event) {
    const last = moments().length - 1;
    if (last < 0) return;
    const here = cursor ?? outlook.visible(store).t.length - 1;
    const step = event.shiftKey ? 10 : 1;
    const moves = {
      ArrowLeft: Math.max(0, here - step), ArrowRight: Math.min(last, here + step),
      Home: 0, End: last, Escape: null,
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    cursor = moves[event.key];
    update({});
  }

  for (const canvas of [nodes.value, nodes.score]) {
    canvas.addEventListener("pointermove", point);
    canvas.addEventListener("pointerdown", point);
    canvas.addEventListener("pointerleave", () => {
      cursor = null;
      update({});
    });
  }
  nodes.value.addEventListener("keydown", key);
  return { update };
}

function views(store, focus, coming) {
  if (hearing.levelled(store)) return sound(store, focus);
  if (store.tracking) return crowd.drawn(focus);
  const { feature } = store;
  const unit = store.features[feature]?.unit;
  const name = store.features[feature]?.name ?? "value";
  const value = focus.v.map((row) => row[feature] ?? null);
  const expected = focus.e.map((row) => row[feature] ?? null);
  const foreseen = expected.some((one) => one != null);
  const scored = focus.s.some((one) => one != null);
  const lines = [{ x: focus.t, y: value, colour: "value", width: 1.75 }];
  const entries = [["value", unit ? `${name}, ${unit}` : name]];
  const future = outlook.drawn(store, focus, coming);
  lines.push(...future.lines);
  entries.push(...future.entries);
  if (foreseen) {
    lines.unshift({ x: focus.t, y: expected, colour: "expected", dash: [5, 3], width: 1.5 });
    if (!coming) entries.push(["expected", "expected"]);
  }
  if (scored) entries.push(["score", "score"]);
  const bands = spans(store);
  if (bands.length) entries.push(["alarm", "alarm"]);
  const { threshold } = store.status;
  return {
    lines, areas: future.areas, bands, scored, legend: focus.t.length ? entries : [],
    plain: bands.map((band) => ({ ...band, label: "" })),
    score: {
      lines: [{ x: focus.t, y: focus.s, colour: "score", fill: true }],
      levels: threshold == null ? [] : [{ y: threshold, colour: "alarm", label: `threshold ${figure(threshold)}` }],
    },
  };
}

function sound(store, focus) {
  const { lines, entries, range } = hearing.drawn(focus);
  const bands = hearing.spans(store);
  if (bands.length) entries.push(["heard", "heard"]);
  return { lines, range, bands, scored: false, legend: focus.t.length ? entries : [] };
}

// Where rows were alarming, with the cause of the alarm that covers them.
function spans(store) {
  const { t, a } = store.focus;
  const mine = store.alarmList().filter((alarm) => alarm.key === store.selected);
  const found = [];
  for (let i = 0; i < a.length; i += 1) {
    if (a[i] && !a[i - 1]) found.push({ from: t[i], to: t[i], colour: "alarm" });
    if (a[i]) found.at(-1).to = t[i];
  }
  for (const span of found) {
    span.label = mine.find((one) => one.start <= span.to && (one.end ?? Infinity) >= span.from)?.cause ?? "";
  }
  return found;
}

function readout(store, focus, coming, cursor) {
  const { feature } = store;
  const place = cursor ?? focus.t.length - 1;
  if (place < 0) return "";
  if (hearing.levelled(store)) return hearing.readout(store, focus, place);
  if (store.tracking) return crowd.readout(store, focus, place);
  if (place >= focus.t.length) return outlook.readout(store, coming, place - focus.t.length);
  const unit = store.features[feature]?.unit ?? "";
  const value = focus.v[place][feature];
  const expected = focus.e[place][feature];
  const told = [moment(focus.t[place], store.time), `${number(value)} ${unit}`.trim()];
  if (expected != null) told.push(`${coming ? "foreseen" : "expected"} ${number(expected)}`);
  if (focus.s[place] != null) told.push(`score ${figure(focus.s[place])}`);
  if (focus.a[place]) told.push("alarm");
  return told.join("  ·  ");
}

function summary(store, focus, coming) {
  if (!focus.t.length) return "No points yet";
  const name = store.features[store.feature]?.name ?? "value";
  const points = `${name} of ${store.selected}, ${focus.t.length} points from ${time(focus.t[0])} to ${time(focus.t.at(-1))}`;
  return coming ? `${points}, and a forecast to ${time(coming.t.at(-1))}` : points;
}

function nearest(times, ms) {
  let low = 0;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < ms) low = middle + 1;
    else high = middle;
  }
  return low > 0 && ms - times[low - 1] < times[low] - ms ? low - 1 : low;
}
