// Figures from columns of one value a second.

const RECENT_S = 5;

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
