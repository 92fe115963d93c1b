// Figures from columns of one value a second.

const RECENT_S = 5;
const AXIS = 64; // pixels of a chart beside its lines

export const sum = (values) => values.reduce((total, value) => total + (value ?? 0), 0);
export const tail = (values) => values.slice(-RECENT_S);

// The mean of the last few seconds in which something was known; null where nothing was.
export function recentMean(values) {
  const some = tail(values).filter((value) => value != null);
  return some.length ? sum(some) / some.length : null;
}

// From where something happened up to now, in ms, but never less than a minute.
export function range(x, values) {
  const last = x.at(-1) ?? Date.now();
  const first = x[values.findIndex((value) => value > 0)] ?? last;
  return [Math.min(first, last - 60000), last];
}

export const mean = (values) => sum(values) / values.length;
export const most = (values) => Math.max(...values);

// A line of few enough points for a canvas, each of some seconds: {x, y}. `pick` makes one value of
// several; seconds of which nothing is known are left out, and a chart leaves a gap for many.
export function thinned(canvas, x, y, pick = mean) {
  const every = Math.max(1, Math.ceil((2 * x.length) / Math.max(1, canvas.clientWidth - AXIS)));
  const bins = new Map(); // by the time, so that points stay what they are as time goes on
  y.forEach((value, place) => {
    if (value == null) return;
    const bin = Math.floor(x[place] / (1000 * every));
    if (!bins.has(bin)) bins.set(bin, []);
    bins.get(bin).push(value);
  });
  const middle = (bin) => Math.min(x.at(-1), (bin + 0.5) * 1000 * every);
  return { x: [...bins.keys()].map(middle), y: [...bins.values()].map(pick) };
}
