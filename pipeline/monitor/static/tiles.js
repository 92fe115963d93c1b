// The figures at a glance.

import { element, setText } from "./dom.js";
import { count, duration, figure, NONE, share } from "./format.js";
import { recentMean, sum, tail } from "./seconds.js";


// id → [label, (store) → [value, note, alert?]]
const TILES = {
  rate: ["Rows per second", ({ seconds }) => {
    const rows = sum(tail(seconds.rows));
    const batches = sum(tail(seconds.batches));
    const rate = rows / Math.max(1, tail(seconds.rows).length);
    return [count(rate), batches ? `${count(rows / batches)} in a batch` : "no rows now"];
  }],
  lag: ["Lag", ({ status }) => [count(status.lag), status.lag == null ? "" : "records behind"]],
  latency: ["Latency", ({ seconds }) => {
    const p99 = recentMean(seconds.p99);
    return [duration(recentMean(seconds.p50)), p99 == null ? "median" : `median, p99 ${duration(p99)}`];
  }],
  live: ["Live streams", ({ status }) => [
    count(status.live_streams),
    status.spilled_streams ? `${count(status.spilled_streams)} more on disk` : "all in memory",
  ]],
  alarms: ["Open alarms", (store) => {
    const open = store.openAlarms();
    return [count(open), `${count(sum(store.seconds.events))} opened in 10 min`, open > 0];
  }],
  heard: ["Heard", ({ seconds, speech }) => {
    const what = speech?.form === "words" ? "utterances" : "keywords";
    return [count(sum(seconds.events)), `${what} in 10 min`];
  }],
  people: ["In the pictures", ({ sights, time }) => [
    count(sights.present(time)),
    `${count(sights.entered)} came, ${count(sights.left)} left`,
  ]],
  quality: ["In the band", ({ forecast, seconds }) => {
    if (!forecast) return [NONE, ""];
    const all = (sums) => sum(sums.map(sum));
    const scores = all(seconds.scores);
    const [low, , high] = forecast.quantiles;
    if (!scores) return [NONE, "no truth yet"];
    return [share(all(seconds.covered) / scores), `of ${share(high - low)}; loss ${figure(all(seconds.pinball) / scores)}`];
  }],
  dead: ["Dead letters", ({ status, seconds }) => {
    const recent = sum(seconds.rejects);
    return [count(status.dead_letters), `${count(recent)} in 10 min`, recent > 0];
  }],
};

export function create(root, store) {
  const tiles = Object.entries(TILES).map(([id, [label, read]]) => {
    const value = element("dd", { className: "value" }, [NONE]);
    const note = element("dd", { className: "note" });
    const tile = element("div", { className: "tile", id: `tile-${id}` }, [
      element("dt", {}, [label]), value, note,
    ]);
    root.append(tile);
    return { tile, value, note, read };
  });
  return {
    update() {
      for (const { tile, value, note, read } of tiles) {
        const [figure, remark, alert = false] = read(store);
        setText(value, figure);
        setText(note, remark);
        tile.classList.toggle("alert", alert);
      }
    },
  };
}
