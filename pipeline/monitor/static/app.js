// Wires the feed to the panels. A panel is a module with `create(root, store, actions)` that
// returns `{ update(change) }`, called after every message with what was new in it.

import { Feed } from "./feed.js";
import { Store } from "./store.js";
import * as alarms from "./alarms.js";
import * as cameras from "./cameras.js";
import * as dead from "./dead.js";
import * as detail from "./detail.js";
import * as ear from "./ear.js";
import * as header from "./header.js";
import * as heard from "./heard.js";
import * as passages from "./passages.js";
import * as quality from "./quality.js";
import * as streams from "./streams.js";
import * as throughput from "./throughput.js";
import * as tiles from "./tiles.js";

const PANELS = {
  top: header, tiles, cameras, passages, detail, ear, streams, alarms, heard, quality, throughput, dead,
};
const SIGHTED = new Set(["tiles", "cameras", "passages"]); // what cameras show comes more often

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
      history.replaceState(null, "", `#stream=${encodeURIComponent(key)}`);
      feed.open(key);
    }
    for (const panel of panels) panel.update({});
    if (jump) document.getElementById("detail").scrollIntoView({ block: "nearest" });
  },

  // Show one camera large, or all alike: null.
  enlarge(name) {
    if (name === store.large) return;
    store.large = name;
    feed.camera = name;
    const key = name ?? store.selected;
    store.select(key);
    history.replaceState(null, "", `#${name === null ? "stream" : "camera"}=${encodeURIComponent(key)}`);
    feed.open(key);
    for (const panel of panels) panel.update({});
    if (name !== null) document.getElementById("cameras").scrollIntoView({ block: "nearest" });
  },
};

const created = Object.entries(PANELS).map(([id, panel]) => [
  id, panel.create(document.getElementById(id), store, actions),
]);
const panels = created.map(([, panel]) => panel);
const sighted = created.filter(([id]) => SIGHTED.has(id)).map(([, panel]) => panel);

const feed = new Feed({
  message(change) {
    store.apply(change);
    document.body.dataset.task = store.status.task ?? ""; // some panels belong to one task alone
    if (store.selected === null && store.streams.length) {
      const loudest = store.latestAlarm() ?? store.latestHeard() ?? store.streams[0];
      actions.select(loudest.key, { feature: loudest.cause ?? null });
    }
    for (const panel of panels) panel.update(change);
  },
  sights(change) {
    store.sights.apply(change);
    for (const panel of sighted) panel.update({});
  },
  state(connected) {
    store.connected = connected;
    document.body.classList.toggle("offline", !connected);
    for (const panel of panels) panel.update({});
  },
});

function selectFromAddress() {
  const address = new URLSearchParams(location.hash.slice(1));
  const [key, camera] = [address.get("stream"), address.get("camera")];
  if (camera) actions.enlarge(camera);
  else if (key) actions.select(key);
  return key !== null || camera !== null;
}

// No pictures are taken for a page that nobody sees.
document.addEventListener("visibilitychange", () => {
  feed.pictures = !document.hidden;
  if (store.tracking) feed.open(feed.focus);
});

window.addEventListener("hashchange", selectFromAddress);
window.addEventListener("resize", () => panels.forEach((panel) => panel.update({})));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
  panels.forEach((panel) => panel.update({})),
);
if (!selectFromAddress()) feed.open(null);
