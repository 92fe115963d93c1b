// What is shown of forecasts: the latest one ahead of a stream's points, earlier ones behind them.

import { figure, moment, number, share, stepsText } from "./format.js";

const PAST_PER_STEP = 5; // points shown for each step of the longest horizon
const LEAST_PAST = 96;
const COLUMNS = ["t", "v", "e", "s", "a", "l", "u"];

// The focused stream's points, no more than leave the forecast room to be seen.
export function visible(store) {
  const { focus } = store;
  if (!focus.ahead) return focus;
  const most = Math.max(LEAST_PAST, PAST_PER_STEP * focus.ahead.steps.at(-1));
  if (focus.t.length <= most) return focus;
  return { ...focus, ...Object.fromEntries(COLUMNS.map((name) => [name, focus[name].slice(-most)])) };
}

// The latest forecast of a feature: {t, low, middle, high, steps}, all of one length; or null.
export function ahead(store) {
  const { focus, forecast, feature } = store;
  const place = forecast?.targets.indexOf(feature) ?? -1;
  if (place < 0 || !focus.ahead) return null;
  const rows = focus.ahead.q[place];
  const column = (at) => rows.map((row) => row[at]);
  return { t: focus.ahead.t, steps: focus.ahead.steps, low: column(0), middle: column(1), high: column(2) };
}

// What a chart draws of forecasts: lines, areas, and their entries in the legend.
export function drawn(store, points, coming) {
  const { forecast, feature } = store;
  if (!coming) return { lines: [], areas: [], entries: [] };
  const [low, , high] = forecast.quantiles;
  const banded = high > low;
  const last = points.v.at(-1)?.[feature] ?? null;
  const joins = last !== null && points.t.at(-1) === store.focus.ahead.from;
  const x = joins ? [points.t.at(-1), ...coming.t] : coming.t;
  const from = (values) => (joins ? [last, ...values] : values);
  const lines = [{ x, y: from(coming.middle), colour: "forecast", width: 2, joined: true }];
  const areas = [];
  const entries = [["forecast", "forecast"]];
  if (banded) {
    areas.push({ x, low: from(coming.low), high: from(coming.high), colour: "forecast", alpha: 0.2, joined: true });
    entries.push(["band", `${share(high - low)} band`]);
  }
  if (forecast.scored.length) {
    const of = (rows) => rows.map((row) => row[feature] ?? null);
    if (banded) areas.push({ x: points.t, low: of(points.l), high: of(points.u), colour: "expected", alpha: 0.16 });
    entries.push(["expected", `foreseen ${stepsText(forecast.scored[0])} before`]);
  }
  return { lines, areas, entries };
}

// The text for a point of the forecast.
export function readout(store, coming, place) {
  const unit = store.features[store.feature]?.unit ?? "";
  const [low, middle, high] = [coming.low, coming.middle, coming.high].map((one) => one[place]);
  const told = [moment(coming.t[place], store.time), `forecast ${number(middle)} ${unit}`.trim()];
  if (high > low) told.push(`${figure(low)} to ${figure(high)}`);
  told.push(`${stepsText(coming.steps[place])} ahead`);
  return told.join("  ·  ");
}
