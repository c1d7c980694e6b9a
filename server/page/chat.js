import { showNotes, clearNotes } from "./notes.js";

const $ = id => document.getElementById(id);
const settings = ["system", "temperature", "top_p", "max_tokens", "seed", "theme", "model"];

// The conversation is a tree: an answer that was made again, or a message that was changed, is a branch beside the
// first. Node 0 is the root; of each node's children one is on the way that is shown.
let tree = [{ role: "root", text: "", up: -1, kids: [], at: 0 }];
let session = "";
let running = null; // the AbortController of the answer under way

const way = () => {
  const nodes = [];
  for (let n = tree[0]; n.kids.length;) nodes.push(n = tree[n.kids[n.at]]);
  return nodes;
};

function add(up, role, text) {
  tree.push({ role, text, up, kids: [], at: 0, id: tree.length });
  tree[up].kids.push(tree.length - 1);
  tree[up].at = tree[up].kids.length - 1;
  return tree.at(-1);
}

const last = () => way().at(-1)?.id ?? 0;

function save() {
  const kept = Object.fromEntries(settings.map(id => [id, $(id).value]));
  try {
    localStorage.setItem("mmrun", JSON.stringify({ tree, session, kept, notes: !$("notes").hidden }));
  } catch { /* it is too long to be kept, or may not be: the page works without */ }
}

function restore() {
  let was;
  try { was = JSON.parse(localStorage.getItem("mmrun")); } catch { return; }
  if (!was) return;
  tree = was.tree;
  session = was.session;
  for (const [id, value] of Object.entries(was.kept)) if (id !== "model") $(id).value = value;
  $("notes").hidden = !was.notes;
  $("show-notes").setAttribute("aria-pressed", was.notes);
  return was.kept.model;
}

const headers = () => {
  const h = { "Content-Type": "application/json" };
  if ($("key").value) h.Authorization = "Bearer " + $("key").value;
  return h;
};

const say = text => { $("status").textContent = text; };

async function ask(path, options) {
  const answer = await fetch(path, { headers: headers(), ...options });
  if (answer.ok) return answer;
  let why = answer.statusText;
  try { why = (await answer.json()).error.message; } catch { /* the status says what there is */ }
  throw Object.assign(new Error(why), { status: answer.status });
}

async function models(wanted) {
  const { data } = await (await ask("/v1/models")).json();
  $("model").replaceChildren(...data.map(m => new Option(m.id, m.id, false, m.id === wanted)));
}

function button(label, title, click) {
  const b = document.createElement("button");
  b.type = "button";
  b.textContent = label;
  b.setAttribute("aria-label", title);
  b.title = title;
  b.addEventListener("click", click);
  return b;
}

function element(n) {
  const li = document.createElement("li");
  li.className = n.role;
  const who = document.createElement("div");
  who.className = "who";
  const name = document.createElement("span");
  name.textContent = n.role === "user" ? "You" : "Model";
  who.append(name);
  const up = tree[n.up], count = up.kids.length, here = up.kids.indexOf(n.id);
  if (count > 1) {
    const turn = by => () => { up.at = (here + by + count) % count; draw(); save(); };
    const where = document.createElement("span");
    where.textContent = `${here + 1} of ${count}`;
    who.append(button("‹", "Previous branch", turn(-1)), where, button("›", "Next branch", turn(1)));
  }
  const text = document.createElement("div");
  text.className = "text";
  text.textContent = n.text;
  if (n.role === "user") who.append(button("Edit", "Edit this message", () => edit(n, text)));
  else who.append(button("Retry", "Answer again", () => answer(n.up)));
  li.append(who, text);
  n.view = text;
  return li;
}

function draw() {
  $("messages").replaceChildren(...way().map(element));
  $("talk").scrollTop = $("talk").scrollHeight;
}

function edit(n, text) {
  if (running) return;
  const box = document.createElement("textarea");
  box.value = n.text;
  box.rows = Math.min(10, n.text.split("\n").length + 1);
  box.setAttribute("aria-label", "Changed message");
  const done = () => { const value = box.value.trim(); if (value) answer(add(n.up, "user", value).id); };
  box.addEventListener("keydown", e => {
    if (e.key === "Escape") draw();
    if (e.key === "Enter" && !e.shiftKey) { e.preventDefault(); done(); }
  });
  text.replaceChildren(box, button("Send", "Send the changed message", done), button("Cancel", "Leave it as it was", draw));
  box.focus();
}

// messages are those up to a node, as the API wants them.
function messages(id) {
  const all = [];
  for (let n = tree[id]; n.up >= 0; n = tree[n.up]) all.unshift({ role: n.role, content: n.text });
  if ($("system").value.trim()) all.unshift({ role: "system", content: $("system").value });
  return all;
}

