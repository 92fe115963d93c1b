// A line chart on a canvas: axes, bands, lines, a cursor. Colours are the page's CSS variables.

import { count, number, tick } from "./format.js";

const LEFT = 52;
const RIGHT = 12;
const TOP = 10;
const LABEL = 14; // a line of text above the plot
const GAP = 8; // steps without a point break a line
const BOTTOM = 22;
const TIME_STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400];

export const colour = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// draw(canvas, {x: [from, to], lines, areas, bands, levels, cursor, floor, range, timeAxis, whole})
//   lines   [{x: [ms], y: [number|null], colour, dash?, width?, fill?, joined?}], joined over pauses
//   areas   [{x: [ms], low, high: [number|null], colour, alpha}] between two lines, behind the lines
//   bands   [{from, to, colour, label?}] behind everything
//   levels  [{y, colour, label}] horizontal
//   cursor  ms or null; floor: the least upper end of the y axis; range: [low, high] of it, fixed;
//   timeAxis: false hides the labels; label: how numbers of the y axis are written
// Returns {timeAt(pixel)} for the pointer, or null when there's no room.
export function draw(canvas, chart) {
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!width || !height) return null;
  const ratio = Math.min(3, window.devicePixelRatio || 1);
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);

  const [from, to] = chart.x;
  const bottom = chart.timeAxis === false ? 8 : BOTTOM;
  const top = chart.bands?.some((band) => band.label) ? TOP + LABEL : TOP;
  const inner = { left: LEFT, right: width - RIGHT, top, bottom: height - bottom };
  const [low, high] = chart.range ?? extent(chart);
  const x = (ms) => inner.left + ((ms - from) / Math.max(1, to - from)) * (inner.right - inner.left);
  const y = (value) => inner.bottom - ((value - low) / (high - low)) * (inner.bottom - inner.top);

  pen.font = "11px system-ui, sans-serif";
  grid(pen, inner, low, high, y, chart.label ?? (chart.whole ? count : number));
  if (chart.timeAxis !== false) timeAxis(pen, inner, from, to, x);

  pen.save();
  pen.beginPath();
  pen.rect(inner.left, 0, inner.right - inner.left, inner.bottom + 2);
  pen.clip();
  let free = inner.left; // where the next label may begin
  for (const band of chart.bands ?? []) free = shade(pen, inner, band, x, free);
  for (const area of chart.areas ?? []) between(pen, area, x, y);
  for (const line of chart.lines) stroke(pen, inner, line, x, y);
  for (const level of chart.levels ?? []) horizontal(pen, inner, level, y);
  if (chart.cursor != null) crosshair(pen, inner, chart, x, y);
  pen.restore();
  return {
    timeAt: (pixel) =>
      from + ((pixel - inner.left) / (inner.right - inner.left)) * (to - from),
  };
}

function extent(chart) {
  let low = Infinity;
  let high = -Infinity;
  const [from, to] = chart.x;
  const reach = (x, values) => {
    values.forEach((value, i) => {
      if (value == null || x[i] < from || x[i] > to) return;
      if (value < low) low = value;
      if (value > high) high = value;
    });
  };
  for (const line of chart.lines) reach(line.x, line.y);
  for (const area of chart.areas ?? []) {
    reach(area.x, area.low);
    reach(area.x, area.high);
  }
  for (const level of chart.levels ?? []) high = Math.max(high, level.y * 1.1);
  if (chart.floor != null) [low, high] = [Math.min(low, 0), Math.max(high, chart.floor)];
  if (low > high) [low, high] = [0, 1];
  if (low === high) [low, high] = [low - Math.abs(low || 1) * 0.1, high + Math.abs(high || 1) * 0.1];
  const margin = (high - low) * 0.06;
  return [chart.floor != null && low >= 0 ? low : low - margin, high + margin];
}

function niceStep(span, parts) {
  const rough = span / parts;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 2.5, 5, 10].find((step) => step * power >= rough) ?? 10);
}

function grid(pen, inner, low, high, y, label) {
  const step = niceStep(high - low, Math.max(2, (inner.bottom - inner.top) / 48));
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  pen.lineWidth = 1;
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) {
    const shown = Math.abs(value) < step / 1e6 ? 0 : value;
    const place = Math.round(y(value)) + 0.5;
    pen.strokeStyle = colour("grid");
    pen.beginPath();
    pen.moveTo(inner.left, place);
    pen.lineTo(inner.right, place);
    pen.stroke();
    pen.fillStyle = colour("muted");
    pen.fillText(label(shown), inner.left - 8, place);
  }
}

