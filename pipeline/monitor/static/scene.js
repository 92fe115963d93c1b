// Draws one sight of a camera: picture, lines with what crossed them, trails, boxes with numbers.

import { count } from "./format.js";
import { colour } from "./plot.js";
import { freshness } from "./sights.js";

const GOLDEN_ANGLE = 137.508; // neighbouring numbers get colours that are far apart
const BLUE = 245; // degrees
const DARK = "#0b1017";
const RIM = "rgb(6 10 16 / 62%)";

// The colour of a track's number; the same on every page, in light and dark. Blues are lighter, so
// that the number can be read on them.
export function colourOf(track) {
  const hue = (track * GOLDEN_ANGLE) % 360;
  const blue = Math.max(0, Math.cos(((hue - BLUE) * Math.PI) / 180));
  return `hsl(${hue.toFixed(1)} 88% ${(64 + 14 * blue).toFixed(1)}%)`;
}

// draw(canvas, {sight, picture, lines}): `picture` is an image of any size or null, `lines`
// [{name, start, end, in, out}] with ends in shares of the picture.
export function draw(canvas, { sight, picture, lines }) {
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!width || !height) return;
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across || canvas.height !== down) [canvas.width, canvas.height] = [across, down];
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.fillStyle = colour("stage");
  pen.fillRect(0, 0, width, height);
  if (!sight) return;

  // The whole frame fits into the canvas; k is pixels of the page for one of the frame.
  const k = Math.min(width / sight.width, height / sight.height);
  const at = { x: (width - k * sight.width) / 2, y: (height - k * sight.height) / 2 };
  const frame = { k, width: k * sight.width, height: k * sight.height };
  pen.save();
  pen.beginPath();
  pen.rect(at.x, at.y, frame.width, frame.height);
  pen.clip();
  pen.translate(at.x, at.y);
  if (picture) pen.drawImage(picture, 0, 0, frame.width, frame.height);
  else raster(pen, frame);
  pen.lineJoin = "round";
  const size = Math.max(10, Math.min(14, frame.width / 46));
  pen.font = `650 ${size}px system-ui, sans-serif`;
  for (const line of lines) crossing(pen, frame, line, size);
  for (const [track, trail] of sight.trails) path(pen, frame, sight, track, trail);
  sight.tracks.forEach((track, place) => {
    box(pen, frame, track, sight.boxes[place], sight.seen[place], size);
  });
  pen.restore();
}

// Squares where there is no picture, so that movement can be seen.
function raster(pen, { width, height }) {
  const step = width / 16;
  pen.strokeStyle = colour("raster");
  pen.lineWidth = 1;
  pen.beginPath();
  for (let x = step; x < width; x += step) {
    pen.moveTo(x, 0);
    pen.lineTo(x, height);
  }
  for (let y = step; y < height; y += step) {
    pen.moveTo(0, y);
    pen.lineTo(width, y);
  }
  pen.stroke();
}

function path(pen, { k }, sight, track, trail) {
  pen.strokeStyle = colourOf(track);
  pen.lineWidth = 2.5;
  pen.lineCap = "butt"; // round ends would show twice where pieces meet
  for (let i = 1; i < trail.length && trail[i][0] <= sight.time; i += 1) {
    pen.globalAlpha = 0.85 * freshness(trail[i], sight.time);
    pen.beginPath();
    pen.moveTo(k * trail[i - 1][1], k * trail[i - 1][2]);
    pen.lineTo(k * trail[i][1], k * trail[i][2]);
    pen.stroke();
  }
  pen.globalAlpha = 1;
}

function box(pen, frame, track, [left, top, width, height], seen, size) {
  const { k } = frame;
  const [x, y, w, h] = [k * left, k * top, k * width, k * height];
  pen.setLineDash(seen ? [] : [5, 4]);
  for (const [style, wide] of [[RIM, 4], [colourOf(track), 2]]) {
    pen.strokeStyle = style;
    pen.lineWidth = wide;
    pen.strokeRect(x, y, w, h);
  }
  pen.setLineDash([]);
  const text = String(track);
  const tab = { width: pen.measureText(text).width + 8, height: size + 5 };
  const place = {
    x: Math.max(0, Math.min(x - 1, frame.width - tab.width)),
    y: y - tab.height >= 0 ? y - tab.height : Math.max(0, y),
  };
  pen.fillStyle = colourOf(track);
  pen.beginPath();
  pen.roundRect(place.x, place.y, tab.width, tab.height, 3);
  pen.fill();
  label(pen, text, place.x + 4, place.y + tab.height / 2, DARK);
}

// A line, an arrow to its inner side, and how many went in and out.
function crossing(pen, frame, line, size) {
  const [from, to] = [line.start, line.end].map(([x, y]) => [x * frame.width, y * frame.height]);
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const length = Math.hypot(dx, dy) || 1;
  const inwards = [-dy / length, dx / length]; // the right of who looks from its start to its end
  const middle = [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2];
  const tip = [middle[0] + inwards[0] * size * 1.5, middle[1] + inwards[1] * size * 1.5];
  pen.lineCap = "round";
  for (const [style, wide] of [[RIM, 6], [colour("gate"), 2.5]]) {
    pen.strokeStyle = style;
    pen.lineWidth = wide;
    pen.beginPath();
    pen.moveTo(...from);
    pen.lineTo(...to);
    pen.moveTo(...middle);
    pen.lineTo(...tip);
    for (const side of [-1, 1]) {
      pen.moveTo(...tip);
      pen.lineTo(
        tip[0] - size * 0.5 * (inwards[0] + (side * dx) / length),
        tip[1] - size * 0.5 * (inwards[1] + (side * dy) / length),
      );
    }
    pen.stroke();
  }
  const text = `${line.name}  ${count(line.in)} in  ${count(line.out)} out`;
  const wide = pen.measureText(text).width + 12;
  const tall = size + 7;
  // At the lower end, where fewer people are, on the outer side, and just beside the line.
  const low = to[1] > from[1] || (to[1] === from[1] && to[0] > from[0]) ? to : from;
  const away = (Math.abs(inwards[0]) * wide + Math.abs(inwards[1]) * tall) / 2 + 7;
  const [x, y] = [
    Math.max(2, Math.min(low[0] - inwards[0] * away - wide / 2, frame.width - wide - 2)),
    Math.max(2, Math.min(low[1] - inwards[1] * away - tall / 2, frame.height - tall - 2)),
  ];
  pen.fillStyle = RIM;
  pen.beginPath();
  pen.roundRect(x, y, wide, tall, 4);
  pen.fill();
  label(pen, text, x + 6, y + tall / 2, colour("gate"));
}

function label(pen, text, x, y, style) {
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  pen.fillStyle = style;
  pen.fillText(text, x, y + 0.5);
}
