// The stream in the chart: where its last row lies in the log, and what happened to it.

import { element, part, setText } from "./dom.js";
import { count, duration, figure, moment, time } from "./format.js";

const FACTS = {
  partition: "Partition", offset: "Last offset", came: "Last row", rows: "Rows seen", slot: "Slot", faults: "Of this stream",
};
const SHOWN = 4; // of what happened
const QUIET_MS = 10_000; // without a row

export function create(root, store) {
  const [facts, happened] = ["facts", "happened"].map((id) => part(root, id));
  const values = Object.fromEntries(Object.entries(FACTS).map(([id, label]) => {
    const [value, note] = [element("span"), element("span", { className: "note" })];
    facts.append(element("div", {}, [element("dt", {}, [label]), element("dd", {}, [value, note])]));
    return [id, [value, note]];
  }));
  let drawn = "";

  function tell(id, value, note) {
    setText(values[id][0], value);
    setText(values[id][1], note);
  }

  return {
    update() {
      const known = store.focus.facts;
      const alarms = store.alarmList().filter((alarm) => alarm.key === store.selected);
      const letters = store.dead.filter((letter) => letter.key === store.selected).toReversed();
      const quiet = known ? Math.max(0, store.time - known.came) : 0;
      tell("partition", count(known?.partition), "");
      tell("offset", known ? String(known.offset) : count(null), "");
      tell("came", known ? moment(known.came, store.time) : count(null), known ? `${ago(quiet)} ago` : "");
      tell("rows", count(known?.rows), known ? `since ${time(known.since)}` : "");
      tell("slot", count(known?.slot), known ? (quiet < QUIET_MS ? "live" : "quiet") : "");
      const open = alarms.some((alarm) => alarm.end === null);
      const what = [[alarms.length, "alarm"], [letters.length, "dead letter"]].filter(([many]) => many)
        .map(([many, word]) => `${count(many)} ${word}${many === 1 ? "" : "s"}`);
      tell("faults", what[0] ?? "nothing wrong", [open ? "open" : "", ...what.slice(1)].filter(Boolean).join(", "));
      const state = JSON.stringify([alarms.map((one) => one.seq), letters.map((one) => one.seq), store.selected]);
      if (state === drawn) return;
      drawn = state;
      const all = [...alarms.map(alarmed), ...letters.map(rejected)].sort((a, b) => b.at - a.at).slice(0, SHOWN);
      happened.hidden = all.length === 0;
      happened.replaceChildren(...all.map(({ at, kind, text }) =>
        element("li", { className: kind }, [
          element("span", { className: "when" }, [moment(at, store.time)]), " ", element("span", {}, [text]),
        ]),
      ));
    },
  };
}

const ago = (ms) => (ms < 1000 ? "under 1 s" : duration(Math.round(ms / 1000) * 1000));

function alarmed({ start, end, cause, peak }) {
  const lasted = end === null ? "still open" : `lasted ${duration(end - start)}`;
  return { at: start, kind: end === null ? "open" : "", text: ["Alarm", cause, `peak ${figure(peak)}`, lasted].filter(Boolean).join(", ") };
}

const rejected = ({ time: at, cause, reason, partition, offset }) => ({
  at, kind: "rejected", text: `Dead letter, ${cause}: ${reason} (partition ${partition}, offset ${offset})`,
});
