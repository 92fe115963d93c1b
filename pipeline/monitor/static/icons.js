// Small drawings in the colour of the text beside them: tasks, and how a pipeline stands.

import { svg } from "./dom.js";

const RING = "M8 1.6a6.4 6.4 0 1 1 0 12.8a6.4 6.4 0 0 1 0-12.8";
const PATHS = {
  anomaly: "M1 9h3l2.2-5.5 3 9.5 2.2-6.5L12.6 9H15",
  forecast: "M1.5 12l3-4.2 2.4 2L9 7.2M9 7.2l5.5-4.4M9 7.2l5.5-.6M9 7.2l5.5 3",
  speech: "M1.8 6.6v2.8M4.9 4.2v7.6M8 1.6v12.8M11.1 4.8v6.4M14.2 6.6v2.8",
  tracking: "M1.5 5V1.5H5M11 1.5h3.5V5M14.5 11v3.5H11M5 14.5H1.5V11M8 5.7a2.3 2.3 0 1 1 0 4.6a2.3 2.3 0 0 1 0-4.6",
  model: "M8 1.6l5.6 3.2v6.4L8 14.4l-5.6-3.2V4.8zM2.6 4.9L8 8l5.4-3.1M8 8v6.2",
  running: `${RING}M5.2 8.3l2 2 3.7-4.3`,
  starting: `${RING}M8 4.6V8l2.4 1.6`,
  waiting: `${RING}M6.4 5.8v4.4M9.6 5.8v4.4`,
  recovering: "M13.6 8a5.6 5.6 0 1 1-1.7-4M13.6 1.6v3.2h-3.2",
  restarting: "M8 2l6.6 11.6H1.4zM8 6.4v3.4M8 11.7v.1",
  failed: `${RING}M5.8 5.8l4.4 4.4M10.2 5.8l-4.4 4.4`,
  ended: `${RING}M6 6h4v4H6z`,
  gone: `${RING}M6.2 6.3a1.9 1.9 0 1 1 2.6 1.8c-.6.3-.8.6-.8 1.2M8 11.3v.1`,
};

// icon("running").node is an <svg>; `show` changes what it shows.
export function icon(name) {
  const path = svg("path");
  const node = svg("svg", { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true" }, [path]);
  let shown = null;
  const show = (next) => {
    if (next === shown) return;
    shown = next;
    path.setAttribute("d", PATHS[next] ?? "");
  };
  show(name);
  return { node, show };
}
