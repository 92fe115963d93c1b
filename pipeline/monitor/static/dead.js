// Rows that could not be used: why, and where they lie in the log; all of them or those of a cause.

import { element, part, setText } from "./dom.js";
import { count, moment, NONE } from "./format.js";

export function create(root, store) {
  const [body, counted, empty, chips] = ["rows", "count", "empty", "causes"].map((id) => part(root, id));
  const table = root.querySelector("table");
  let drawn = "";
  let offered = "";
  let cause = null; // the one that is shown alone

  function update() {
    const causes = store.status.dead_causes ?? {};
    if (!(cause in causes)) cause = null;
    offer(causes);
    const letters = store.dead.filter((letter) => cause === null || letter.cause === cause);
    const total = cause === null ? store.status.dead_letters ?? 0 : causes[cause];
    setText(counted, total > letters.length ? `latest ${count(letters.length)} of ${count(total)}` : "");
    empty.hidden = letters.length > 0;
    table.hidden = letters.length === 0;
    setText(empty, total ? "The latest dead letters have other causes." : "Every row could be used.");
    const state = `${store.boot} ${letters.at(-1)?.seq} ${letters.length} ${cause}`;
    if (state === drawn) return;
    drawn = state;
    body.replaceChildren(...letters.toReversed().map((letter) =>
      element("tr", {}, [
        element("td", { className: "when" }, [moment(letter.time, store.time)]),
        element("td", {}, [element("code", {}, [letter.cause])]),
        element("td", { className: "reason" }, [letter.reason]),
        element("td", { className: "position" }, [`${letter.topic}-${letter.partition} @ ${letter.offset}`]),
        element("td", { className: "whose" }, [letter.key ?? NONE]),
      ]),
    ));
  }

  // A button for each cause, with how many rows had it.
  function offer(causes) {
    const sorted = Object.entries(causes).sort(([a, many], [b, more]) => more - many || a.localeCompare(b));
    const state = JSON.stringify([sorted, cause]);
    if (state === offered) return;
    offered = state;
    const focused = chips.contains(document.activeElement) ? document.activeElement.value : null;
    const all = sorted.reduce((sum, [, many]) => sum + many, 0);
    chips.hidden = sorted.length < 2;
    chips.replaceChildren(...[["", all], ...sorted].map(([value, many]) => chip(value, many)));
    if (focused !== null) [...chips.children].find((one) => one.value === focused)?.focus();
  }

  function chip(value, many) {
    return element("button", {
      type: "button", className: "chip", value, ariaPressed: String((cause ?? "") === value),
      onclick: () => {
        cause = value || null;
        update();
      },
    }, [`${value || "all"} `, element("strong", {}, [count(many)])]);
  }

  return { update };
}
