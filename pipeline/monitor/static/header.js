// What is looked at, its model and engine, and how it stands.

import { part, setText } from "./dom.js";
import { count } from "./format.js";
import { icon } from "./icons.js";
import { capital, standing } from "./standing.js";

const WORST = ["bad", "wait", "off", "good"];

export function create(root, store) {
  const nodes = Object.fromEntries(
    ["pipeline", "facts", "state", "state-text", "recovery"].map((id) => [id, part(root, id)]),
  );
  const sign = icon("starting");
  nodes.state.prepend(sign.node);
  return {
    update() {
      const { kind, icon: shown, text } = !store.connected ? away(store) : store.mode === "overview" ? together(store) : standing(store.member());
      setText(nodes.pipeline, name(store));
      setText(nodes.facts, store.mode === "overview" ? location.host : facts(store.status));
      document.title = title(store);
      nodes.state.dataset.kind = kind;
      sign.show(shown);
      setText(nodes["state-text"], capital(text));
      nodes.recovery.hidden = shown !== "recovering";
      if (!nodes.recovery.hidden) nodes.recovery.value = store.member().recovery;
    },
  };
}

function name(store) {
  if (store.mode === "overview") return "All pipelines";
  return store.pipeline || store.asked.pipeline || store.member()?.name || "streamcell";
}

function facts(status) {
  const engine = [status.engine, status.device].filter(Boolean).join(" on ");
  const guarantee = status.guarantee?.replaceAll("_", " ");
  return [status.model, status.task, engine, guarantee].filter(Boolean).join(" · ");
}

function away(store) {
  const text = store.mode ? "connection lost, trying again" : "connecting";
  return { kind: store.mode ? "bad" : "wait", icon: store.mode ? "gone" : "starting", text };
}

// How all pipelines stand: the worst of them decides.
function together({ crew }) {
  const all = crew.map(standing);
  const [worst] = all.toSorted((a, b) => WORST.indexOf(a.kind) - WORST.indexOf(b.kind));
  const well = all.filter((one) => one.kind === "good").length;
  const text = well === all.length ? `all ${count(well)} running` : `${count(well)} of ${count(all.length)} running`;
  return { kind: worst?.kind ?? "wait", icon: worst?.icon ?? "starting", text };
}

function title(store) {
  const open = store.mode === "overview"
    ? store.fleet.cards.reduce((total, card) => total + (card.openAlarms ?? 0), 0)
    : store.openAlarms();
  const shown = store.mode === "overview" ? `${name(store)} · ${location.host}` : name(store);
  return open ? `(${count(open)}) ${shown}` : shown;
}
