// One pipeline on the overview: how it stands, what it does now, and what happened last.

import { element, setText } from "./dom.js";
import { count, duration, moment, NONE, share } from "./format.js";
import { icon } from "./icons.js";
import { link } from "./address.js";
import { sparkline } from "./sparkline.js";
import { capital, reason, standing, untilRetry } from "./standing.js";
import { recentMean, sum } from "./seconds.js";

const SPARK_S = 120;

// What is counted of a task: {label, (card) → [text, alert?]}; and what happened last, as text.
const TASKS = {
  anomaly: {
    label: () => "Open alarms",
    figure: ({ openAlarms }) => [count(openAlarms), openAlarms > 0],
    last: ({ latest }, now) =>
      latest && `${latest.key}: ${[latest.cause, latest.end === null ? "alarm since" : "alarm at"].filter(Boolean).join(", ")} ${moment(latest.start, now)}`,
    none: "No alarms so far.",
  },
  speech: {
    label: ({ speech }) => (speech?.form === "words" ? "Utterances" : "Keywords"),
    figure: ({ seconds }) => [count(sum(seconds.events)), false],
    last: ({ latest }, now) => latest && `“${latest.text}” ${latest.key}, ${moment(latest.start, now)}`,
    none: "Nothing was heard so far.",
  },
  tracking: {
    label: () => "In the pictures",
    figure: ({ sights }) => [count(sights?.present), false],
    last: ({ sights }) => sights && [
      `${count(sights.entered)} came, ${count(sights.left)} left`,
      sights.down ? `${count(sights.down)} of ${count(sights.cameras)} cameras down` : "",
    ].filter(Boolean).join("; "),
    none: "Nobody came by so far.",
  },
  forecast: {
    label: () => "In the band",
    figure: ({ inBand }) => [share(inBand), false],
    last: ({ forecast, inBand }) => {
      const [low, , high] = forecast?.quantiles ?? [];
      return inBand != null && high > low && `${share(inBand)} of what came lay in the band, ${share(high - low)} should.`;
    },
    none: "No forecast has met its truth yet.",
  },
};
const OTHER = {
  label: () => "In 10 min", figure: ({ seconds }) => [`${count(sum(seconds.rows))} rows`, false], last: () => "", none: "",
};
const FIGURES = ["lag", "p99", "live", "task", "dead", "restarts"];

export function create(name) {
  const [task, state] = [icon("running"), icon("starting")];
  const facts = element("p", { className: "facts" });
  const words = element("span");
  const badge = element("p", { className: "standing" }, [state.node, words]);
  const rate = element("strong");
  const spark = sparkline({ area: true });
  const progress = element("progress", { max: 1, ariaLabel: "Recovery" });
  const last = element("p", { className: "last" });
  const figures = Object.fromEntries(FIGURES.map((id) => {
    const [label, value] = [element("dt"), element("dd")];
    return [id, { label, value, node: element("div", {}, [label, value]) }];
  }));
  const node = element("li", { className: "card" }, [
    element("div", { className: "who" }, [
      task.node,
      element("h2", {}, [element("a", { href: link({ pipeline: name }) }, [name])]), badge, facts,
    ]),
    element("div", { className: "pulse" }, [element("p", {}, [rate, " rows/s"]), spark.node]),
    element("div", { className: "news" }, [progress, last]),
    element("dl", {}, FIGURES.map((id) => figures[id].node)),
  ]);
  node.dataset.pipeline = name;

  function update(card, now) {
    const { status, seconds } = card;
    const about = TASKS[status.task] ?? OTHER;
    const { kind, icon: sign, text } = standing(card);
    node.dataset.kind = kind;
    task.show(status.task in TASKS ? status.task : "model");
    state.show(sign);
    const wait = untilRetry(card);
    setText(words, capital(wait ? `${text} in ${wait}` : text));
    setText(facts, [status.task, status.model].filter(Boolean).join(" · ") || "no model yet");
    setText(rate, seconds ? count(recentMean(seconds.rows)) : NONE);
    spark.draw(seconds ? seconds.rows.slice(-SPARK_S) : []);
    progress.hidden = sign !== "recovering";
    if (!progress.hidden) progress.value = card.recovery;
    const wrong = reason(card);
    last.classList.toggle("wrong", Boolean(wrong));
    const empty = !seconds || !seconds.rows.some((rows) => rows > 0);
    const happened = empty ? "No rows yet." : about.last(card, now) || about.none;
    setText(last, wrong || happened);
    last.title = wrong || happened;
    show("lag", "Lag", count(status.lag));
    show("p99", "Latency p99", seconds ? duration(recentMean(seconds.p99)) : NONE);
    show("live", "Streams", count(status.live_streams));
    const [figure, alert] = seconds ? about.figure(card) : [NONE, false];
    show("task", about.label(card), figure, alert);
    show("dead", "Dead letters", count(card.dead), Boolean(seconds) && sum(seconds.rejects) > 0);
    show("restarts", "Restarts", count(card.restarts), card.restarts > 0 && kind !== "good");
  }

  function show(id, label, value, alert = false) {
    setText(figures[id].label, label);
    setText(figures[id].value, value);
    figures[id].node.classList.toggle("alert", alert);
  }

  return { node, update };
}
