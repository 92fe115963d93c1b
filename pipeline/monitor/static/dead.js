// Rows that could not be used: why, and where they lie in the log.

import { element, part, setText } from "./dom.js";
import { count, moment, NONE } from "./format.js";

export function create(root, store) {
  const [body, counted, empty] = ["rows", "count", "empty"].map((id) => part(root, id));
  const table = root.querySelector("table");
  let drawn = "";
  return {
    update() {
      const letters = store.dead;
      const total = store.status.dead_letters ?? 0;
      setText(counted, total > letters.length ? `latest ${count(letters.length)} of ${count(total)}` : "");
      empty.hidden = letters.length > 0;
      table.hidden = letters.length === 0;
      const state = `${store.boot} ${letters.at(-1)?.seq} ${letters.length}`;
      if (state === drawn) return;
      drawn = state;
      body.replaceChildren(...letters.toReversed().map((letter) =>
        element("tr", {}, [
          element("td", { className: "when" }, [moment(letter.time, store.time)]),
          element("td", {}, [element("code", {}, [letter.cause])]),
          element("td", { className: "reason" }, [letter.reason]),
          element("td", {}, [`${letter.topic}-${letter.partition} @ ${letter.offset}`]),
          element("td", {}, [letter.key ?? NONE]),
        ]),
      ));
    },
  };
}