function timeAxis(pen, inner, from, to, x) {
  const fits = Math.max(1, Math.floor((inner.right - inner.left) / 90));
  const step = 1000 * (TIME_STEPS_S.find((s) => (to - from) / (s * 1000) <= fits) ?? 86400 * 7);
  pen.textAlign = "center";
  pen.textBaseline = "top";
  pen.fillStyle = colour("muted");
  for (let ms = Math.ceil(from / step) * step; ms <= to; ms += step) {
    const place = x(ms);
    if (place > inner.left + 22 && place < inner.right - 22) pen.fillText(tick(ms, step, to - from), place, inner.bottom + 7);
  }
}

function shade(pen, inner, band, x, free) {
  const left = x(band.from);
  const width = Math.max(2, x(band.to) - left);
  pen.globalAlpha = 0.14;
  pen.fillStyle = colour(band.colour);
  pen.fillRect(left, inner.top, width, inner.bottom - inner.top);
  pen.globalAlpha = 1;
  pen.fillRect(left, inner.top - 3, width, 3);
  const wide = pen.measureText(band.label ?? "").width;
  const start = Math.min(Math.max(left, inner.left), inner.right - wide);
  if (!band.label || start < free) return free;
  pen.textAlign = "left";
  pen.textBaseline = "bottom";
  pen.fillText(band.label, start, inner.top - 5);
  return start + wide + 8;
}

function horizontal(pen, inner, level, y) {
  const place = Math.round(y(level.y)) + 0.5;
  pen.strokeStyle = pen.fillStyle = colour(level.colour);
  pen.setLineDash([5, 4]);
  pen.lineWidth = 1.25;
  pen.beginPath();
  pen.moveTo(inner.left, place);
  pen.lineTo(inner.right, place);
  pen.stroke();
  pen.setLineDash([]);
  pen.textAlign = "left";
  pen.textBaseline = "bottom";
  pen.strokeStyle = colour("panel"); // a rim, so that it can be read over a line
  pen.lineWidth = 4;
  pen.lineJoin = "round";
  pen.strokeText(level.label, inner.left + 4, place - 3);
  pen.fillText(level.label, inner.left + 4, place - 3);
}

function stroke(pen, inner, line, x, y) {
  for (const piece of pieces(line)) {
    const path = new Path2D();
    for (const i of piece) path.lineTo(x(line.x[i]), y(line.y[i]));
    pen.strokeStyle = pen.fillStyle = colour(line.colour);
    pen.lineWidth = line.width ?? 1.5;
    pen.lineJoin = pen.lineCap = "round";
    pen.setLineDash(line.dash ?? []);
    pen.stroke(path);
    pen.setLineDash([]);
    if (!line.fill) continue;
    path.lineTo(x(line.x[piece.at(-1)]), inner.bottom);
    path.lineTo(x(line.x[piece[0]]), inner.bottom);
    pen.globalAlpha = 0.12;
    pen.fill(path);
    pen.globalAlpha = 1;
  }
}

function between(pen, area, x, y) {
  const known = area.low.map((value, i) => (area.high[i] == null ? null : value));
  pen.globalAlpha = area.alpha;
  pen.fillStyle = colour(area.colour);
  for (const piece of pieces({ x: area.x, y: known, joined: area.joined })) {
    const path = new Path2D();
    for (const i of piece) path.lineTo(x(area.x[i]), y(area.high[i]));
    for (const i of piece.toReversed()) path.lineTo(x(area.x[i]), y(area.low[i]));
    pen.fill(path);
  }
  pen.globalAlpha = 1;
}

// The runs of points without a hole: a missing value, or a pause of many steps.
function pieces(line) {
  const steps = line.x.slice(1).map((ms, i) => ms - line.x[i]).sort((a, b) => a - b);
  const pause = line.joined ? Infinity : GAP * (steps[steps.length >> 1] ?? 0);
  const found = [];
  let current = null;
  line.y.forEach((value, i) => {
    if (value == null) current = null;
    else if (current && line.x[i] - line.x[i - 1] <= pause) current.push(i);
    else found.push((current = [i]));
  });
  return found;
}

function crosshair(pen, inner, chart, x, y) {
  const place = Math.round(x(chart.cursor)) + 0.5;
  pen.strokeStyle = colour("muted");
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(place, inner.top);
  pen.lineTo(place, inner.bottom);
  pen.stroke();
  for (const line of chart.lines) {
    const value = line.y[line.x.indexOf(chart.cursor)];
    if (value == null) continue;
    pen.fillStyle = colour(line.colour);
    pen.beginPath();
    pen.arc(place, y(value), 3.5, 0, 2 * Math.PI);
    pen.fill();
  }
}
