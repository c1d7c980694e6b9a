// What a MemMamba wrote down of a conversation: the text with its notes, reads by window, notes by layer.

const $ = id => document.getElementById(id);
let windows = new Map(); // by number: which layers read during it
let position = 0;

export function clearNotes(why) {
  $("notes-body").hidden = true;
  $("notes-said").textContent = why;
  windows = new Map();
  position = 0;
}

export function showNotes(n) {
  if (n.position < position) windows = new Map(); // it went back
  position = n.position;
  const now = Math.floor(Math.max(0, n.position - 1) / n.window);
  windows.set(now, n.layers.map(l => l.reads ? "●" : l.layer_reads ? "○" : ""));
  const count = n.layers.reduce((sum, l) => sum + l.notes.length, 0);
  $("notes-said").textContent = `${count} notes in ${n.layers.length} layers, of ${n.position} tokens in windows of ${n.window}.`;
  text(n);
  reads(n.layers.length);
  $("notes-layers").replaceChildren(...n.layers.map((layer, i) => layerOf(n, layer, i)));
  $("notes-body").hidden = false;
}

// text shows the last tokens, those with notes in colour, the stronger the more important.
function text(n) {
  const most = new Map();
  for (const layer of n.layers) for (const note of layer.notes) {
    most.set(note.position, Math.max(note.importance, most.get(note.position) ?? 0));
  }
  $("notes-text").replaceChildren(...n.pieces.map((piece, i) => {
    const importance = most.get(n.from + i);
    if (importance === undefined) return document.createTextNode(piece);
    const mark = document.createElement("mark");
    mark.textContent = piece;
    mark.title = `importance ${importance.toFixed(3)}`;
    mark.style.background = `rgb(var(--mark) / ${(0.15 + 0.6 * Math.min(1, importance)).toFixed(2)})`;
    return mark;
  }));
}

function cell(kind, value) {
  const c = document.createElement(kind);
  c.textContent = value;
  return c;
}

function row(...cells) {
  const r = document.createElement("tr");
  r.append(...cells);
  return r;
}

// reads is a table of layers by windows: ● where a layer read its pool, ○ where it read those of layers before it.
function reads(layers) {
  const table = document.createElement("table");
  table.className = "reads";
  const numbers = [...windows.keys()].sort((a, b) => a - b).slice(-24);
  table.append(row(cell("th", "layer"), ...numbers.map(w => cell("th", w))));
  for (let l = 0; l < layers; l++) {
    if (numbers.some(w => windows.get(w)[l])) table.append(row(cell("th", l), ...numbers.map(w => cell("td", windows.get(w)[l]))));
  }
  $("notes-reads").replaceChildren(table);
}

function layerOf(n, layer, i) {
  const d = document.createElement("details");
  const s = document.createElement("summary");
  s.textContent = `Layer ${i}: ${layer.notes.length} ${layer.notes.length === 1 ? "note" : "notes"}`;
  const table = document.createElement("table");
  table.append(row(cell("th", "position"), cell("th", "importance"), cell("th", "text")));
  for (const note of layer.notes) {
    const piece = n.pieces[note.position - n.from];
    const bar = document.createElement("span");
    bar.className = "bar";
    bar.style.width = `${(3 * Math.min(1, note.importance)).toFixed(2)}rem`;
    const importance = cell("td", note.importance.toFixed(3) + " ");
    importance.append(bar);
    table.append(row(cell("td", note.position), importance, cell("td", piece === undefined ? "…" : JSON.stringify(piece))));
  }
  d.append(s, table);
  d.open = layer.notes.length > 0 && layer.notes.length <= 12;
  return d;
}
