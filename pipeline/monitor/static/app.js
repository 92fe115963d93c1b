// Wires the feed to the panels. A panel is a module with `create(root, store, actions)` that
// returns `{ update(change) }`, called after every message with what was new in it.

import * as address from "./address.js";
import { Feed } from "./feed.js";
import { Store } from "./store.js";
import * as alarms from "./alarms.js";
import * as cameras from "./cameras.js";
import * as dead from "./dead.js";
import * as detail from "./detail.js";
import * as ear from "./ear.js";
import * as header from "./header.js";
import * as heard from "./heard.js";
import * as inspect from "./inspect.js";
import * as navigation from "./navigation.js";
import * as overview from "./overview.js";
import * as passages from "./passages.js";
import * as quality from "./quality.js";
import * as streams from "./streams.js";
import * as throughput from "./throughput.js";
import * as tiles from "./tiles.js";
import * as trouble from "./trouble.js";

const PANELS = {
  top: header, crew: navigation, trouble, overview, tiles, cameras, passages, detail, inspect, ear,
  streams, alarms, heard, quality, throughput, dead,
};
const SIGHTED = new Set(["tiles", "cameras", "passages"]); // what cameras show comes more often
const VIEWS = ["overview", "pipeline"];

// The token has done its work: the server has set a cookie. Keep it out of the history.
if (new URLSearchParams(location.search).has("token")) {
  history.replaceState(null, "", location.pathname + location.hash);
}

const store = new Store();
const actions = {
  // Show a stream in the chart; `feature` is the one to begin with, `jump` brings it into view.
  select(key, { feature = null, jump = false } = {}) {
    if (feature !== null) store.wantFeature(feature);
    if (key !== store.selected) {
      store.select(key);
      remember({ stream: key });
      connect();
    }
    update();
    if (jump) document.getElementById("detail").scrollIntoView({ block: "nearest" });
  },

  // Show one camera large, or all alike: null.
  enlarge(name) {
    if (name === store.large) return;
    store.large = name;
    store.select(name ?? store.selected);
    remember({ [name === null ? "stream" : "camera"]: store.selected });
    connect();
    update();
    if (name !== null) document.getElementById("cameras").scrollIntoView({ block: "nearest" });
  },
};

const created = Object.entries(PANELS).map(([id, panel]) => [
  id, panel.create(document.getElementById(id), store, actions),
]);
const panels = Object.fromEntries(created);
const sighted = created.filter(([id]) => SIGHTED.has(id)).map(([, panel]) => panel);
const update = (change = {}) => created.forEach(([, panel]) => panel.update(change));

const feed = new Feed({
  overview(change) {
    store.crew = change.pipelines;
    store.fleet.apply(change);
    if (store.crew.length === 1) open({}); // nothing to compare it with
    else {
      show("overview");
      update();
    }
  },
  crew(change) {
    store.crew = change.pipelines;
    if (!store.member()) store.leave();
    show("pipeline");
    update();
  },
  message(change) {
    store.crew = change.pipelines;
    store.apply(change);
    show("pipeline");
    document.body.dataset.task = store.status.task ?? ""; // some panels belong to one task alone
    if (store.selected === null && store.streams.length) {
      const loudest = store.latestAlarm() ?? store.latestHeard() ?? store.streams[0];
      actions.select(loudest.key, { feature: loudest.cause ?? null });
    }
    update(change);
  },
  sights(change) {
    store.sights.apply(change);
    for (const panel of sighted) panel.update({});
  },
  state(connected) {
    if (connected === store.connected) return;
    store.connected = connected;
    document.body.classList.toggle("offline", !connected && store.mode !== null);
    document.getElementById("lost").hidden = connected || store.mode === null;
    if (!connected) update();
  },
});

function connect() {
  const { asked, selected, large } = store;
  feed.open({ pipeline: asked.pipeline, stream: selected, camera: large, pictures: document.hidden ? "no" : null });
}

function remember(place) {
  store.asked = { ...place, pipeline: store.asked.pipeline };
  address.replace(store.asked);
}

// Show this view, and nothing of the other one.
function show(mode) {
  const bare = mode === "pipeline" && store.boot === null; // it has nothing to show yet
  document.body.classList.toggle("bare", bare);
  if (store.mode === mode) return;
  store.mode = mode;
  for (const view of VIEWS) document.getElementById(view).hidden = view !== mode;
}

// Show a pipeline: what `asked` names of it, or what is worth a look.
function open(asked) {
  const { pipeline = null, stream = null, camera = null } = asked;
  if (store.mode !== "pipeline" || pipeline !== store.asked.pipeline) {
    store.leave();
    scrollTo(0, 0);
  }
  store.asked = { pipeline, stream, camera };
  if (camera !== null || stream !== null) {
    store.large = camera;
    store.select(camera ?? stream);
  } else if (store.selected !== null) remember({ [store.large === null ? "stream" : "camera"]: store.selected });
  connect();
  if (store.mode === null) return;
  show("pipeline");
  update();
}

function openOverview() {
  store.leave();
  store.asked = {};
  feed.open({ overview: "yes" });
  if (store.mode !== "pipeline" || store.crew.length < 2) return;
  show("overview");
  update();
}

function followAddress() {
  const asked = address.read();
  if (Object.values(asked).some((name) => name !== null)) open(asked);
  else openOverview();
}

// Whoever goes by keyboard goes on where they are now.
window.addEventListener("hashchange", () => {
  const before = store.asked.pipeline;
  followAddress();
  const now = store.asked.pipeline;
  if (now === before) return;
  if (now != null) document.querySelector("h1").focus({ preventScroll: true });
  else panels.overview.card(before)?.focus();
});

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address stays
  document.getElementById(store.mode ?? "pipeline").focus();
});

// No pictures are taken for a page that nobody sees.
document.addEventListener("visibilitychange", () => {
  if (store.tracking) connect();
});
window.addEventListener("resize", () => update());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => update());
followAddress();
