// Numbers and times as people read them, in their own locale.

const integer = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumSignificantDigits: 3 });
const significant = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 4 });
const short = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
});
const hours = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });

export const NONE = "–";

export const count = (value) =>
  value == null ? NONE : (Math.abs(value) < 100000 ? integer : compact).format(value);

// A whole number, with a true minus sign.
export const whole = (value) => integer.format(value).replace("-", "−");

export const number = (value) => (value == null ? NONE : significant.format(value));

// A score or a peak: its size matters, not its fourth digit.
export const figure = (value) => (value == null ? NONE : short.format(value));

export const time = (ms) => clock.format(ms);

// A share, such as of a band: "80 %".
export const share = (value) => (value == null ? NONE : `${integer.format(value * 100)} %`);

export const stepsText = (steps) => (steps === 1 ? "1 step" : `${count(steps)} steps`);

// A label of an axis whose marks are `step` ms apart and that spans `span` ms.
export function tick(ms, step, span) {
  if (step >= 86400000) return day.format(ms);
  return span > 86400000 ? `${day.format(ms)} ${hours.format(ms)}` : clock.format(ms);
}

// The time, with the day where it is not the day of `now`.
export const moment = (ms, now) =>
  new Date(ms).toDateString() === new Date(now).toDateString()
    ? clock.format(ms)
    : `${day.format(ms)} ${clock.format(ms)}`;

// A duration: "850 ms", "12.4 s", "3 min 5 s", "2 h 4 min".
export function duration(ms) {
  if (ms == null) return NONE;
  if (ms < 1000) return `${significant.format(ms < 10 ? Number(ms.toFixed(1)) : Math.round(ms))} ms`;
  if (ms < 60000) return `${significant.format(Number((ms / 1000).toFixed(1)))} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}
