"use strict";
(() => {
  const table = document.getElementById("results");
  const rows = [...table.tBodies[0].rows];
  const search = document.getElementById("search");
  const shown = document.getElementById("shown");
  const examples = document.getElementById("examples");
  const data = JSON.parse(document.getElementById("data").textContent);
  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  // Every word must be found, in any order.
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      count += row.hidden ? 0 : 1;
    }
    shown.textContent = `${count} of ${rows.length} lines`;
  };
  search.addEventListener("input", filter);
  filter();

  // Numbers by value, what has none last; texts by their letters.
  const key = (row, column) => row.cells[column].textContent.trim();
  const compare = (a, b) => {
    const [x, y] = [parseFloat(a), parseFloat(b)];
    if (!Number.isNaN(x) && !Number.isNaN(y)) return x - y;
    if (a === "–" || b === "–") return (a === "–") - (b === "–");
    return a.localeCompare(b, undefined, { numeric: true });
  };
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = head.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      [...table.tHead.rows[0].cells].forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      rows.sort((a, b) => (down ? -1 : 1) * compare(key(a, column), key(b, column)));
      table.tBodies[0].append(...rows);
    });
  });

  const choice = (item, [picked, right]) => {
    if (picked < 0) return ["another answer", right];
    return [item.o[picked].trim(), right];
  };
  const mark = (who, item, answer) => {
    const [text, right] = choice(item, answer);
    return element("div", `${who}: ${text} ${right ? "✓ right" : "✗ wrong"}`, `mark ${right ? "right" : "wrong"}`);
  };
  const question = (item, dense, own, model) => {
    const box = element("div", undefined, "question");
    box.append(element("pre", item.c));
    const list = element("ul");
    item.o.forEach((option, at) => {
      const gold = item.f === "free" || at === item.g;
      list.append(element("li", option.trim(), gold ? "gold" : ""));
    });
    box.append(element("div", item.f === "free" ? "Right answers:" : "Options, the right one bold:", "soft"), list);
    box.append(mark("dense", item, dense));
    if (own) box.append(mark(model, item, own));
    return box;
  };
  const show = (variant, model) => {
    const { name, items, answers, models } = data[variant];
    const [dense, own] = [answers[0], model > 0 ? answers[model] : undefined];
    const order = items.map((_, at) => at);
    // What changed comes first: lost, then gained.
    const rank = (at) => (own ? 2 * (dense[at][1] === own[at][1]) + (own[at][1] > dense[at][1]) : 0);
    order.sort((a, b) => rank(a) - rank(b) || a - b);
    examples.replaceChildren(element("h3", `${name}: ${models[model]}`));
    if (own) {
      const lost = order.filter((at) => dense[at][1] > own[at][1]).length;
      const gained = order.filter((at) => dense[at][1] < own[at][1]).length;
      examples.append(element("p", `Of ${items.length} questions ${lost} were lost and ${gained} gained; these come first.`, "note"));
    }
    let next = 0;
    const more = element("button", "More questions");
    more.type = "button";
    const add = () => {
      for (const at of order.slice(next, next + 10)) more.before(question(items[at], dense[at], own && own[at], models[model]));
      next += 10;
      more.hidden = next >= order.length;
    };
    examples.append(more);
    more.addEventListener("click", add);
    add();
    examples.scrollIntoView({ block: "nearest" });
  };
  for (const row of rows) {
    row.querySelector("button").addEventListener("click", () => show(+row.dataset.variant, +row.dataset.model));
  }
})();
