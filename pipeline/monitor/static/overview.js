// All pipelines side by side, and the rows per second of all of them together.

import * as cards from "./card.js";
import { part, setText } from "./dom.js";
import { count } from "./format.js";
import { draw } from "./plot.js";
import { range, recentMean, thinned } from "./seconds.js";

export function create(root, store) {
  const [list, rate, chart] = ["cards", "rate", "total"].map((id) => part(root, id));
  const made = new Map();

  return {
    update() {
      if (store.mode !== "overview") return;
      const { fleet } = store;
      for (const [name, card] of made) {
        if (fleet.cards.some((told) => told.name === name)) continue;
        card.node.remove();
        made.delete(name);
      }
      fleet.cards.forEach((told, place) => {
        if (!made.has(told.name)) made.set(told.name, cards.create(told.name));
        const card = made.get(told.name);
        card.update(told, fleet.time);
        if (list.children[place] !== card.node) list.insertBefore(card.node, list.children[place] ?? null);
      });
      const { x, y } = fleet.total();
      const now = recentMean(y) ?? 0;
      setText(rate, count(now));
      draw(chart, { x: range(x, y), floor: 1, whole: true, lines: [{ ...thinned(chart, x, y), colour: "value", fill: true }] });
      chart.setAttribute("aria-label", `Rows per second of all pipelines, ${count(now)} now`);
    },

    // The link of a pipeline's card, to go on from there after coming back.
    card: (name) => made.get(name)?.node.querySelector("a"),
  };
}
