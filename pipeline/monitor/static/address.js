// What the page shows stands behind the # of its address, so that it can be kept, sent and gone
// back to: #pipeline=NAME&stream=KEY, or &camera=NAME. Nothing there: the overview.

const NAMES = ["pipeline", "stream", "camera"];

// {pipeline, stream, camera}, each a text or null.
export function read() {
  const found = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(NAMES.map((name) => [name, found.get(name)]));
}

export function link(place) {
  const named = NAMES.filter((name) => place[name] != null);
  return `#${named.map((name) => `${name}=${encodeURIComponent(place[name])}`).join("&")}`;
}

// Change the address without a step for the Back button.
export const replace = (place) => history.replaceState(null, "", link(place));