function request(id) {
  const body = { model: $("model").value, messages: messages(id), stream: true, stream_options: { include_usage: true } };
  for (const name of ["temperature", "top_p", "max_tokens"]) if ($(name).value !== "") body[name] = Number($(name).value);
  body.seed = $("seed").value === "" ? Math.floor(Math.random() * 2 ** 31) : Number($("seed").value) + tree[id].kids.length;
  if (session) body.session = session;
  return body;
}

// events are the data of server-sent events.
async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let held = ""; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (held + value).split("\n\n");
    held = parts.pop();
    for (const part of parts) {
      const data = part.split("\n").filter(l => l.startsWith("data:")).map(l => l.slice(5).trim()).join("\n");
      if (data && data !== "[DONE]") yield JSON.parse(data);
    }
  }
}

async function begin(id) {
  const options = () => ({ method: "POST", body: JSON.stringify(request(id)), signal: running.signal });
  if (!session) {
    try {
      session = (await (await ask("/v1/sessions", { method: "POST", body: JSON.stringify({ model: $("model").value }) })).json()).id;
    } catch { /* there is no room for one: it goes without notes */ }
  }
  try {
    return await ask("/v1/chat/completions", options());
  } catch (e) {
    if (e.status !== 404 || !session) throw e;
    session = ""; // it has gone, such as with the server
    return await ask("/v1/chat/completions", options());
  }
}

// answer has a message answered, beside answers that it has.
async function answer(id) {
  if (running) return;
  running = new AbortController();
  const n = add(id, "assistant", "");
  draw();
  busy(true);
  try {
    let usage;
    for await (const e of events(await begin(id))) {
      if (e.error) throw new Error(e.error.message);
      usage = e.usage ?? usage;
      const piece = e.choices?.[0]?.delta?.content;
      if (!piece) continue;
      const low = $("talk").scrollHeight - $("talk").scrollTop - $("talk").clientHeight < 60;
      n.text += piece;
      n.view.textContent = n.text;
      if (low) $("talk").scrollTop = $("talk").scrollHeight;
    }
    say(usage ? `Answered: ${usage.prompt_tokens - (usage.prompt_tokens_details?.cached_tokens ?? 0)} tokens read, ${usage.completion_tokens} written` : "Answered");
  } catch (e) {
    say(e.name === "AbortError" ? "Stopped" : e.message);
    if (e.name !== "AbortError" && !n.text) {
      tree[id].kids = tree[id].kids.filter(k => k !== n.id);
      tree[id].at = Math.max(0, tree[id].kids.length - 1);
    }
  }
  running = null;
  busy(false);
  draw();
  if (document.activeElement === document.body) $("message").focus(); // its button has gone
  save();
  notes();
}

async function notes() {
  if ($("notes").hidden) return;
  if (!session) return clearNotes("There is nothing yet.");
  try {
    showNotes(await (await ask(`/v1/sessions/${encodeURIComponent(session)}/notes`)).json());
  } catch (e) {
    clearNotes(e.message);
  }
}

function busy(is) {
  $("send").hidden = is;
  $("stop").hidden = !is;
  if (is) say("Answering…");
}

$("compose").addEventListener("submit", e => {
  e.preventDefault();
  const text = $("message").value.trim();
  if (!text || running) return;
  $("message").value = "";
  answer(add(last(), "user", text).id);
});
$("message").addEventListener("keydown", e => {
  if (e.key === "Enter" && !e.shiftKey && !e.isComposing) { e.preventDefault(); $("compose").requestSubmit(); }
});
document.addEventListener("keydown", e => { if (e.key === "Escape") running?.abort(); });
$("stop").addEventListener("click", () => { running?.abort(); $("message").focus(); });
$("new").addEventListener("click", () => {
  if (running) return;
  if (session) ask("/v1/sessions/" + encodeURIComponent(session), { method: "DELETE" }).catch(() => { /* it has gone */ });
  tree = [{ role: "root", text: "", up: -1, kids: [], at: 0 }];
  session = "";
  draw(); save(); clearNotes("There is nothing yet."); say("A new conversation");
  $("message").focus();
});
$("show-settings").addEventListener("click", () => {
  $("settings").hidden = !$("settings").hidden;
  $("show-settings").setAttribute("aria-expanded", !$("settings").hidden);
});
$("show-notes").addEventListener("click", () => {
  $("notes").hidden = !$("notes").hidden;
  $("show-notes").setAttribute("aria-pressed", !$("notes").hidden);
  notes(); save();
});
const theme = () => { document.documentElement.dataset.theme = $("theme").value; };
$("settings").addEventListener("submit", e => e.preventDefault());
$("settings").addEventListener("change", () => { theme(); save(); });
$("model").addEventListener("change", () => { session = ""; save(); }); // a state is one model's
$("key").addEventListener("change", () => models().catch(e => say(e.message)));

const wanted = restore();
theme();
draw();
models(wanted).then(notes).catch(e => say(e.message));
