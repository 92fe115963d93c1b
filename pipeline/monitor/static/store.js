// What the page knows, put together from the messages. Panels read it, only `apply` changes it.

import { Fleet } from "./fleet.js";
import { Sights } from "./sights.js";

const POINTS = 600;
const COLUMNS = ["rows", "batches", "rejects", "events", "p50", "p99", "lag", "live"];
const SCORES = ["scores", "pinball", "covered"]; // of forecasts, a list for each scored horizon
const POINT = ["t", "v", "e", "s", "a", "l", "u"]; // l and u come with forecasts alone

const nothing = () => ({ key: null, ahead: null, facts: null, ...Object.fromEntries(POINT.map((name) => [name, []])) });

export class Store {
  constructor() {
    this.connected = false;
    this.mode = null; // "overview" or "pipeline", once it is known
    this.asked = {}; // what the address names: {pipeline, stream, camera}
    this.crew = []; // how all pipelines stand
    this.fleet = new Fleet();
    this.visit = 0; // counts the pipelines that were shown
    this.leave();
  }

  // Forget the pipeline that was shown.
  leave() {
    this.visit += 1;
    this.selected = null;
    this.wanted = null;
    this.feature = 0;
    this.large = null; // the camera that is shown large
    this.reset();
  }

  reset() {
    this.boot = null;
    this.pipeline = "";
    this.features = [];
    this.status = {};
    this.time = Date.now();
    this.seconds = { from: 0 };
    for (const name of [...COLUMNS, ...SCORES]) this.seconds[name] = [];
    this.forecast = null;
    this.speech = null;
    this.tracking = null;
    this.sights = new Sights();
    this.heard = new Map();
    this.running = {};
    this.alarms = new Map();
    this.dead = [];
    this.streams = [];
    this.focus = nothing();
  }

  apply(change) {
    if (change.first) {
      this.reset();
      this.boot = change.boot;
      this.pipeline = change.pipeline;
      this.features = change.features;
      this.keptSeconds = change.kept_seconds;
      this.forecast = change.forecast;
      this.speech = change.speech;
      this.tracking = change.tracking;
      if (this.wanted) this.wantFeature(this.wanted);
    }
    this.time = change.time;
    this.status = change.status;
    this.streams = change.streams;
    this.addSeconds(change.seconds);
    for (const alarm of change.alarms) {
      this.alarms.delete(alarm.id);
      this.alarms.set(alarm.id, alarm);
    }
    while (this.alarms.size > 200) this.alarms.delete(this.alarms.keys().next().value);
    for (const one of change.heard ?? []) {
      const place = JSON.stringify([one.id, one.text]);
      this.heard.delete(place);
      this.heard.set(place, one);
    }
    while (this.heard.size > 200) this.heard.delete(this.heard.keys().next().value);
    this.running = change.running ?? {}; // by stream, the text of an utterance that goes on
    if (change.sights) this.sights.apply(change.sights);
    this.dead = this.dead.concat(change.dead).slice(-100);
    if (change.focus && change.focus.key === this.selected) this.addPoints(change.focus);
  }

  addSeconds(seconds) {
    for (const name of COLUMNS) {
      this.seconds[name] = this.seconds[name].concat(seconds[name]).slice(-this.keptSeconds);
    }
    for (const name of this.forecast ? SCORES : []) {
      this.seconds[name] = seconds[name].map((sums, place) =>
        (this.seconds[name][place] ?? []).concat(sums).slice(-this.keptSeconds),
      );
    }
    this.seconds.from = seconds.from + seconds.rows.length - this.seconds.rows.length;
  }

  addPoints(points) {
    if (points.reset) this.focus = nothing();
    this.focus.key = points.key;
    for (const name of POINT.filter((one) => points[one])) {
      this.focus[name] = this.focus[name].concat(points[name]).slice(-POINTS);
    }
    this.focus.ahead = points.ahead ?? this.focus.ahead;
    this.focus.facts = points.facts;
  }

  // The pipeline that is shown; an address that names none means the first. undefined: it is gone.
  member() {
    const { pipeline } = this.asked;
    return pipeline == null ? this.crew[0] : this.crew.find((member) => member.name === pipeline);
  }

  // What names the pipeline in a request of its own.
  query() {
    const { pipeline } = this.asked;
    return pipeline == null ? {} : { pipeline };
  }

  select(key) {
    this.selected = key;
    this.focus = nothing();
  }

  // Show the feature of this name, if there is one; remembered until the features are known.
  wantFeature(name) {
    this.wanted = name;
    const place = this.features.findIndex((feature) => feature.name === name);
    if (place >= 0) this.feature = place;
  }

  // Alarms, newest first.
  alarmList() {
    return [...this.alarms.values()].sort((a, b) => b.start - a.start);
  }

  latestAlarm() {
    const alarm = this.alarmList().find((one) => this.streams.some((s) => s.key === one.key));
    return alarm ?? null;
  }

  // Keywords or utterances, newest first.
  heardList() {
    return [...this.heard.values()].sort((a, b) => b.start - a.start);
  }

  // Those of one stream, in time's order.
  heardOf(key) {
    return [...this.heard.values()].filter((one) => one.key === key).sort((a, b) => a.start - b.start);
  }

  latestHeard() {
    const heard = this.heardList().find((one) => this.streams.some((s) => s.key === one.key));
    return heard ? { key: heard.key } : null;
  }

  openAlarms() {
    return [...this.alarms.values()].filter((alarm) => alarm.end === null).length;
  }
}
