// What a MemMamba wrote down of the conversation: asked for while an answer comes, and shown beside it.
import { byId, element } from "./thread.js";
import * as api from "./api.js";

const shownAtFirst = 60;
const least = 300; // milliseconds between two questions

// A Notes keeps what the server told of one text, and asks for what is new.
export class Notes {
  // draw is called with what is to be coloured; show with the position of a note that was chosen.
  constructor(mark, show) {
    this.mark = mark;
    this.show = show;
    this.without = new Set(); // models that have no memory
    this.turn = 0; // of the text: what is told of the one before is of no use
    this.clear();
    for (const id of ["notes-layer", "notes-order", "notes-kept", "notes-colour"]) {
      byId(id).addEventListener("change", () => { this.shown = shownAtFirst; this.draw(); });
    }
    byId("notes-more").addEventListener("click", () => { this.shown += 200; this.draw(); });
    new ResizeObserver(() => this.drawMap()).observe(byId("map").parentElement);
  }

  clear() {
    this.turn++;
    this.abort?.abort(); // what is being told is of the text before
    this.after = "";
    this.pieces = [];
    this.layers = [];
    this.nodes = null;
    this.windows = 0;
    this.window = 0;
    this.shown = shownAtFirst;
  }

  // follow says of which text notes are wanted now. Questions are asked one at a time.
  follow(model, nodes, messages) {
    if (model !== this.model) { this.model = model; this.clear(); }
    this.wanted = { model, nodes, messages };
    if (!this.asking) this.asking = this.ask().finally(() => { this.asking = null; });
    return this.asking;
  }

  async ask() {
    while (this.wanted) {
      const { model, nodes, messages } = this.wanted, turn = this.turn;
      this.wanted = null;
      if (this.without.has(model)) { this.toggle(false); continue; }
      const begun = performance.now();
      try {
        const body = { model, after: this.after };
        if (messages.length) body.messages = messages; else body.prompt = "";
        await api.notes(body, (this.abort = new AbortController()).signal, (told) => {
          if (turn !== this.turn) return;
          this.take(told);
          this.nodes = nodes;
          this.messages = messages;
          this.toggle(true);
          this.draw();
        });
      } catch (error) {
        if (error.name === "AbortError") continue;
        if (error.code === "no_memory") { this.without.add(model); this.toggle(false); continue; }
        byId("notes-facts").textContent = `The notes cannot be told now. ${error.message}`;
      }
      const took = performance.now() - begun;
      await new Promise((done) => setTimeout(done, Math.max(least, 2 * took))); // the answer comes first
    }
  }

  toggle(has) {
    this.has = has;
    byId("notes-open").hidden = !has;
    this.arrange();
  }

  // arrange shows the panel where there is something to show and somebody wants it.
  arrange() {
    const open = Boolean(this.has && this.open);
    byId("notes").hidden = !open;
    byId("notes-open").setAttribute("aria-expanded", String(open));
    document.body.classList.toggle("with-notes", open);
  }

  // take takes in an answer.
  take(told) {
    if (told.start === 0) this.layers = [];
    this.pieces = this.pieces.slice(0, told.start).concat(told.text);
    this.after = told.next || "";
    this.window = told.window;
    this.windows = told.windows;
    told.layers.forEach((layer, l) => {
      const mine = this.layers[l] = this.layers[l] || { reads: [], before: null, notes: new Map() };
      mine.reads.push(...layer.reads);
      if (layer.layer_reads) mine.before = (mine.before || []).concat(layer.layer_reads);
      const told_ = new Set(layer.notes.map((n) => n.position));
      for (const note of mine.notes.values()) {
        if (note.left === undefined && !told_.has(note.position)) note.left = told.from;
      }
      for (const note of layer.notes) mine.notes.set(note.position, note);
    });
  }

  // ofView are the notes that are shown: of several layers' of one token that of the greatest importance.
  ofView() {
    const only = Number(byId("notes-layer").value), kept = byId("notes-kept").checked;
    const best = new Map();
    this.layers.forEach((layer, l) => {
      if (only >= 0 && only !== l) return;
      for (const note of layer.notes.values()) {
        if (kept && note.left !== undefined) continue;
        const other = best.get(note.position);
        if (!other || note.importance > other.importance) best.set(note.position, { ...note, layer: l });
      }
    });
    return [...best.values()].sort((a, b) => a.position - b.position);
  }

  draw() {
    const select = byId("notes-layer");
    if (select.options.length !== this.layers.length + 1) {
      const before = select.value;
      select.replaceChildren(...[-1, ...this.layers.keys()].map((l) => new Option(l < 0 ? "all" : l, l)));
      select.value = Number(before) < this.layers.length ? before : "-1";
    }
    const notes = this.ofView();
    let low = Infinity, high = -Infinity;
    for (const n of notes) { low = Math.min(low, n.importance); high = Math.max(high, n.importance); }
    for (const n of notes) n.strength = high > low ? (n.importance - low) / (high - low) : 1;
    const counted = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;
    byId("notes-facts").textContent = this.pieces.length
      ? `${counted(this.pieces.length, "token")}, ${counted(this.windows, "window")} of ${this.window}. A window's notes come when the next one begins.`
      : `Nothing yet: the first notes come after ${this.window} tokens.`;
    byId("note-count").textContent = notes.length ? counted(notes.length, "note") : "Notes";
    byId("legend-before").hidden = !this.layers.some((l) => l.before);
    this.drawList(notes);
    this.drawMap();
    if (this.nodes) this.mark(this.places(notes), byId("notes-colour").checked);
  }

