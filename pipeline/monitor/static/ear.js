// The selected stream as it sounds now: a level meter, and what is being said.

import { part, setText } from "./dom.js";
import { moment } from "./format.js";
import { LEAST_DB, levelled, levelText } from "./hearing.js";

const CLIPS_DB = -0.5;

const share = (db) => `${Math.min(100, Math.max(0, 100 * (1 - db / LEAST_DB)))}%`;

export function create(root, store) {
  const nodes = Object.fromEntries(
    ["meter", "level", "peak", "loudness", "said", "announced"].map((id) => [id, part(root, id)]),
  );
  let last = null; // the utterance that was announced, of the stream that is selected

  return {
    update() {
      root.hidden = !store.speech || store.selected === null;
      if (root.hidden) return;
      showLevel(levelled(store) ? store.focus.v.at(-1) : null);
      const running = store.running[store.selected];
      const heard = store.heardOf(store.selected).at(-1);
      nodes.said.classList.toggle("running", Boolean(running));
      setText(nodes.said, running ? `${running} …` : heard?.text ?? "Nothing heard yet.");
      nodes.said.classList.toggle("none", !running && !heard);
      const told = heard ? `${store.selected}@${heard.start}` : store.selected;
      if (last !== told) setText(nodes.announced, last?.startsWith(store.selected) && heard ? heard.text : "");
      last = told;
      nodes.said.title = !running && heard ? moment(heard.start, store.time) : "";
    },
  };

  function showLevel(levels) {
    nodes.meter.hidden = nodes.loudness.hidden = !levels || levels[0] == null;
    if (nodes.meter.hidden) return;
    const [level, peak] = levels;
    nodes.level.style.width = share(level);
    nodes.peak.style.left = share(peak);
    nodes.meter.classList.toggle("clips", peak >= CLIPS_DB);
    nodes.meter.setAttribute("aria-valuenow", String(Math.round(Math.max(level, LEAST_DB))));
    const text = levelText(store, level);
    nodes.meter.setAttribute("aria-valuetext", text);
    setText(nodes.loudness, peak >= CLIPS_DB ? `${text}, clipping` : text);
  }
}
