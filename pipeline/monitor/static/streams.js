// The watched streams, each with a sparkline; search among all that were seen lately.

import { element, part, setText } from "./dom.js";
import { count, figure, number } from "./format.js";
import { levelled, levelText } from "./hearing.js";
import { sparkline } from "./sparkline.js";

const PAUSE_MS = 200;

export function create(root, store, actions) {
  const [list, search, counted, empty] = ["list", "search", "count", "empty"].map((id) => part(root, id));
  const rows = new Map();
  let found = []; // names from the search
  let asking = null;
  let visit = 0;

  function update() {
    if (visit !== store.visit) { // what was sought is of another pipeline
      visit = store.visit;
      search.value = "";
      found = [];
    }
    const text = search.value.trim().toLowerCase();
    const watched = new Map(store.streams.map((stream) => [stream.key, stream]));
    const names = [...watched.keys()].filter((name) => name.toLowerCase().includes(text));
    const loud = (name) => (watched.get(name)?.alarm ? 0 : 1);
    names.sort((a, b) => loud(a) - loud(b) || a.localeCompare(b, undefined, { numeric: true }));
    if (text) names.push(...found.filter((name) => !watched.has(name)));
    else if (store.selected !== null && !watched.has(store.selected)) names.unshift(store.selected);

    for (const [name, row] of rows) {
      if (!names.includes(name)) {
        row.item.remove();
        rows.delete(name);
      }
    }
    names.forEach((name, place) => {
      const row = rows.get(name) ?? makeRow(name);
      fill(row, watched.get(name));
      if (list.children[place] !== row.item) {
        const focused = document.activeElement === row.button;
        list.insertBefore(row.item, list.children[place] ?? null);
        if (focused) row.button.focus();
      }
    });
    const total = store.status.live_streams;
    setText(counted, total == null ? count(watched.size) : `${count(watched.size)} of ${count(total)}`);
    empty.hidden = names.length > 0;
    setText(empty, text ? "No stream seen lately has this in its name." : "No stream yet.");
  }

  function makeRow(name) {
    const key = element("span", { className: "name" }, [name]);
    const spark = sparkline();
    const value = element("span", { className: "figure" });
    const score = element("span", { className: "note" });
    const words = element("span", { className: "words", hidden: true });
    const button = element("button", { type: "button", onclick: () => actions.select(name, { jump: true }) }, [
      key, spark.node, element("span", { className: "figures" }, [value, score]), words,
    ]);
    const row = { name, button, spark, value, score, words, item: element("li", {}, [button]) };
    rows.set(name, row);
    return row;
  }

  function fill(row, stream) {
    const unit = store.features[0]?.unit ?? "";
    const selected = row.name === store.selected;
    row.button.setAttribute("aria-current", String(selected));
    row.button.classList.toggle("alarm", Boolean(stream?.alarm));
    if (!stream) {
      setText(row.value, "");
      setText(row.score, "not watched yet");
      row.button.setAttribute("aria-label", `${row.name}, not watched yet`);
      return;
    }
    row.spark.draw(stream.spark, stream.alarms);
    const value = levelled(store) ? levelText(store, stream.value) : `${number(stream.value)} ${unit}`.trim();
    const running = store.running[row.name];
    const words = running ? `${running} …` : store.heardOf(row.name).at(-1)?.text ?? "";
    row.words.hidden = !words;
    row.words.classList.toggle("running", Boolean(running));
    setText(row.words, words);
    const score = stream.score == null ? "" : `score ${figure(stream.score)}`;
    setText(row.value, value);
    setText(row.score, stream.alarm ? `alarm ${figure(stream.score)}` : score);
    row.button.setAttribute(
      "aria-label", [row.name, value, score, stream.alarm ? "alarm" : "", words].filter(Boolean).join(", "),
    );
  }

  async function ask() {
    const text = search.value.trim();
    found = [];
    if (text) {
      try {
        const answer = await fetch(`/streams?${new URLSearchParams({ ...store.query(), q: text })}`);
        const names = answer.ok ? (await answer.json()).streams : [];
        if (text === search.value.trim()) found = names;
      } catch {
        // Without a connection only the watched ones are found.
      }
    }
    update();
  }

  search.addEventListener("input", () => {
    clearTimeout(asking);
    asking = setTimeout(ask, PAUSE_MS);
    update();
  });
  root.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const buttons = [search, ...list.querySelectorAll("button")];
    const next = buttons[buttons.indexOf(document.activeElement) + step];
    if (next) {
      event.preventDefault();
      next.focus();
    }
  });
  return { update };
}
