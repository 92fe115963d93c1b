// What the pipeline did in the last ten minutes, second by second, in small charts.

import { element, setText } from "./dom.js";
import { count, duration } from "./format.js";
import { draw } from "./plot.js";
import { most, range, recentMean, thinned } from "./seconds.js";

const perBatch = ({ rows, batches }) => rows.map((some, place) => (batches[place] ? some / batches[place] : null));
const counted = (values) => count(recentMean(values));

// id → its title, its lines as [colour, (seconds) → values, how several become one], and what it says of now.
const CHARTS = {
  rows: { title: "Rows per second", lines: [["value", ({ rows }) => rows]], now: ({ rows }) => counted(rows) },
  batch: { title: "Rows per batch", lines: [["value", perBatch]], now: (seconds) => counted(perBatch(seconds)) },
  latency: {
    title: "Latency, p50 · p99",
    lines: [["value", ({ p50 }) => p50], ["score", ({ p99 }) => p99, most]],
    now: ({ p50, p99 }) => `${duration(recentMean(p50))} · ${duration(recentMean(p99))}`,
    label: duration,
  },
  lag: { title: "Lag, records", lines: [["value", ({ lag }) => lag]], now: ({ lag }) => count(lag.findLast((one) => one != null)) },
  live: { title: "Live streams", lines: [["value", ({ live }) => live]], now: ({ live }) => count(live.findLast((one) => one != null)) },
};

export function create(root, store) {
  const grid = root.querySelector(".charts");
  const charts = Object.entries(CHARTS).map(([id, chart]) => {
    const now = element("strong");
    const canvas = element("canvas", { className: `plot ${id}`, role: "img" });
    grid.append(element("div", {}, [element("h3", {}, [chart.title, now]), canvas]));
    return { ...chart, node: now, canvas };
  });
  return {
    update() {
      if (store.mode !== "pipeline") return;
      const { seconds } = store;
      const x = seconds.rows.map((_, place) => (seconds.from + place) * 1000);
      for (const { title, lines, now, node, canvas, label } of charts) {
        const text = now(seconds);
        setText(node, text);
        draw(canvas, {
          x: range(x, seconds.rows), floor: 1, whole: true, label,
          lines: lines.map(([colour, of, pick]) => ({ ...thinned(canvas, x, of(seconds), pick), colour, fill: lines.length === 1 })),
        });
        canvas.setAttribute("aria-label", `${title}: ${text} now`);
      }
    },
  };
}
