// A tiny line without axes, alarming points marked; with `area` it stands on zero and is filled.

import { svg } from "./dom.js";

const WIDTH = 96;
const HEIGHT = 28;

export function sparkline({ area = false } = {}) {
  const [marks, line, filled] = [svg("path", { class: "marks" }), svg("path"), svg("path", { class: "area" })];
  const node = svg("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "spark", preserveAspectRatio: "none", "aria-hidden": "true",
  }, area ? [filled, line] : [marks, line]);
  return {
    node,
    draw(values, alarms = []) {
      const known = values.filter((value) => value != null);
      const low = area ? 0 : Math.min(...known);
      const span = Math.max(...known) - low || 1;
      const x = (place) => (place / Math.max(1, values.length - 1)) * WIDTH;
      const y = (value) => HEIGHT - 3 - ((value - low) / span) * (HEIGHT - 6);
      let pen = "M";
      let path = "";
      values.forEach((value, place) => {
        if (value == null) pen = "M";
        else {
          path += `${pen}${x(place).toFixed(1)} ${y(value).toFixed(1)}`;
          pen = "L";
        }
      });
      line.setAttribute("d", path);
      if (area) filled.setAttribute("d", path && `${path}V${HEIGHT}H0Z`);
      else marks.setAttribute("d", alarms.map((place) => `M${x(place).toFixed(1)} 0V${HEIGHT}`).join(""));
    },
  };
}
