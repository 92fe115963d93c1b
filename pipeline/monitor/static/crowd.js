// What a chart shows of a camera: how many tracks and detections its frames had.

import { count, moment } from "./format.js";

// What a chart draws of counts.
export function drawn(focus) {
  const of = (place) => focus.v.map((row) => row[place] ?? null);
  return {
    lines: [
      { x: focus.t, y: of(1), colour: "expected", width: 1.25 },
      { x: focus.t, y: of(0), colour: "value", width: 1.75, fill: true },
    ],
    legend: focus.t.length ? [["value", "tracks"], ["peak", "detections"]] : [],
    bands: [], scored: false, floor: 1, whole: true,
  };
}

const many = (number, what) => `${count(number)} ${what}${number === 1 ? "" : "s"}`;

// The text for a point.
export function readout(store, focus, place) {
  const [tracks, detections] = focus.v[place];
  return [
    moment(focus.t[place], store.time), many(tracks, "track"), many(detections, "detection"),
  ].join("  ·  ");
}
