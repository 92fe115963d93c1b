// Name, model, engine and how the pipeline stands.

import { part, setText } from "./dom.js";
import { count } from "./format.js";

const GOOD = new Set(["running", "ready", "live"]);

export function create(root, store) {
  const nodes = Object.fromEntries(
    ["pipeline", "facts", "state", "state-text", "recovery"].map((id) => [id, part(root, id)]),
  );
  return {
    update() {
      const { status } = store;
      if (store.pipeline) {
        setText(nodes.pipeline, store.pipeline);
        document.title = titleOf(store);
      }
      setText(nodes.facts, facts(status));
      const [kind, text] = stateOf(store);
      nodes.state.dataset.kind = kind;
      setText(nodes["state-text"], text[0].toUpperCase() + text.slice(1));
      const recovering = store.connected && status.recovery != null && status.recovery < 1;
      nodes.recovery.hidden = !recovering;
      if (recovering) nodes.recovery.value = status.recovery;
    },
  };
}

function facts(status) {
  const engine = [status.engine, status.device].filter(Boolean).join(" on ");
  const guarantee = status.guarantee?.replaceAll("_", " ");
  return [status.model, status.task, engine, guarantee].filter(Boolean).join(" · ");
}

function stateOf(store) {
  if (!store.connected) return store.pipeline ? ["bad", "connection lost, trying again"] : ["wait", "connecting"];
  const { state, recovery } = store.status;
  if (recovery != null && recovery < 1) return ["wait", `recovering, ${Math.floor(recovery * 100)} %`];
  if (!state) return ["wait", "starting"];
  return [GOOD.has(state) ? "good" : "wait", state];
}

function titleOf(store) {
  const open = store.openAlarms();
  return open ? `(${count(open)}) ${store.pipeline}` : store.pipeline;
}
