// What the overview knows of all pipelines, put together from its messages.

const KEPT = 600; // seconds
const COLUMNS = ["rows", "rejects", "events", "p99"];

export class Fleet {
  constructor() {
    this.time = Date.now();
    this.cards = []; // in the order of the configuration
  }

  apply(change) {
    const before = new Map(this.cards.map((card) => [card.name, card]));
    this.time = change.time;
    this.cards = change.pipelines.map((told) => ({ ...told, ...seen(before.get(told.name), told.view) }));
  }

  // Rows per second of all pipelines together: {x: [ms], y}.
  total() {
    const all = this.cards.filter((card) => card.seconds);
    const until = Math.max(0, ...all.map((card) => card.seconds.from + card.seconds.rows.length));
    const y = new Array(KEPT).fill(0);
    for (const { seconds } of all) {
      seconds.rows.forEach((rows, place) => {
        const at = seconds.from + place - (until - KEPT);
        if (at >= 0) y[at] += rows;
      });
    }
    return { x: y.map((_, place) => (until - KEPT + place) * 1000), y };
  }
}

// What is known of a pipeline after a message; its view may be away while it restarts.
function seen(card, view) {
  if (!view) return { status: card?.status ?? {}, seconds: card?.seconds ?? null, latest: card?.latest ?? null };
  const before = card?.boot === view.boot && !view.first ? card.seconds : null;
  const earlier = card && card.boot !== view.boot ? card.seconds : null; // of the attempt before
  return {
    boot: view.boot,
    status: view.status,
    speech: view.speech,
    forecast: view.forecast,
    sights: view.sights,
    dead: view.dead_letters,
    openAlarms: view.open_alarms,
    inBand: view.in_band,
    latest: view.alarms?.at(-1) ?? view.heard?.at(-1) ?? (view.first ? null : card?.latest ?? null),
    seconds: before ? appended(before, view.seconds) : summed(view.seconds, earlier),
  };
}

function appended(before, seconds) {
  const joined = Object.fromEntries(COLUMNS.map((name) => [name, before[name].concat(seconds[name]).slice(-KEPT)]));
  return { ...joined, from: seconds.from + seconds.rows.length - joined.rows.length };
}

// A pipeline that was started again knows nothing of what it did before: the page does.
function summed(seconds, earlier) {
  if (!earlier) return seconds;
  const old = (name, place) => earlier[name][seconds.from + place - earlier.from];
  const added = (name) => seconds[name].map((value, place) => value + (old(name, place) ?? 0));
  return {
    from: seconds.from,
    rows: added("rows"),
    rejects: added("rejects"),
    events: added("events"),
    p99: seconds.p99.map((value, place) => value ?? old("p99", place) ?? null),
  };
}
