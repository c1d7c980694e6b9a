"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { tokens, layers, W, fact } = data; // fact: the tokens to frame, [first, behind the last]
  const windows = Math.ceil(tokens.length / W);
  const byId = (id) => document.getElementById(id);
  const signs = { "\n": "↵\n", "\r": "␍", "\t": "⇥\t", " ": "␣" };

  // Per layer: which windows read, how many notes each window wrote, notes by position.
  for (const layer of layers) {
    layer.read = new Uint8Array(windows);
    layer.reads.forEach((w) => { layer.read[w] = 1; });
    layer.readBefore = new Uint8Array(windows); // the layers before it, where that is triggered
    (layer.before || []).forEach((w) => { layer.readBefore[w] = 1; });
    layer.wrote = new Uint32Array(windows);
    layer.at = new Map();
    for (const note of layer.notes) {
      layer.wrote[Math.floor(note[0] / W)]++;
      layer.at.set(note[0], note);
    }
  }
  const mostWritten = Math.max(1, ...layers.map((l) => l.wrote.reduce((a, b) => Math.max(a, b), 0)));

  const view = { layer: -1, kept: false, order: "importance", shown: 100 };
  let shownNotes = []; // of the view: [position, importance, left, layer], by position

  function notesOfView() {
    const best = new Map();
    layers.forEach((layer, l) => {
      if (view.layer >= 0 && view.layer !== l) return;
      for (const [position, importance, left] of layer.notes) {
        if (view.kept && left >= 0) continue;
        const other = best.get(position);
        if (!other || importance > other[1]) best.set(position, [position, importance, left, l]);
        else if (left < 0 && other[2] >= 0 && importance === other[1]) best.set(position, [position, importance, left, l]);
      }
    });
    return [...best.values()].sort((a, b) => a[0] - b[0]);
  }

  // --- text -------------------------------------------------------------------------------------
  const escape = (s) => s.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" }[c]));
  const sign = (c) => `<span class="sign">${signs[c]}</span>`;
  const visible = (s) => escape(s).replace(/[\n\r\t]/g, sign);
  let low = 0, high = 1;
  const strength = (importance) => high > low ? (importance - low) / (high - low) : 1;

  function drawText() {
    shownNotes = notesOfView();
    low = shownNotes.reduce((m, n) => Math.min(m, n[1]), 1);
    high = shownNotes.reduce((m, n) => Math.max(m, n[1]), 0);
    byId("low").textContent = shownNotes.length ? low.toFixed(3) : "";
    byId("high").textContent = shownNotes.length ? high.toFixed(3) : "no notes";
    const at = new Map(shownNotes.map((n) => [n[0], n]));
    const parts = [];
    for (let w = 0; w < windows; w++) {
      parts.push(`<span class="w" id="w${w}">`);
      const end = Math.min(tokens.length, (w + 1) * W);
      for (let i = w * W; i < end; i++) {
        const framed = i >= fact[0] && i < fact[1];
        if (framed && (i === fact[0] || i === w * W)) parts.push('<span class="fact">');
        if (!framed && i === fact[1] && i > w * W && fact[1] > fact[0]) parts.push("</span>");
        const note = at.get(i);
        if (!note) { parts.push(escape(tokens[i])); continue; }
        const text = tokens[i] === "" ? '<span class="sign">⋯</span>' : visible(tokens[i]);
        parts.push(`<b id="t${i}" data-i="${i}"${note[2] < 0 ? ' class="kept"' : ""} style="--s:${strength(note[1]).toFixed(2)}">${text}</b>`);
      }
      if (end > fact[0] && end <= fact[1]) parts.push("</span>");
      parts.push("</span>");
    }
    byId("text").innerHTML = parts.join("");
  }

  // --- list of notes ----------------------------------------------------------------------------
  function around(i, step) {
    let text = "";
    for (let j = i + step; j >= 0 && j < tokens.length && text.length < 28; j += step) {
      text = step > 0 ? text + tokens[j] : tokens[j] + text;
    }
    return escape(text.replace(/\s+/g, " "));
  }

  function drawNotes() {
    const notes = shownNotes.slice();
    if (view.order === "importance") notes.sort((a, b) => b[1] - a[1] || a[0] - b[0]);
    const kept = notes.filter((n) => n[2] < 0).length;
    byId("notes-title").textContent = (view.layer < 0 ? "Each token's strongest note" : `Layer ${view.layer}`) + `: ${kept} kept` + (view.kept ? "" : `, ${notes.length - kept} gone`);
    byId("notes").innerHTML = notes.slice(0, view.shown).map(([i, importance, left, l]) => {
      const details = [`token ${i}`, `window ${Math.floor(i / W)}`];
      if (view.layer < 0) details.push(`layer ${l}`);
      if (left >= 0) details.push(`gone in window ${left}`);
      return `<li tabindex="0" data-i="${i}"${left >= 0 ? ' class="gone"' : ""}><span class="value">${importance.toFixed(4)}` +
        `<i style="width:${(8 + 92 * strength(importance)).toFixed(0)}%"></i></span><span class="where">${around(i, -1).slice(-22)}<mark>` +
        `${(tokens[i].trim() === "" ? (tokens[i] || "⋯").replace(/[\n\r\t ]/g, sign) : escape(tokens[i])).replace(/[\n\t]/g, "")}</mark>${around(i, 1)}</span><small>${details.join(" · ")}</small></li>`;
    }).join("") || '<li class="empty">No notes.</li>';
    byId("more").hidden = notes.length <= view.shown;
    byId("more").textContent = `show more of ${notes.length}`;
  }

  // --- map --------------------------------------------------------------------------------------
  const canvas = byId("map");
  const map = { left: 34, top: 4, bottom: 20, cell: 10, row: 12 };

  function drawMap() {
    const room = canvas.parentElement.clientWidth - 20 - map.left;
    map.cell = Math.max(3, Math.min(26, room / windows));
    map.row = layers.length > 12 ? 12 : 18;
    const width = Math.ceil(map.left + Math.max(60, map.cell * windows)), // 60 for "window 0"
      height = map.top + map.row * layers.length + map.bottom;
    const scale = Math.min(window.devicePixelRatio || 1, 16000 / width);
    canvas.width = width * scale; canvas.height = height * scale;
    canvas.style.width = width + "px"; canvas.style.height = height + "px";
    const style = getComputedStyle(document.documentElement), color = (name) => style.getPropertyValue(name).trim();
    const g = canvas.getContext("2d");
    g.scale(scale, scale);
    const gap = map.cell > 6 ? 1 : 0;
    for (let l = 0; l < layers.length; l++) {
      for (let w = 0; w < windows; w++) {
        const x = map.left + w * map.cell, y = map.top + l * map.row;
        g.fillStyle = color("--none");
        g.fillRect(x, y, map.cell - gap, map.row - 1);
        if (layers[l].wrote[w]) {
          g.fillStyle = `rgba(${color("--heat")},${0.12 + 0.68 * layers[l].wrote[w] / mostWritten})`;
          g.fillRect(x, y, map.cell - gap, map.row - 1);
        }
        if (layers[l].read[w]) {
          g.fillStyle = color("--read");
          g.fillRect(x, y + Math.round(map.row / 3), map.cell - gap, map.row - 1 - Math.round(map.row / 3));
        }
        if (layers[l].readBefore[w]) {
          g.fillStyle = color("--before");
          g.fillRect(x, y, map.cell - gap, Math.round(map.row / 3));
        }
      }
    }
    labelMap(g, color);
  }

  function labelMap(g, color) {
    g.fillStyle = color("--soft");
    g.font = "11px system-ui, sans-serif";
    g.textBaseline = "middle";
    const every = layers.length > 12 ? 4 : 1;
    for (let l = 0; l < layers.length; l++) {
      if (l % every && l !== view.layer) continue;
      g.textAlign = "right";
      g.font = l === view.layer ? "bold 11px system-ui, sans-serif" : "11px system-ui, sans-serif";
      g.fillText(String(l), map.left - 6, map.top + (l + 0.5) * map.row);
    }
    g.font = "11px system-ui, sans-serif";
    g.textBaseline = "top";
    const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000].find((s) => s * map.cell > 36) || 10000;
    for (let w = 0; w < windows; w += step) {
      g.textAlign = w === 0 ? "left" : "center";
      g.fillText(w === 0 ? "window 0" : String(w), map.left + (w === 0 ? 0 : (w + 0.5) * map.cell), map.top + layers.length * map.row + 5);
      if (w === 0 && step * map.cell < 60) w += step;
    }
    if (view.layer >= 0) {
      g.strokeStyle = color("--ink");
      g.strokeRect(map.left - 1.5, map.top + view.layer * map.row - 1, map.cell * windows + 2, map.row + 1);
    }
  }

  function cellAt(event) {
    const box = canvas.getBoundingClientRect();
    const w = Math.floor((event.clientX - box.left - map.left) / map.cell), l = Math.floor((event.clientY - box.top - map.top) / map.row);
    return w < windows && l >= 0 && l < layers.length ? { w, l } : null;
  }

  // --- tips and clicks ---------------------------------------------------------------------------
  const tip = byId("tip");
  function showTip(event, text) {
    tip.hidden = false;
    tip.textContent = text;
    tip.style.left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = (event.clientY + 18 + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 10 : event.clientY + 18) + "px";
  }
  const hideTip = () => { tip.hidden = true; };
  function mark(selector) {
    document.querySelectorAll("#text .here").forEach((e) => e.classList.remove("here"));
    const element = document.querySelector(selector);
    if (element) element.classList.add("here");
    return element;
  }
  function go(selector) {
    const element = mark(selector);
    if (element) element.scrollIntoView({ behavior: "smooth", block: "center" });
  }

  canvas.addEventListener("mousemove", (event) => {
    const cell = cellAt(event);
    if (!cell || cell.w < 0) { hideTip(); return; }
    const { w, l } = cell, last = Math.min(tokens.length, (w + 1) * W) - 1;
    const start = tokens.slice(w * W, Math.min(last + 1, w * W + 60)).join("").replace(/\s+/g, " ").slice(0, 70);
    showTip(event, `layer ${l}, window ${w}, tokens ${w * W} to ${last}\n${layers[l].read[w] ? "reads its pool" : "does not read"}${layers[l].readBefore[w] ? ", reads the layers before it" : ""}, wrote ${layers[l].wrote[w]} notes\n“${start}…”`);
  });
  canvas.addEventListener("mouseleave", hideTip);
  canvas.addEventListener("click", (event) => {
    const cell = cellAt(event);
    if (!cell) return;
    select(view.layer === cell.l && cell.w < 0 ? -1 : cell.l);
    if (cell.w >= 0) go(`#w${cell.w}`);
  });

  byId("text").addEventListener("mousemove", (event) => {
    const token = event.target.closest("b");
    if (!token) { hideTip(); return; }
    const i = Number(token.dataset.i), lines = [`token ${i}, window ${Math.floor(i / W)}`];
    const found = layers.map((layer, l) => [l, layer.at.get(i)]).filter(([, n]) => n).sort((a, b) => b[1][1] - a[1][1]);
    for (const [l, n] of found.slice(0, 8)) lines.push(`layer ${l}: ${n[1].toFixed(4)}` + (n[2] >= 0 ? `, gone in window ${n[2]}` : ", kept"));
    if (found.length > 8) lines.push(`and ${found.length - 8} more layers`);
    showTip(event, lines.join("\n"));
  });
  byId("text").addEventListener("mouseleave", hideTip);

  const noteOf = (event) => event.target.closest("li[data-i]");
  byId("notes").addEventListener("mouseover", (event) => { const li = noteOf(event); if (li) mark(`#t${li.dataset.i}`); });
  byId("notes").addEventListener("click", (event) => { const li = noteOf(event); if (li) go(`#t${li.dataset.i}`); });
  byId("notes").addEventListener("keydown", (event) => { const li = noteOf(event); if (li && event.key === "Enter") go(`#t${li.dataset.i}`); });

  function redraw() { view.shown = 100; drawText(); drawNotes(); }
  function select(layer) {
    view.layer = layer;
    byId("layer").value = String(layer);
    redraw();
    drawMap();
  }
  byId("layer").innerHTML = '<option value="-1">all, the highest</option>' + layers.map((_, l) => `<option value="${l}">${l}</option>`).join("");
  byId("layer").addEventListener("change", (event) => select(Number(event.target.value)));
  byId("kept").addEventListener("change", (event) => { view.kept = event.target.checked; redraw(); });
  byId("order").addEventListener("change", (event) => { view.order = event.target.value; drawNotes(); });
  byId("more").addEventListener("click", () => { view.shown += 500; drawNotes(); });
  addEventListener("resize", drawMap);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawMap);

  const toFact = byId("to-fact"); // where there is a fact to frame
  if (toFact) toFact.addEventListener("click", () => document.querySelector("#text .fact").scrollIntoView({ behavior: "smooth", block: "center" }));

  redraw();
  drawMap();
  if (toFact && location.hash === "#fact") document.querySelector("#text .fact").scrollIntoView({ block: "center" });
})();
