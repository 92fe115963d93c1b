// Small helpers for elements. Text is always set as text: keys and reasons come from outside.

export const part = (root, id) => root.querySelector(`[data-id="${id}"]`);

export function element(tag, properties = {}, children = []) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, attributes = {}, children = []) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// The legend of a chart: [[class, text], …].
export function legend(node, entries) {
  node.replaceChildren(
    ...entries.map(([kind, text]) =>
      element("span", { className: "key" }, [element("i", { className: kind }), text]),
    ),
  );
}
