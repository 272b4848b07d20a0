"use strict";
/* The graph on its canvas: which boxes are shown, how they look, and what is selected. */
const Drawing = (() => {
  const doc = JSON.parse(document.getElementById("document").textContent);
  const MANY = 450, READABLE = 0.62, FONT = "12px system-ui, sans-serif";
  const FAMILIES = {
    linear: /^(Conv|ConvTranspose|Gemm|MatMul|QLinear.*|ConvInteger|MatMulInteger|LSTM|GRU|RNN|Attention|Einsum)$/,
    pointwise: /(Relu|Sigmoid|Tanh|Elu|Selu|Gelu|Softplus|Softmax|Swish|Mish|Clip|Erf|Softsign)$/i,
    scaling: /Normalization$|^LRN$|^Dropout$|QuantizeLinear$/,
    pooling: /Pool$|^Reduce|^ArgM|^TopK$|^Resize$|^Upsample$/,
    moving: /^(Reshape|Transpose|Flatten|Squeeze|Unsqueeze|Concat|Split|Slice|Gather.*|Shape|Cast|Expand|Pad|Tile|Identity)$/,
  };
  const pencil = document.createElement("canvas").getContext("2d");
  const opened = doc.scopes.map(() => new Set());
  const levels = doc.scopes.map(() => new Map());  // the worst level found at each part
  for (const level of ["note", "warning", "error"])
    for (const item of doc.items)
      if (item.level === level) item.parts.forEach(part => levels[item.scope].set(part, level));
  const listeners = { select: () => {}, scope: () => {} };
  let cy, current = 0, holder = [];

  const scope = () => doc.scopes[current];
  const isFold = id => id.startsWith("f");
  const foldParts = id => scope().folds[+id.slice(1)][1];

  /* The box in which each part is shown: "n5" itself, or "f2" the fold it is in. */
  function holders() {
    const found = scope().parts.map((_, number) => `n${number}`);
    const open = opened[current];
    scope().folds.forEach(([parent, parts], number) => {
      if (!open.has(number) && (parent < 0 || open.has(parent))) parts.forEach(part => { found[part] = `f${number}`; });
    });
    return found;
  }

  function family(part) {
    if (doc.mode !== "show" || part.kind !== "node") return "";
    return Object.keys(FAMILIES).find(name => FAMILIES[name].test(part.title)) ?? "";
  }

  function partBox(number) {
    const part = scope().parts[number], facts = part.facts[part.facts.length - 1] ?? part.facts[0];
    const name = part.kind === "node" ? short(facts.name || (facts.out?.[0]?.[0] ?? "")) : part.kind;
    const level = levels[current].get(number);
    return box(`n${number}`, part.title, name, `${part.kind} ${part.status} ${family(part)} ${level ? "level-" + level : ""}`);
  }

  function foldBox(number) {
    const fold = foldParts(`f${number}`), counts = new Map();
    let status = "";
    for (const part of fold) {
      const { title, status: own, kind } = scope().parts[part];
      if (kind === "node") counts.set(title, (counts.get(title) ?? 0) + 1);
      if (own !== "same" && doc.mode === "diff") status = "changed";
    }
    const most = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 3).map(([name, count]) => `${count} ${name}`);
    const level = ["error", "warning", "note"].find(name => fold.some(part => levels[current].get(part) === name));
    return box(`f${number}`, `${fold.length.toLocaleString("en")} nodes`, most.join(", "), `fold ${status} ${level ? "level-" + level : ""}`);
  }

  function box(id, title, name, classes) {
    pencil.font = FONT;
    return { id, w: Math.max(pencil.measureText(title).width, pencil.measureText(name).width, 30) + 22, h: name ? 42 : 28, title, name, classes };
  }

  const short = text => text.length > 28 ? `${text.slice(0, 12)}…${text.slice(-15)}` : text;

  function visible() {
    const boxes = [...new Set(holder)].map(id => isFold(id) ? foldBox(+id.slice(1)) : partBox(+id.slice(1)));
    const links = new Map(), told = new Set();
    for (const [maker, reader, type, status] of scope().edges) {
      const from = holder[maker], to = holder[reader], id = `${from}>${to}`;
      if (from === to) continue;
      const known = links.get(id);
      if (!known) links.set(id, { id, from, to, status, type: told.has(maker + type) ? "" : type });
      else if (known.status !== status) known.status = "same";
      told.add(maker + type);
    }
    return { boxes, links: [...links.values()] };
  }

  function draw() {
    holder = holders();
    const { boxes, links } = visible();
    const { places, bends } = Layered.arrange(boxes, links);
    const light = boxes.length > MANY;
    const elements = boxes.map(({ id, w, h, title, name, classes }) =>
      ({ group: "nodes", data: { id, w, h, label: name ? `${title}\n${name}` : title }, position: places.get(id), classes }));
    for (const link of links) elements.push(edge(link, places, bends.get(link.id)));
    cy?.destroy();
    cy = cytoscape({
      container: document.getElementById("graph"), elements, style: look(), layout: { name: "preset" },
      minZoom: 0.005, maxZoom: 3, boxSelectionEnabled: false, autoungrabify: true, textureOnViewport: light,
      hideEdgesOnViewport: boxes.length > 3000, selectionType: "single",
    });
    cy.on("tap", "node", event => select(event.target.id()));
    cy.on("dbltap", "node.fold", event => unfold(event.target.id()));
    cy.on("tap", event => { if (event.target === cy) select(null); });
    fitOrBegin();
    window.cy = cy;
  }

  /* The bends of a link as cytoscape wants them: along the line from centre to centre, and beside it. */
  function edge(link, places, bends) {
    const data = { id: link.id, source: link.from, target: link.to, type: link.type };
    const classes = [link.status];
    if (bends) {
      const a = places.get(link.from), b = places.get(link.to), dx = b.x - a.x, dy = b.y - a.y, square = dx * dx + dy * dy;
      if (square) {
        data.weights = bends.map(p => ((p.x - a.x) * dx + (p.y - a.y) * dy) / square);
        data.distances = bends.map(p => ((p.y - a.y) * dx - (p.x - a.x) * dy) / Math.sqrt(square));
        classes.push("bent");
      }
    }
    return { group: "edges", data, classes: classes.join(" ") };
  }

  function look() {
    const css = getComputedStyle(document.documentElement), color = name => css.getPropertyValue(`--${name}`).trim();
    const fill = name => ({ "background-color": color(name), "border-color": color(`${name}-line`) });
    return [
      { selector: "node", style: {
        shape: "round-rectangle", width: "data(w)", height: "data(h)", label: "data(label)", "text-wrap": "wrap",
        "text-max-width": 600, "text-valign": "center", "text-halign": "center", "font-size": 12, "line-height": 1.25,
        "font-family": "system-ui, sans-serif", color: color("ink"), "border-width": 1.2, "min-zoomed-font-size": 5,
        ...fill("same") } },
      ...Object.keys(FAMILIES).map(name => ({ selector: `.${name}`, style: { "background-color": color(name) } })),
      { selector: ".input, .output", style: { shape: "ellipse", ...fill("port") } },
      { selector: ".fold", style: { ...fill("fold"), "border-style": "dashed", "font-style": "italic", color: color("faint") } },
      { selector: ".changed", style: { ...fill("changed"), "border-width": 2.2 } },
      { selector: ".inserted", style: { ...fill("inserted"), "border-width": 2.2 } },
      { selector: ".removed", style: { ...fill("removed"), "border-width": 2.2, "border-style": "dashed" } },
      { selector: ".level-note", style: { "border-color": color("port-line"), "border-width": 3 } },
      { selector: ".level-warning", style: { "border-color": color("changed-line"), "border-width": 3.5 } },
      { selector: ".level-error", style: { "border-color": color("removed-line"), "border-width": 3.5 } },
      { selector: "edge", style: {
        width: 1.3, "line-color": color("edge"), "target-arrow-color": color("edge"), "target-arrow-shape": "triangle",
        "arrow-scale": 0.8, "curve-style": "straight", label: "data(type)", "font-size": 9, color: color("faint"),
        "min-zoomed-font-size": 8, "text-background-color": color("paper"), "text-background-opacity": 1, "text-background-padding": 2,
        "font-family": "system-ui, sans-serif" } },
      { selector: "edge.bent", style: {
        "curve-style": "unbundled-bezier", "edge-distances": "node-position", "control-point-weights": "data(weights)",
        "control-point-distances": "data(distances)" } },
      { selector: "edge.inserted", style: { width: 2.2, "line-color": color("inserted-line"), "target-arrow-color": color("inserted-line") } },
      { selector: "edge.removed", style: { width: 2.2, "line-style": "dashed", "line-color": color("removed-line"), "target-arrow-color": color("removed-line") } },
      { selector: "node.picked", style: { "border-color": color("focus"), "border-width": 4, "border-style": "solid" } },
      { selector: "node.shown", style: { "overlay-color": color("focus"), "overlay-opacity": 0.12, "overlay-padding": 7 } },
    ];
  }

  function select(id) {
    cy.elements().removeClass("picked shown");
    if (id) cy.getElementById(id).addClass("picked");
    listeners.select(id);
  }

  const selected = () => cy.nodes(".picked").first().id() ?? null;

  function enter(number) {
    current = number;
    draw();
    listeners.scope(number);
  }

  function unfold(id) {
    const parts = foldParts(id);
    opened[current].add(+id.slice(1));
    draw();
    show(parts, true);
  }

  /* Fold again the innermost run that a part came out of. */
  function fold(id) {
    const part = isFold(id) ? foldParts(id)[0] : +id.slice(1);
    const number = scope().folds.findLastIndex(([, parts], place) => opened[current].has(place) && parts.includes(part));
    if (number < 0) return;
    opened[current].delete(number);
    draw();
    show([part], true);
    select(`f${number}`);
  }

  function foldAll(folded) {
    opened[current] = new Set(folded ? [] : scope().folds.keys());
    draw();
  }

  /* Bring parts of a graph into view; what hides them is unfolded, unless they may stay `hidden`. */
  function show(parts, hidden) {
    if (!hidden && reveal(parts)) draw();
    const found = cy.collection([...new Set(parts.map(part => holder[part]))].map(id => cy.getElementById(id)));
    cy.elements().removeClass("picked shown");
    if (found.empty()) return;
    found.addClass(found.length === 1 ? "picked" : "shown");
    near(found);
  }

  /* Unfold what hides the parts; whether anything was. */
  function reveal(parts) {
    if (parts.length > MANY) return false;
    const wanted = new Set(parts), open = opened[current], before = open.size;
    scope().folds.forEach(([, inside], number) => { if (inside.some(part => wanted.has(part))) open.add(number); });
    return open.size > before;
  }

  /* Look at some boxes and what is around them, neither too large nor, if it can be helped, too small to read. */
  function near(found) {
    cy.fit(found.union(found.neighborhood()), 60);
    if (cy.zoom() > 1.1) { cy.zoom(1.1); cy.center(found); }
    if (cy.zoom() < READABLE) { cy.zoom(READABLE); cy.center(found.first()); cy.panBy({ x: 0, y: -0.35 * cy.height() }); }
  }

  /* At first all of it is seen, or the first change, or the beginning, when that would be too small to read. */
  function fitOrBegin() {
    fit();
    if (cy.zoom() >= READABLE) return;
    const first = doc.items.find(item => item.scope === current && item.parts.length);
    cy.zoom(READABLE);
    if (first) {
      cy.center(cy.getElementById(holder[first.parts[0]]));
      cy.panBy({ x: 0, y: -0.2 * cy.height() });
    } else {
      cy.center(cy.nodes().first());
      cy.pan({ x: cy.pan().x, y: 50 - READABLE * cy.elements().boundingBox().y1 });
    }
  }

  function fit() {
    cy.fit(undefined, 30);
    if (cy.zoom() > 1.3) { cy.zoom(1.3); cy.center(); }
  }

  /* The neighbour of a box in a direction: along the edges, or beside it. */
  function neighbour(id, key) {
    const node = cy.getElementById(id), { x, y } = node.position();
    const near = node => Math.abs(node.position().x - x) + Math.abs(node.position().y - y);
    const candidates = key === "ArrowDown" ? node.outgoers("node") : key === "ArrowUp" ? node.incomers("node")
      : cy.nodes().filter(other => Math.abs(other.position().y - y) < 40 && (key === "ArrowLeft" ? other.position().x < x : other.position().x > x));
    return candidates.sort((a, b) => near(a) - near(b)).first().id() ?? null;
  }

  return {
    doc, listeners, enter, select, selected, show, unfold, fold, foldAll, foldParts, neighbour, isFold,
    scope, get current() { return current; }, get cy() { return cy; },
    restyle() { cy.style(look()); }, fit,
  };
})();
