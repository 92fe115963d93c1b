// The latest alarms of all streams, newest first; open ones lead to their stream.

import { element, part, setText } from "./dom.js";
import { count, duration, figure, moment, NONE } from "./format.js";

const SHOWN = 200;

export function create(root, store, actions) {
  const [body, counted, empty] = ["rows", "count", "empty"].map((id) => part(root, id));
  const table = root.querySelector("table");
  let drawn = "";

  return {
    update() {
      const alarms = store.alarmList().slice(0, SHOWN);
      const open = store.openAlarms();
      setText(counted, alarms.length ? `${count(open)} open` : "");
      empty.hidden = alarms.length > 0;
      table.hidden = alarms.length === 0;
      const state = JSON.stringify([alarms.map((one) => one.seq), store.boot, store.selected]);
      if (state !== drawn) {
        drawn = state;
        const focused = body.contains(document.activeElement) ? document.activeElement.value : null;
        body.replaceChildren(...alarms.map((alarm) => row(alarm)));
        if (focused) [...body.querySelectorAll("button")].find((one) => one.value === focused)?.focus();
      }
      for (const cell of body.querySelectorAll("[data-start]")) {
        setText(cell, duration(Math.max(0, store.time - Number(cell.dataset.start))));
      }
    },
  };

  function row(alarm) {
    const open = alarm.end === null;
    const lasted = element("td", { className: "number lasted" }, [open ? "" : duration(alarm.end - alarm.start)]);
    if (open) lasted.dataset.start = alarm.start;
    const go = () => actions.select(alarm.key, { feature: alarm.cause, jump: true });
    return element("tr", { className: open ? "open" : "" }, [
      element("td", { className: "when" }, [
        element("span", { className: "dot", title: open ? "open" : "over" }),
        element("span", { className: "hidden" }, [open ? "open since " : "over, began "]),
        moment(alarm.start, store.time),
      ]),
      element("td", {}, [
        element("button", {
          type: "button", className: "link", value: alarm.id, onclick: go,
          ariaLabel: `Show ${alarm.key}`,
        }, [alarm.key]),
      ]),
      element("td", { className: "cause" }, [alarm.cause || NONE]),
      element("td", { className: "number" }, [figure(alarm.peak)]),
      lasted,
    ]);
  }
}
