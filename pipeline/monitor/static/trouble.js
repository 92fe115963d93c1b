// Why the pipeline that is looked at does not run, and when it is tried again.

import { part, setText } from "./dom.js";
import { count } from "./format.js";
import { reason, untilRetry } from "./standing.js";

export function create(root, store) {
  const [what, when] = ["what", "when"].map((id) => part(root, id));
  return {
    update() {
      const member = store.mode === "pipeline" ? store.member() : null;
      const lost = store.mode === "pipeline" && store.crew.length > 0 && !member;
      const wrong = lost ? `No pipeline of the name “${store.asked.pipeline}” runs in this process.` : reason(member);
      root.hidden = !wrong;
      root.dataset.kind = member?.state === "running" ? "wait" : "bad";
      setText(what, wrong);
      setText(when, member ? attempts(member) : "");
    },
  };
}

function attempts(member) {
  const { restarts } = member;
  const before = restarts ? `Started again ${restarts === 1 ? "once" : `${count(restarts)} times`} so far.` : "";
  const wait = untilRetry(member);
  return [wait && `Next attempt in ${wait}.`, before].filter(Boolean).join(" ");
}
