// The way from one pipeline to another, where the process runs several.

import { link } from "./address.js";
import { element, part, setText } from "./dom.js";
import { icon } from "./icons.js";
import { standing } from "./standing.js";

export function create(root, store) {
  const list = part(root, "list");
  let drawn = "";
  let signs = [];

  function draw(names) {
    const state = JSON.stringify(names);
    if (state === drawn) return;
    drawn = state;
    signs = names.map((name) => ({ name, sign: icon("starting"), words: element("span", { className: "hidden" }) }));
    const all = element("a", { href: "#" }, ["Overview"]);
    const links = signs.map(({ name, sign, words }) =>
      element("a", { href: link({ pipeline: name }) }, [sign.node, element("span", {}, [name]), words]),
    );
    list.replaceChildren(...[all, ...links].map((one) => element("li", {}, [one])));
  }

  return {
    update() {
      const { crew } = store;
      root.hidden = crew.length < 2;
      if (root.hidden) return;
      draw(crew.map((member) => member.name));
      signs.forEach(({ sign, words }, place) => {
        const { kind, icon: shown, text } = standing(crew[place]);
        sign.show(shown);
        sign.node.dataset.kind = kind;
        setText(words, `, ${text}`);
      });
      const member = store.mode === "overview" ? {} : store.member();
      const here = member && link({ pipeline: member.name });
      for (const one of list.querySelectorAll("a")) {
        const current = one.getAttribute("href") === here ? "page" : null;
        if (one.ariaCurrent === current) continue;
        one.ariaCurrent = current;
        if (current) one.scrollIntoView({ block: "nearest", inline: "nearest" });
      }
    },
  };
}
