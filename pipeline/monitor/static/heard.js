// What was heard lately in all streams, newest first; above it what is being said now.

import { element, part, setText } from "./dom.js";
import { count, figure, moment } from "./format.js";

const SHOWN = 200;
const RUNNING_SHOWN = 4; // the selected stream first; all of them show their text among the streams

export function create(root, store, actions) {
  const [body, counted, empty, title, what, score] =
    ["rows", "count", "empty", "title", "what", "score"].map((id) => part(root, id));
  const table = root.querySelector("table");
  let drawn = "";

  return {
    update() {
      if (!store.speech) return;
      const words = store.speech.form === "words";
      setText(title, words ? "Words" : "Keywords");
      setText(what, words ? "Words" : "Keyword");
      setText(score, words ? "Confidence" : "Score");
      setText(empty, words ? "Nothing was said so far." : "No keyword so far.");
      const other = (key) => (key === store.selected ? 0 : 1);
      const speaking = Object.entries(store.running).sort(
        ([a], [b]) => other(a) - other(b) || a.localeCompare(b, undefined, { numeric: true }),
      );
      const running = speaking.slice(0, RUNNING_SHOWN);
      const heard = store.heardList().slice(0, SHOWN);
      setText(counted, speaking.length ? `${count(speaking.length)} speaking` : "");
      empty.hidden = heard.length + running.length > 0;
      table.hidden = !empty.hidden;
      const state = JSON.stringify([running, heard.map((one) => one.seq), store.boot]);
      if (state === drawn) return;
      drawn = state;
      const focused = body.contains(document.activeElement) ? document.activeElement : null;
      body.replaceChildren(
        ...running.map(([key, text]) => row({ id: key, key, text: `${text} …` }, true)),
        ...heard.map((one) => row(one, false)),
      );
      if (focused) follow(focused);
    },
  };

  // Put the focus where it was; a running text becomes an utterance of the same stream.
  function follow(focused) {
    const links = [...body.querySelectorAll("button")];
    const place = links.find((one) => one.value === focused.value)
      ?? links.find((one) => one.textContent === focused.textContent)
      ?? root.querySelector(".scroll");
    place.focus({ preventScroll: true });
  }

  function row(one, running) {
    const go = () => actions.select(one.key, { jump: true });
    return element("tr", { className: running ? "running" : "" }, [
      element("td", { className: "when" }, [
        element("span", { className: "dot" }), running ? "now" : moment(one.start, store.time),
      ]),
      element("td", { className: "whose" }, [
        element("button", {
          type: "button", className: "link", value: one.id, onclick: go, ariaLabel: `Show ${one.key}`,
        }, [one.key]),
      ]),
      element("td", { className: "text" }, [one.text]),
      element("td", { className: "number" }, [running ? "" : figure(one.score)]),
    ]);
  }
}
