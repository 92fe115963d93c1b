// A tiny line without axes, alarming points marked.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 96;
const HEIGHT = 28;

export function sparkline() {
  const node = document.createElementNS(SVG, "svg");
  node.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  node.setAttribute("class", "spark");
  node.setAttribute("preserveAspectRatio", "none");
  node.setAttribute("aria-hidden", "true");
  const marks = document.createElementNS(SVG, "path");
  marks.setAttribute("class", "marks");
  const line = document.createElementNS(SVG, "path");
  node.append(marks, line);
  return {
    node,
    draw(values, alarms) {
      const known = values.filter((value) => value != null);
      const low = Math.min(...known);
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
      marks.setAttribute("d", alarms.map((place) => `M${x(place).toFixed(1)} 0V${HEIGHT}`).join(""));
    },
  };
}
