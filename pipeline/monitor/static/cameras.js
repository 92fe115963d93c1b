// All cameras side by side; one of them large when it is chosen. Boxes are drawn with the picture
// that they belong to, when it has come.

import { element, part, setText } from "./dom.js";
import { count, duration } from "./format.js";
import { draw } from "./scene.js";
import { QUIET_MS } from "./sights.js";

const NEAR = "300px"; // of the view: what is farther away is not drawn
const MOVES = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

export function create(root, store, actions) {
  const [grid, counted, empty, back] = ["grid", "count", "empty", "back"].map((id) => part(root, id));
  const tiles = new Map();
  const inView = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const tile = tiles.get(target.dataset.camera);
      if (tile) tile.visible = isIntersecting;
    }
    update();
  }, { rootMargin: NEAR });

  function update() {
    if (!store.tracking) return;
    const first = (name) => (name === store.large ? 0 : 1);
    const names = store.sights.names().sort((a, b) => first(a) - first(b));
    for (const [name, tile] of tiles) {
      if (!names.includes(name)) {
        inView.unobserve(tile.item);
        tile.item.remove();
        tiles.delete(name);
      }
    }
    names.forEach((name, place) => {
      const tile = tiles.get(name) ?? makeTile(name);
      if (grid.children[place] !== tile.item) {
        const focused = document.activeElement === tile.button;
        grid.insertBefore(tile.item, grid.children[place] ?? null);
        if (focused) tile.button.focus({ preventScroll: true });
      }
      tell(tile, store.sights.cameras.get(name));
    });
    const all = Math.max(names.length, store.status.live_streams ?? 0);
    setText(counted, names.length < all ? `${count(names.length)} of ${count(all)}` : count(all));
    empty.hidden = names.length > 0;
    back.hidden = store.large === null;
    grid.classList.toggle("one", names.includes(store.large));
  }

  function makeTile(name) {
    const canvas = element("canvas", { className: "picture", ariaHidden: "true" });
    const button = element("button", {
      type: "button", className: "eye", value: name,
      onclick: () => actions.enlarge(store.large === name ? null : name),
    }, [canvas]);
    const nodes = Object.fromEntries(
      ["dot", "name", "health", "now", "passed"].map((id) => [id, element("span", { className: id })]),
    );
    setText(nodes.name, name);
    const about = element("p", { className: "about", ariaHidden: "true" }, Object.values(nodes));
    const item = element("li", { className: "camera" }, [button, about]);
    item.dataset.camera = name;
    const tile = { name, item, button, canvas, nodes, shown: null, next: null, loading: false, visible: true };
    tiles.set(name, tile);
    inView.observe(item);
    return tile;
  }

  function tell(tile, sight) {
    const { nodes, item, button } = tile;
    const [kind, health] = healthOf(tile.name, sight);
    const known = Boolean(sight) && kind === "good";
    nodes.dot.dataset.kind = kind;
    setText(nodes.health, health);
    setText(nodes.now, known ? `${count(sight.count)} now` : "");
    const passed = sight ? `${count(sight.entered)} came, ${count(sight.left)} left` : "";
    setText(nodes.passed, passed);
    item.classList.toggle("away", kind !== "good");
    const large = store.large === tile.name;
    if (item.classList.toggle("large", large) !== (button.ariaPressed === "true")) paint(tile);
    button.ariaPressed = String(large);
    const lines = linesOf(tile.name, sight).map((line) => `${line.name} ${line.in} in, ${line.out} out`);
    const said = [tile.name, health, nodes.now.textContent, passed, ...lines].filter(Boolean).join(", ");
    if (button.ariaLabel !== said) button.ariaLabel = said;
    const looked = tile.visible && !document.hidden;
    if (sight && sight !== tile.newest && looked) {
      tile.newest = sight;
      if (!sight.pictured) show(tile, sight, null);
      else if (tile.loading) tile.next = sight;
      else load(tile, sight);
    } else paint(tile);
  }

  // Fetch the picture of a sight, then show both; what came meanwhile is next.
  async function load(tile, sight) {
    tile.loading = true;
    try {
      const query = new URLSearchParams({ ...store.query(), camera: tile.name, t: sight.time });
      const answer = await fetch(`/picture?${query}`);
      if (answer.status === 200) show(tile, sight, await createImageBitmap(await answer.blob()));
    } catch {
      // The connection is gone: the feed says so, and brings new sights when it is back.
    }
    tile.loading = false;
    const { next } = tile;
    tile.next = null;
    if (next && tiles.get(tile.name) === tile) load(tile, next);
  }

  function show(tile, sight, picture) {
    tile.shown?.picture?.close();
    tile.shown = { sight, picture };
    tile.item.style.setProperty("--ratio", ratioOf(sight));
    paint(tile);
    Object.assign(tile.canvas.dataset, {
      time: sight.time, tracks: sight.tracks.join(" "), pictured: Boolean(picture),
    });
  }

  function paint(tile) {
    if (!tile.visible) return;
    const { sight, picture } = tile.shown ?? {};
    draw(tile.canvas, { sight, picture, lines: linesOf(tile.name, store.sights.cameras.get(tile.name)) });
  }

  function linesOf(name, sight) {
    return store.tracking.lines
      .filter((line) => line.camera === null || line.camera === name)
      .map((line) => {
        const [into, out] = sight?.lines[line.name] ?? [0, 0];
        return { ...line, in: into, out };
      });
  }

  function healthOf(name, sight) {
    if (store.sights.up[name] === false) return ["bad", "down"];
    if (!sight) return ["wait", "no frame yet"];
    const quiet = store.time - sight.at;
    return quiet > QUIET_MS ? ["wait", `no frame for ${duration(Math.round(quiet / 1000) * 1000)}`] : ["good", ""];
  }

  grid.addEventListener("keydown", (event) => {
    const names = store.sights.names(); // the large one stands first, but keeps its place here
    const here = names.indexOf(document.activeElement?.value);
    const next = names[here + MOVES[event.key]];
    if (here < 0 || next === undefined) return;
    event.preventDefault();
    tiles.get(next)?.button.focus();
    if (store.large !== null) actions.enlarge(next);
  });
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && store.large !== null) actions.enlarge(null);
  });
  back.addEventListener("click", () => actions.enlarge(null));
  return { update };
}

// The shape of a tile: the frame's, but neither a ribbon nor a tower.
const ratioOf = ({ width, height }) => String(Math.min(2.4, Math.max(0.75, width / height)));
