"use strict";
/* Ties the list, the graph, the search and the keys together. */
(() => {
  const { doc } = Drawing, { byId, make } = Panels;
  const ARROWS = { ArrowUp: [0, 80], ArrowDown: [0, -80], ArrowLeft: [80, 0], ArrowRight: [-80, 0] };
  let at = -1;

  function select(id) {
    if (!id) Panels.welcome();
    else if (Drawing.isFold(id)) Panels.folded(+id.slice(1));
    else Panels.part(+id.slice(1));
    byId("spoken").textContent = id ? Drawing.cy.getElementById(id).data("label") : "";
  }

  function goTo(scope, parts) {
    if (scope !== Drawing.current) Drawing.enter(scope);
    Drawing.show(parts);
  }

  function item(number) {
    at = number;
    const chosen = doc.items[number];
    Panels.mark(number);
    goTo(chosen.scope, chosen.parts);
    if (chosen.parts.length === 1) Panels.part(chosen.parts[0]);
    else Panels.fill(make("h3", {}, chosen.subject), Panels.change(chosen));
    byId("spoken").textContent = chosen.message;
  }

  const step = by => { if (doc.items.length) item((Math.max(at, by < 0 ? 0 : -1) + by + doc.items.length) % doc.items.length); };

  /* Search: names, operators and values of all graphs, in lower case. */
  let words = null;
  function index() {
    words ??= doc.scopes.flatMap((scope, number) => scope.parts.map((part, place) => {
      const names = part.facts.filter(Boolean).flatMap(side => [side.name, side.op, ...[...side.in ?? [], ...side.out ?? []].map(value => value[0])]);
      return { scope: number, place, part, text: names.filter(Boolean).join("\n").toLowerCase() };
    }));
    return words;
  }

  function search(text) {
    const wanted = text.trim().toLowerCase(), box = byId("results");
    box.hidden = !wanted;
    const found = wanted ? index().filter(entry => entry.text.includes(wanted)) : [];
    const rank = entry => (entry.text.split("\n").includes(wanted) ? 0 : 1);
    found.sort((a, b) => rank(a) - rank(b));
    box.replaceChildren(make("h2", {}, `${found.length} found`), ...found.slice(0, 30).map(entry => {
      const facts = entry.part.facts.filter(Boolean).at(-1);
      return make("button", { cls: "item", onclick: () => { goTo(entry.scope, [entry.place]); Panels.part(entry.place); } },
        make("b", {}, entry.part.title), make("small", {}, facts.name || facts.out?.[0]?.[0] || ""));
    }));
  }

  function theme(name) {
    document.documentElement.dataset.theme = name;
    if (Drawing.cy) Drawing.restyle();
  }
  const other = () => document.documentElement.dataset.theme === "dark" ? "light" : "dark";

  function keep(name) { try { localStorage.setItem("onnxfix-theme", name); } catch { /* a page without storage */ } }
  function kept() { try { return localStorage.getItem("onnxfix-theme"); } catch { return null; } }

  function busy(work) {
    byId("busy").hidden = false;
    requestAnimationFrame(() => setTimeout(() => { try { work(); } finally { byId("busy").hidden = true; } }));
  }

  function activate() {
    const id = Drawing.selected();
    if (!id) return;
    if (Drawing.isFold(id)) Drawing.unfold(id);
    else document.querySelector("#details button")?.click();
  }

  const outer = () => {
    const label = Drawing.scope().label;
    const parents = doc.scopes.map((scope, number) => [scope.label, number]).filter(([name]) => label.startsWith(`${name}/`));
    if (Drawing.current) Drawing.enter(parents.sort((a, b) => b[0].length - a[0].length)[0]?.[1] ?? 0);
  };

  function walk(event) {
    if (event.shiftKey) { const [x, y] = ARROWS[event.key]; Drawing.cy.panBy({ x, y }); return; }
    const id = Drawing.selected() ?? Drawing.cy.nodes().first().id();
    const next = Drawing.selected() ? Drawing.neighbour(id, event.key) : id;
    if (!next) return;
    Drawing.select(next);
    Drawing.cy.center(Drawing.cy.getElementById(next));
  }

  const zoom = by => Drawing.cy.zoom({ level: Drawing.cy.zoom() * by, renderedPosition: { x: Drawing.cy.width() / 2, y: Drawing.cy.height() / 2 } });

  const KEYS = {
    n: () => step(1), p: () => step(-1), "/": () => byId("search").focus(), f: () => Drawing.fit(), "+": () => zoom(1.3),
    "=": () => zoom(1.3), "-": () => zoom(1 / 1.3), Enter: activate, c: () => Drawing.selected() && Drawing.fold(Drawing.selected()),
    a: () => busy(() => Drawing.foldAll(false)), z: () => busy(() => Drawing.foldAll(true)), Backspace: outer,
    t: () => { keep(other()); theme(other()); }, "?": () => byId("keys").showModal(), Escape: () => Drawing.select(null),
  };

  document.addEventListener("keydown", event => {
    const typing = event.target.matches("input, select, textarea"), pressing = event.target.matches("button") && event.key === "Enter";
    if (byId("keys").open || event.ctrlKey || event.metaKey || event.altKey || pressing) return;
    if (typing) {
      if (event.key === "Escape") { event.target.blur(); byId("graph").focus(); }
      if (event.key === "Enter") { byId("results").querySelector("button")?.click(); byId("graph").focus(); }
      return;
    }
    if (ARROWS[event.key]) walk(event);
    else if (KEYS[event.key]) KEYS[event.key]();
    else return;
    event.preventDefault();
  });

  theme(kept() ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", event => { if (!kept()) theme(event.matches ? "dark" : "light"); });
  byId("summary").textContent = byId("summary").title = doc.summary;
  document.querySelector("h1").textContent = document.title;
  byId("scopes").append(...doc.scopes.map((scope, number) => make("option", { value: `${number}` }, scope.label || "main graph")));
  byId("scopes").hidden = doc.scopes.length < 2;
  byId("scopes").addEventListener("change", event => Drawing.enter(+event.target.value));
  byId("search").addEventListener("input", event => search(event.target.value));
  for (const [name, key] of [["fit", "f"], ["unfold", "a"], ["refold", "z"], ["theme", "t"], ["help", "?"]])
    byId(name).addEventListener("click", KEYS[key]);
  Drawing.listeners.select = select;
  Drawing.listeners.scope = number => { byId("scopes").value = `${number}`; Panels.welcome(); };
  Panels.items(item);
  Panels.legend();
  Drawing.enter(0);
})();
