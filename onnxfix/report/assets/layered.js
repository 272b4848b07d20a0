"use strict";
/* Where the boxes go.  dagre draws well up to some hundred boxes; many more are placed here, in linear time for each
   sweep: ranks by the longest path, order in a rank by the places of the neighbours. */
const Layered = (() => {
  const GAP = 26, STEP = 76, LIMIT = 450, SWEEPS = 8;

  /* boxes: [{id, w, h}], links: [{id, from, to}] -> {places: Map id -> {x, y}, bends: Map id -> [{x, y}]} */
  function arrange(boxes, links) {
    if (boxes.length <= LIMIT) {
      try { return byDagre(boxes, links); } catch { /* too deep for its recursion */ }
    }
    return byRanks(boxes, links);
  }

  function byDagre(boxes, links) {
    const graph = new dagre.graphlib.Graph({ multigraph: true });
    graph.setGraph({ rankdir: "TB", nodesep: 22, ranksep: 38, edgesep: 12 });
    graph.setDefaultEdgeLabel(() => ({}));
    boxes.forEach(box => graph.setNode(box.id, { width: box.w, height: box.h }));
    links.forEach(link => graph.setEdge(link.from, link.to, {}, link.id));
    dagre.layout(graph);
    const places = new Map(boxes.map(box => [box.id, { x: graph.node(box.id).x, y: graph.node(box.id).y }]));
    const bends = new Map();
    for (const link of links) {
      const points = graph.edge(link.from, link.to, link.id).points;
      if (points.length > 3) bends.set(link.id, points.slice(1, -1));
    }
    return { places, bends };
  }

  function byRanks(boxes, links) {
    const after = new Map(boxes.map(box => [box.id, []])), before = new Map(boxes.map(box => [box.id, []]));
    for (const link of links) { after.get(link.from).push(link.to); before.get(link.to).push(link.from); }
    const rows = inRows(boxes, ranks(boxes, after, before));
    const x = new Map();
    rows.forEach(row => pack(row, new Map(row.map((box, place) => [box.id, place])), x));
    for (let sweep = 0; sweep < SWEEPS; sweep++) {
      const down = sweep % 2 === 0, near = down ? before : after;
      for (const row of down ? rows : [...rows].reverse()) {
        const wanted = new Map(row.map(box => {
          const others = near.get(box.id);
          return [box.id, others.length ? others.reduce((sum, id) => sum + x.get(id), 0) / others.length : x.get(box.id)];
        }));
        row.sort((a, b) => wanted.get(a.id) - wanted.get(b.id));
        pack(row, wanted, x);
      }
    }
    const places = new Map();
    rows.forEach((row, rank) => row.forEach(box => places.set(box.id, { x: x.get(box.id), y: rank * STEP })));
    return { places, bends: detours(boxes, links, places) };
  }

  /* A link over several ranks goes around the boxes between them. */
  function detours(boxes, links, places) {
    const half = Math.max(...boxes.map(box => box.w)) / 2, bends = new Map();
    for (const link of links) {
      const from = places.get(link.from), to = places.get(link.to);
      if (to.y - from.y < 1.5 * STEP) continue;
      const x = from.x <= to.x ? Math.max(from.x, to.x) + half : Math.min(from.x, to.x) - half;
      bends.set(link.id, [{ x, y: from.y + STEP / 2 }, { x, y: to.y - STEP / 2 }]);
    }
    return bends;
  }

  function ranks(boxes, after, before) {
    const waiting = new Map(boxes.map(box => [box.id, before.get(box.id).length]));
    const rank = new Map(), ready = boxes.filter(box => !waiting.get(box.id)).map(box => box.id);
    const seen = new Set(ready), order = [];
    let next = 0;
    for (let place = 0; order.length < boxes.length; place++) {
      if (place >= ready.length) {  // a cycle: begin somewhere on it
        while (seen.has(boxes[next].id)) next++;
        ready.push(boxes[next].id); seen.add(boxes[next].id);
      }
      const id = ready[place];
      order.push(id);
      rank.set(id, Math.max(0, ...before.get(id).filter(other => rank.has(other)).map(other => rank.get(other) + 1)));
      for (const reader of after.get(id)) {
        waiting.set(reader, waiting.get(reader) - 1);
        if (waiting.get(reader) <= 0 && !seen.has(reader)) { seen.add(reader); ready.push(reader); }
      }
    }
    for (const id of order.reverse()) {  // what nothing feeds stands right above its reader
      if (!before.get(id).length && after.get(id).length)
        rank.set(id, Math.max(0, after.get(id).reduce((least, other) => Math.min(least, rank.get(other)), Infinity) - 1));
    }
    return rank;
  }

  function inRows(boxes, rank) {
    const rows = [];
    for (const box of boxes) (rows[rank.get(box.id)] ??= []).push(box);
    return Array.from(rows, row => row ?? []);
  }

  /* As near to the wanted places as the widths allow, without overlap, in the order of the row. */
  function pack(row, wanted, x) {
    let right = -Infinity, drift = 0;
    for (const box of row) {
      const place = Math.max(wanted.get(box.id), right + box.w / 2);
      drift += place - wanted.get(box.id);
      x.set(box.id, place);
      right = place + box.w / 2 + GAP;
    }
    drift /= row.length || 1;
    for (const box of row) x.set(box.id, x.get(box.id) - drift);
  }

  return { arrange };
})();
