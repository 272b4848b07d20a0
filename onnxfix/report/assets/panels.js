"use strict";
/* The lists beside the graph.  Every text from a model is set as text, never as HTML. */
const Panels = (() => {
  const { doc } = Drawing;
  const STATUS = { same: "unchanged", changed: "changed", inserted: "inserted", removed: "removed" };
  const QUIET = ["renamed", "moved", "placement", "docs", "value-info"];  // groups that are closed at first
  const byId = name => document.getElementById(name);

  function make(tag, options = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(options)) {
      if (name === "onclick") element.addEventListener("click", value);
      else if (value) element.setAttribute(name === "cls" ? "class" : name, value);
    }
    element.append(...children.filter(child => child !== null && child !== undefined && child !== ""));
    return element;
  }

  const heading = (text, ...more) => make("h2", {}, text, ...more);

  /* What changed or was found, by rule where one is known, else by kind. */
  function items(onclick) {
    const groups = new Map();
    doc.items.forEach((item, number) => {
      groups.set(item.group, [...groups.get(item.group) ?? [], number]);
    });
    const list = byId("items");
    for (const note of doc.notes) list.append(make("p", { cls: "faint" }, note));
    for (const [group, numbers] of groups) {
      const total = doc.items[numbers[0]].total;
      const shown = numbers.length < total ? `${total}, ${numbers.length} listed` : `${total}`;
      const quiet = QUIET.includes(doc.items[numbers[0]].kind);
      list.append(make("details", { open: quiet ? "" : "open" }, make("summary", {}, `${group} (${shown})`),
        ...numbers.map(number => entry(doc.items[number], number, onclick))));
    }
    if (!doc.items.length)
      list.append(make("p", { cls: "faint" }, doc.mode === "diff" ? "The models are the same." : "Nothing was found."));
  }

  function entry(item, number, onclick) {
    const place = doc.scopes[item.scope]?.label;
    return make("button", { cls: `item ${item.kind} ${item.level}`, id: `item${number}`, title: item.message, onclick: () => onclick(number) },
      make("b", {}, item.message), make("small", {}, [item.subject, place && `in ${place}`].filter(Boolean).join(" ")));
  }

  function mark(number) {
    document.querySelectorAll(".item.current").forEach(element => element.classList.remove("current"));
    const element = byId(`item${number}`);
    element?.classList.add("current");
    if (element) element.closest("details").open = true;
    element?.scrollIntoView({ block: "nearest" });
  }

  function change(item) {
    const details = Object.entries(item.details).filter(([name]) => name !== "histogram");
    return make("div", {},
      make("p", {}, item.level && make("span", { cls: `chip ${item.level}` }, item.level), item.rule && make("span", { cls: "chip" }, item.rule), item.message),
      ...item.before.map(line => make("pre", { cls: "old" }, `- ${line}`)), ...item.after.map(line => make("pre", { cls: "new" }, `+ ${line}`)),
      details.length ? make("table", {}, ...details.map(([name, text]) => row(name, text))) : null,
      item.details.histogram?.some(Boolean) ? make("div", {}, heading("new − old"), bars(item.details.histogram, "difference"),
        axis(`-${item.details.max}`, `${item.details.max}`)) : null);
  }

  const row = (name, ...texts) => make("tr", {}, make("td", { cls: "name" }, name), ...texts.map(text => make("td", {}, text)));
  const axis = (low, high) => make("div", { cls: "axis" }, make("span", {}, low), make("span", {}, high));

  function bars(counts, cls) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), top = Math.log1p(Math.max(...counts)) || 1;
    svg.setAttribute("viewBox", `0 0 ${counts.length} 10`); svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("class", `bars ${cls ?? ""}`); svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `histogram: ${counts.join(", ")}`);
    counts.forEach((count, place) => {
      const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect"), tall = 10 * Math.log1p(count) / top;
      for (const [name, value] of Object.entries({ x: place + 0.06, y: 10 - tall, width: 0.88, height: tall })) rect.setAttribute(name, value);
      const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
      title.textContent = `${count}`;
      rect.append(title); svg.append(rect);
    });
    return svg;
  }

  /* Everything about one part. */
  function part(number) {
    const item = Drawing.scope().parts[number], sides = item.facts, facts = sides.filter(Boolean), last = facts[facts.length - 1];
    const about = doc.items.filter(other => other.scope === Drawing.current && other.parts.includes(number));
    fill(
      make("h3", {}, last.op ?? item.title),
      make("p", {}, make("span", { cls: `chip ${item.status}` }, doc.mode === "diff" ? STATUS[item.status] : item.kind),
        make("span", { cls: "mono" }, names(facts))),
      last.doc && make("p", { cls: "faint" }, last.doc),
      ...(last.inner ?? []).map(label => inside(label)),
      ...about.flatMap(other => [heading(other.group), change(other)]),
      attributes(facts),
      ...facts.flatMap((side, place) => values(side, facts.length > 1 ? place ? "after: " : "before: " : "")));
  }

  const names = facts => [...new Set(facts.map(side => side.name).filter(Boolean))].join(" → ");

  function inside(label) {
    const number = doc.scopes.findIndex(scope => scope.label === label);
    return number < 0 ? null : make("p", {}, make("button", { onclick: () => Drawing.enter(number) }, `Open ${label}`));
  }

  function attributes(facts) {
    const tables = facts.map(side => new Map(side.attrs ?? [])), keys = [...new Set(tables.flatMap(table => [...table.keys()]))];
    if (!keys.length) return null;
    const rows = keys.map(key => {
      const line = row(key, ...tables.map(table => table.get(key) ?? "—"));
      if (tables.length > 1 && tables[0].get(key) !== tables[1].get(key)) line.className = "differs";
      return line;
    });
    const head = facts.length > 1 ? [make("tr", {}, make("th", {}, ""), make("th", {}, "before"), make("th", {}, "after"))] : [];
    return make("div", {}, heading("Attributes"), make("table", {}, ...head, ...rows));
  }

  function values(side, when) {
    const list = (title, entries) => entries?.length ? [heading(when + title), ...entries.map(value)] : [];
    return [...list("Inputs", side.in), ...list("Outputs", side.out)];
  }

  function value([name, type, weight]) {
    return make("div", { cls: "value" }, make("span", { cls: "mono" }, name || "(left out)"), " ",
      make("span", { cls: "faint" }, type), weight ? figures(weight) : null);
  }

  function figures(weight) {
    if (weight.unreadable) return make("div", { cls: "faint" }, weight.unreadable);
    if (weight.values) return make("div", { cls: "mono" }, weight.values.length ? weight.values.join(", ") : "no values");
    if (!weight.size) return null;
    const sample = weight.of < weight.size ? `, of ${weight.of.toLocaleString("en")} evenly spaced values` : "";
    const odd = weight.odd ? `, ${weight.odd} not finite` : "";
    return make("div", {}, weight.histogram ? bars(weight.histogram) : null,
      weight.histogram ? axis(weight.smallest, weight.largest) : null,
      make("div", { cls: "faint" }, weight.histogram ? `mean ${weight.mean}, deviation ${weight.deviation}${odd}${sample}` : `no finite value${sample}`));
  }

  function folded(number) {
    const parts = Drawing.foldParts(`f${number}`);
    fill(make("h3", {}, `${parts.length} folded nodes`), make("p", {}, make("button", { onclick: () => Drawing.unfold(`f${number}`) }, "Unfold (Enter)")),
      operators(parts.map(place => Drawing.scope().parts[place])));
  }

  function welcome() {
    const { label, parts, folds } = Drawing.scope(), nodes = parts.filter(other => other.kind === "node");
    const both = doc.mode === "diff" ? " of both models together" : "";
    fill(make("h3", {}, label || "Main graph"),
      make("p", { cls: "faint" }, `${nodes.length.toLocaleString("en")} nodes${both}, constants left out`),
      make("p", { cls: "faint" }, doc.items.length ? "Choose an entry on the left, or press n." : "Choose a node, or press / to search."),
      make("p", { cls: "faint" }, (folds.length ? "A dashed box holds many nodes: double-click unfolds it. " : "") + "? lists the keys."),
      operators(nodes));
  }

  function operators(parts) {
    const counts = new Map();
    for (const { title } of parts) counts.set(title, (counts.get(title) ?? 0) + 1);
    const rows = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 30).map(([name, count]) => row(count.toLocaleString("en"), name));
    return make("table", { cls: "counts" }, ...rows);
  }

  function fill(...children) {
    byId("details").replaceChildren(...children.filter(Boolean));
    byId("details").scrollTop = 0;
  }

  function legend() {
    const names = doc.mode === "diff" ? ["removed", "inserted", "changed", "same"] : [...new Set(doc.items.map(item => item.level))];
    byId("legend").replaceChildren(...names.filter(Boolean).map(name => make("span", { cls: `chip ${name}` }, STATUS[name] ?? name)));
  }

  return { make, items, mark, change, part, folded, welcome, legend, fill, byId };
})();
