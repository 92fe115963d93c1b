// What is shown of sound: levels over time, and over them where something was heard.

import { figure, moment, whole } from "./format.js";

export const LEAST_DB = -80;

const QUIET = "silence";

// Whether the points of the streams are levels: [RMS, peak] in dBFS.
export const levelled = (store) => Boolean(store.speech?.sound);

export function levelText(store, db) {
  if (db == null) return "";
  return db <= store.speech.silence_db ? QUIET : `${whole(db)} dBFS`;
}

// What a chart draws of levels.
export function drawn(focus) {
  const of = (place) => focus.v.map((row) => (row[place] == null ? null : Math.max(row[place], LEAST_DB)));
  return {
    lines: [
      { x: focus.t, y: of(1), colour: "expected", width: 1.25 },
      { x: focus.t, y: of(0), colour: "value", width: 1.75, fill: true },
    ],
    entries: [["value", "level, dBFS"], ["peak", "peak"]],
    range: [LEAST_DB, 0],
  };
}

// Where something was heard in the focused stream.
export function spans(store) {
  return store.heardOf(store.selected).map((one) => ({
    from: one.start, to: one.end, colour: "heard", label: one.text,
  }));
}

// The text for a point.
export function readout(store, focus, place) {
  const ms = focus.t[place];
  const [level, peak] = focus.v[place];
  const told = [moment(ms, store.time), levelText(store, level), `peak ${levelText(store, peak)}`];
  const heard = store.heardOf(store.selected).find((one) => one.start <= ms && ms <= one.end);
  if (heard) told.push(`“${heard.text}” ${figure(heard.score)}`);
  return told.join("  ·  ");
}
