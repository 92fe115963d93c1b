// What the cameras show, put together from the messages: the latest sight of each, trails, events.

export const QUIET_MS = 5000; // a camera without a frame for so long is worth a word
const TRAIL_US = 6e6;
const PASSAGES = 200;

export class Sights {
  constructor() {
    this.cameras = new Map(); // by name: the latest sight, its totals and `trails`
    this.passages = []; // oldest first
    this.up = {}; // by name, where a source tells
    this.entered = this.left = this.crossed = 0;
  }

  apply(change) {
    if (change.names) {
      const names = new Set(change.names);
      for (const name of this.cameras.keys()) if (!names.has(name)) this.cameras.delete(name);
      this.up = change.up;
      for (const total of ["entered", "left", "crossed"]) this[total] = change[total];
    }
    for (const told of change.cameras) {
      const trails = this.cameras.get(told.name)?.trails ?? new Map();
      for (const [time, tracks, feet] of told.past ?? []) follow(trails, time, tracks, feet);
      const feet = told.boxes.map(([left, top, width, height]) => [left + width / 2, top + height]);
      follow(trails, told.time, told.tracks, feet);
      this.cameras.set(told.name, { ...told, past: undefined, trails });
    }
    this.passages = this.passages.concat(change.passages).slice(-PASSAGES);
  }

  // How many tracks there are, at the time `now` of the server.
  present(now) {
    const live = [...this.cameras.values()].filter((camera) => now - camera.at <= QUIET_MS);
    return live.reduce((total, camera) => total + camera.count, 0);
  }

  // Names of all cameras, those that never showed anything too, as people sort them.
  names() {
    const names = new Set([...this.cameras.keys(), ...Object.keys(this.up)]);
    return [...names].sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
  }
}

// Add where tracks stood, and forget what is long past. A trail is [[time, x, y], …].
function follow(trails, time, tracks, feet) {
  tracks.forEach((track, place) => {
    const trail = trails.get(track) ?? [];
    if ((trail.at(-1)?.[0] ?? -Infinity) < time) trail.push([time, ...feet[place]]);
    trails.set(track, trail);
  });
  for (const [track, trail] of trails) {
    const kept = trail.findIndex((point) => point[0] > time - TRAIL_US && point[0] <= time);
    if (kept < 0) trails.delete(track);
    else trail.splice(0, kept);
  }
}

// How much of a trail's point is left at `time`: 1 when it is new, 0 when it is over.
export const freshness = (point, time) => Math.max(0, 1 - (time - point[0]) / TRAIL_US);
