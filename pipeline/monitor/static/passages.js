// Who came, went and crossed a line lately, newest first; each leads to its camera.

import { element, part, setText } from "./dom.js";
import { count, duration, moment } from "./format.js";
import { colourOf } from "./scene.js";

const SHOWN = 100;

const WORDS = {
  enter: () => "came",
  leave: ({ stayed }) => `left after ${duration(stayed)}`,
  cross: ({ line, direction }) => `crossed ${line}, ${direction}`,
};

export function create(root, store, actions) {
  const [body, counted, empty] = ["rows", "count", "empty"].map((id) => part(root, id));
  const table = root.querySelector("table");
  let drawn = "";

  return {
    update() {
      if (!store.tracking) return;
      const { passages, crossed } = store.sights;
      setText(counted, store.tracking.lines.length ? `${count(crossed)} crossed a line` : "");
      empty.hidden = passages.length > 0;
      table.hidden = !empty.hidden;
      const state = `${store.boot} ${passages.at(-1)?.seq}`;
      if (state === drawn) return;
      drawn = state;
      const focused = body.contains(document.activeElement) ? document.activeElement.value : null;
      body.replaceChildren(...passages.slice(-SHOWN).toReversed().map(row));
      if (focused) {
        const same = [...body.querySelectorAll("button")].find((one) => one.value === focused);
        (same ?? root.querySelector(".scroll")).focus({ preventScroll: true });
      }
    },
  };

  function row(passage) {
    const number = element("span", { className: "track" }, [String(passage.track)]);
    number.style.background = colourOf(passage.track);
    return element("tr", { className: passage.kind }, [
      element("td", { className: "when" }, [moment(passage.time, store.time)]),
      element("td", { className: "whose" }, [
        element("button", {
          type: "button", className: "link", value: String(passage.seq),
          onclick: () => actions.enlarge(passage.camera), ariaLabel: `Show ${passage.camera}`,
        }, [passage.camera]),
      ]),
      element("td", { className: "text" }, [number, " ", WORDS[passage.kind]?.(passage) ?? passage.kind]),
    ]);
  }
}
