// Rows per second and rows per batch over the last ten minutes.

import { legend, part } from "./dom.js";
import { count } from "./format.js";
import { draw } from "./plot.js";

export function create(root, store) {
  const [rows, batch, key] = ["rows", "batch", "legend"].map((id) => part(root, id));
  legend(key, [["value", "rows per second"], ["score", "rows per batch"]]);
  return {
    update() {
      const { seconds } = store;
      const x = seconds.rows.map((_, place) => (seconds.from + place) * 1000);
      // Begin where something happened, but never show less than a minute.
      const first = Math.max(0, seconds.rows.findIndex((one) => one > 0));
      const last = x.at(-1) ?? store.time;
      const range = [Math.min(x[first] ?? last, last - 60000), last];
      const mean = seconds.rows.map((one, place) =>
        seconds.batches[place] ? one / seconds.batches[place] : null,
      );
      draw(rows, {
        x: range, floor: 1, whole: true, timeAxis: false,
        lines: [{ x, y: seconds.rows, colour: "value", fill: true }],
      });
      draw(batch, {
        x: range, floor: 1, whole: true, lines: [{ x, y: mean, colour: "score", fill: true }],
      });
      rows.setAttribute("aria-label", `Rows per second, ${count(seconds.rows.at(-1))} now`);
      batch.setAttribute("aria-label", `Rows per batch, ${count(mean.at(-1))} now`);
    },
  };
}