  drawList(notes) {
    const order = byId("notes-order").value === "importance" ? (a, b) => b.importance - a.importance : (a, b) => a.position - b.position;
    const list = byId("note-list");
    const focused = list.contains(document.activeElement) ? document.activeElement.dataset.note : "";
    list.replaceChildren(...[...notes].sort(order).slice(0, this.shown).map((n) => {
      const item = element("li"), b = element("button"), where = element("span", "where"), value = element("span", "value", n.importance.toFixed(4)), bar = element("span", "bar");
      b.type = "button";
      b.dataset.note = n.position;
      bar.style.width = `${Math.round(8 + 92 * n.strength)}%`;
      value.append(bar);
      where.append(this.around(n.position - 14, n.position), element("b", "", visible(this.pieces[n.position])), this.around(n.position + 1, n.position + 30));
      b.append(value, where, element("small", "", `layer ${n.layer}, token ${n.position}${left(n)}`));
      b.addEventListener("click", () => this.show(n.position));
      item.append(b);
      return item;
    }));
    if (focused) list.querySelector(`[data-note="${focused}"]`)?.focus({ preventScroll: true });
    byId("notes-more").hidden = notes.length <= this.shown;
  }

  around(from, to) { return this.pieces.slice(Math.max(0, from), to).join("").replace(/\s/g, " "); }

  // places finds the notes in the messages: each message's text stands in what was read, in this order.
  places(notes) {
    const starts = [];
    let length = 0;
    for (const piece of this.pieces) { starts.push(length); length += piece.length; }
    const all = this.pieces.join(""), found = new Map();
    let at = 0, n = 0;
    const spans = this.messages.map((m) => {
      const text = m.content.trim() === m.content || all.includes(m.content, at) ? m.content : m.content.trim();
      let from = all.indexOf(text, at);
      if (from < 0 && all.slice(at).length && text.length > all.length - at) { // not all of it was read yet
        for (from = at; from < all.length && !text.startsWith(all.slice(from)); from++);
      }
      if (from < 0) return null;
      at = Math.min(all.length, from + text.length);
      return { from, to: at, shift: m.content.indexOf(text) - from };
    }).slice(this.messages.length - this.nodes.length);
    spans.forEach((span, i) => {
      if (!span) return;
      const marks = [];
      for (; n < notes.length && starts[notes[n].position] < span.to; n++) {
        const note = notes[n], from = starts[note.position], to = from + (this.pieces[note.position] || "").length;
        if (from < span.from || to > span.to || from === to) continue;
        marks.push({ from: from + span.shift, to: to + span.shift, strength: note.strength, kept: note.left === undefined, position: note.position, told: told(note) });
      }
      found.set(this.nodes[i].id, marks);
    });
    return found;
  }

  // drawMap draws layers by windows: what they wrote, and where they read.
  drawMap() {
    const canvas = byId("map"), layers = this.layers, windows = this.windows;
    if (!layers.length || canvas.parentElement.clientWidth === 0) { canvas.width = canvas.height = 0; return; }
    const left = 24, row = layers.length > 16 ? 9 : 15, cell = Math.max(4, Math.min(22, (canvas.parentElement.clientWidth - 16 - left) / windows));
    const width = Math.ceil(left + cell * windows), height = row * layers.length + 16, scale = Math.min(devicePixelRatio || 1, 16000 / width);
    canvas.width = width * scale;
    canvas.height = height * scale;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    const g = canvas.getContext("2d"), colour = (name) => getComputedStyle(document.querySelector(`.swatch.${name}`)).backgroundColor;
    g.scale(scale, scale);
    const paint = (l, w, name, from, part) => {
      g.fillStyle = name;
      g.fillRect(left + w * cell, l * row + from * row, cell - 1, part * row - 1);
    };
    const none = colour("none"), wrote = colour("wrote"), read = colour("read"), before = colour("before");
    g.font = "11px system-ui, sans-serif";
    layers.forEach((layer, l) => {
      for (let w = 0; w < windows; w++) paint(l, w, none, 0, 1);
      for (const note of layer.notes.values()) paint(l, Math.floor(note.position / this.window), wrote, 0, .34);
      for (const w of layer.reads) paint(l, w, read, .34, .66);
      for (const w of layer.before || []) paint(l, w, before, .67, .33);
      g.fillStyle = colour("ink");
      if (row > 10 || l % 4 === 0) g.fillText(String(l), 4, Math.max(9, (l + .75) * row));
    });
    g.fillText("0", left, height - 3);
    if (windows > 3) g.fillText(String(windows - 1), left + (windows - 1) * cell, height - 3);
    canvas.setAttribute("aria-label", `Of ${windows} windows: ` + layers.map((layer, l) => `layer ${l} read its pool in ${layer.reads.length} and wrote ${layer.notes.size} notes`).join("; "));
  }
}

const left = (note) => note.left === undefined ? "" : `, gone at window ${note.left}`;
const told = (note) => `layer ${note.layer}, importance ${note.importance.toFixed(4)}${left(note)}`;

function visible(piece) {
  return !piece ? "⋯" : piece.replace(/ /g, "␣").replace(/\n/g, "↵").replace(/\s/g, "⇥");
}
