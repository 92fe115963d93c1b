// How forecasts met what came: the share in the band and the loss, for each scored horizon.

import { legend, part } from "./dom.js";
import { figure, share, stepsText } from "./format.js";
import { draw } from "./plot.js";

const WINDOW_S = 30; // a point is the mean of so many seconds
export const COLOURS = ["value", "score", "wait", "good"];

export function create(root, store) {
  const [coverage, loss, key, empty] = ["coverage", "loss", "legend", "empty"].map((id) => part(root, id));
  let drawn = "";
  return {
    update() {
      const { forecast, seconds } = store;
      if (!forecast) return;
      const entries = forecast.scored.map((steps, place) => [
        COLOURS[place % COLOURS.length], `${stepsText(steps)} ahead`,
      ]);
      if (drawn !== (drawn = JSON.stringify(entries))) legend(key, entries);
      const x = seconds.rows.map((_, place) => (seconds.from + place) * 1000);
      const covered = seconds.covered.map((sums, place) => running(sums, seconds.scores[place]));
      const losses = seconds.pinball.map((sums, place) => running(sums, seconds.scores[place]));
      const first = Math.min(...losses.map((means) => means.findIndex((one) => one != null)).filter((one) => one >= 0), x.length);
      empty.hidden = first < x.length;
      const last = x.at(-1) ?? store.time;
      const range = [Math.min(x[first] ?? last, last - 60000), last];
      const [low, , high] = forecast.quantiles;
      const lines = (means) => means.map((y, place) => ({ x, y, colour: COLOURS[place % COLOURS.length], width: 1.75 }));
      draw(coverage, {
        x: range, lines: lines(covered), timeAxis: false, floor: 1,
        levels: [{ y: high - low, colour: "expected", label: `${share(high - low)} wanted` }],
      });
      draw(loss, { x: range, lines: lines(losses), floor: 0 });
      const now = (means) => means.map((one) => figure(one.at(-1))).join(", ");
      coverage.setAttribute("aria-label", `Share of rows in the band by horizon: ${now(covered)}`);
      loss.setAttribute("aria-label", `Pinball loss by horizon: ${now(losses)}`);
    },
  };
}

// Means of the last seconds up to each one; null where nothing was scored in them.
function running(sums, counts) {
  const means = [];
  let sum = 0;
  let count = 0;
  for (let i = 0; i < sums.length; i += 1) {
    sum += sums[i];
    count += counts[i];
    if (i >= WINDOW_S) {
      sum -= sums[i - WINDOW_S];
      count -= counts[i - WINDOW_S];
    }
    means.push(count > 0 ? sum / count : null);
  }
  return means;
}
