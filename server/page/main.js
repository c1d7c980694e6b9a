// The page: one conversation at a time, its answers as they come, and those before it.
import * as store from "./store.js";
import * as api from "./api.js";
import { Thread, byId, button, element } from "./thread.js";
import { Notes } from "./notes.js";
import { settings } from "./settings.js";

let chat, models = [];
let running = null; // {node, abort} while an answer comes
let removed = null; // a conversation that can be brought back

const thread = new Thread(byId("thread"), byId("scroll"), {
  edit: (node, text) => {
    const next = store.add(chat, node.parent, node.role, text);
    if (node.role !== "user") next.model = node.model;
    changed();
    byId("input").focus();
    if (node.role === "user") answer(next);
  },
  retry: (node) => answer(node.role === "user" ? node : chat.nodes[node.parent]),
  choose: (node) => { chat.chosen[node.parent] = node.id; changed(); },
  copy: async (node) => {
    try {
      await navigator.clipboard.writeText(node.text);
      toast("Copied.");
    } catch {
      toast("The browser does not let this page copy. Select the text instead.");
    }
  },
});
const notes = new Notes((marks, colour) => thread.mark(marks, colour), (position) => {
  if (innerWidth <= 1100) showNotes(false);
  if (!thread.show(position)) toast("That token stands outside the messages, or colouring is off.");
});

// --- what is shown ---------------------------------------------------------------------------------

function toast(text, undo) {
  byId("toast-text").textContent = text;
  byId("toast-undo").hidden = !undo;
  byId("toast").hidden = false;
  clearTimeout(toast.timer);
  if (!undo) toast.timer = setTimeout(() => { byId("toast").hidden = true; }, 6000);
}

function say(text) { byId("said").textContent = text; }

function modelOf() { return models.find((m) => m.id === chat.settings.model) || models[0] || null; }

// changed keeps the conversation and shows it anew.
function changed() {
  store.save(chat);
  draw();
}

function draw() {
  const nodes = store.path(chat), model = modelOf();
  thread.draw(chat, Boolean(running));
  byId("empty").hidden = nodes.length > 0;
  byId("empty-model").textContent = model ? model.id : "the model";
  byId("empty-plain").hidden = !model || model.chat_template !== "plain";
  if (document.activeElement !== byId("title")) byId("title").value = store.titleOf(chat);
  document.title = `${store.titleOf(chat)} · mmrun`;
  byId("send").hidden = Boolean(running);
  byId("stop").hidden = !running;
  drawList();
  followNotes();
}

function drawList() {
  const all = store.list();
  if (!all.some((one) => one.id === chat.id)) all.unshift({ id: chat.id, title: store.titleOf(chat) });
  const list = byId("chat-list"), focused = list.contains(document.activeElement) ? document.activeElement.dataset.place : "";
  list.replaceChildren(...all.map(({ id, title }) => {
    const item = element("li", id === chat.id ? "here" : "");
    const open = button(title, "", () => { go(id); showChats(false); });
    open.className = "open";
    open.title = title;
    open.dataset.place = id;
    if (id === chat.id) open.setAttribute("aria-current", "page");
    const drop = button("✕", `Delete “${title}”`, () => discard(id));
    drop.className = "drop";
    item.append(open, drop);
    return item;
  }));
  if (focused) list.querySelector(`[data-place="${CSS.escape(focused)}"]`)?.focus();
}

function followNotes() {
  const model = modelOf();
  if (!model || (!model.open && !store.path(chat).length)) return;
  const nodes = store.path(chat), last = nodes.at(-1);
  const read = last && last.role === "assistant" && !last.text ? nodes.slice(0, -1) : nodes;
  notes.follow(model.id, read, read.length ? store.messages(chat, read.at(-1).id) : []);
}

function showNotes(open) {
  notes.open = open;
  store.write("mmrun.notes", open);
  notes.arrange();
  if (open) notes.draw();
  byId(open ? "notes-close" : "notes-open").focus();
}

function showChats(open) {
  if (byId("chats").classList.contains("open") === open) return;
  byId("chats").classList.toggle("open", open);
  byId("chats-open").setAttribute("aria-expanded", String(open));
  byId(open ? "new" : "chats-open").focus();
}

// --- conversations ---------------------------------------------------------------------------------

function go(id) {
  if (running) stop();
  if (chat) keepDraft();
  notes.clear();
  chat = (id && store.load(id)) || store.create();
  store.write("mmrun.last", chat.id);
  byId("input").value = chat.draft;
  fit();
  byId("usage").textContent = "";
  draw();
  thread.toEnd();
}

function keepDraft() {
  const draft = byId("input").value;
  if (draft === chat.draft) return;
  chat.draft = draft;
  store.save(chat);
}

function discard(id) {
  const one = id === chat.id ? chat : store.load(id);
  if (running && id === chat.id) stop();
  store.remove(id);
  removed = one;
  if (id === chat.id) go((store.list()[0] || {}).id);
  else draw();
  toast(`“${store.titleOf(one)}” was deleted.`, true);
  byId("toast-undo").focus();
}

// --- answers ---------------------------------------------------------------------------------------

function stop() {
  if (running) running.abort.abort();
}

// answer has the model answer a message, as a new branch where there are answers already.
async function answer(question) {
  if (running) return;
  const model = modelOf(), mine = chat, s = chat.settings;
  const tries = store.children(chat, question.id).length;
  const node = store.add(chat, question.id, "assistant", "");
  const job = running = { node, abort: new AbortController() };
  node.state = "running";
  node.model = model ? model.id : "";
  changed();
  thread.toEnd();
  say("The answer is coming.");
  const body = { messages: store.messages(chat, question.id), temperature: s.temperature, top_p: s.top_p, max_tokens: s.max_tokens };
  if (model) body.model = model.id;
  if (s.seed !== null) body.seed = s.seed + tries;
  const show = shower(node, mine);
  try {
    const end = await api.chat(body, job.abort.signal, (text) => { node.text += text; show(); });
    node.state = end.finish === "length" ? "length" : "";
    tell(end.usage);
  } catch (error) {
    node.state = error.name === "AbortError" ? "stopped" : "";
    if (node.state === "") node.error = error.message;
  }
  running = null;
  mine.updated = Date.now();
  store.save(mine);
  if (mine === chat) {
    const end = thread.atEnd();
    const stopped = document.activeElement === byId("stop");
    if (model) model.open = true;
    draw();
    if (end) thread.toEnd();
    if (stopped) byId("input").focus();
    say(node.error || `${node.state === "stopped" ? "Stopped." : "The answer is there:"} ${node.text}`);
  }
}

function tell(usage) {
  if (usage) byId("usage").textContent = `${usage.prompt_tokens} tokens read, ${usage.prompt_tokens_details.cached_tokens} of them known already; ${usage.completion_tokens} written.`;
}

// shower shows an answer as it grows, a few times a second, and keeps it.
function shower(node, mine) {
  let drawn = false, kept = 0;
  return () => {
    const now = performance.now();
    if (now - kept > 400) {
      kept = now;
      store.save(mine);
      if (mine === chat) followNotes();
    }
    if (drawn || mine !== chat) return;
    drawn = true;
    requestAnimationFrame(() => {
      drawn = false;
      if (mine !== chat) return;
      const end = thread.atEnd();
      thread.paint(node);
      if (end) thread.toEnd();
    });
  };
}

function send() {
  const text = byId("input").value;
  if (!text.trim() || running) return;
  const last = store.path(chat).at(-1);
  const node = store.add(chat, last ? last.id : "", "user", text);
  byId("input").value = chat.draft = "";
  fit();
  byId("input").focus();
  answer(node);
}

// fit makes the field as high as its text.
function fit() {
  const field = byId("input");
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + 2}px`;
}

// --- what people do --------------------------------------------------------------------------------

byId("composer").addEventListener("submit", (event) => { event.preventDefault(); send(); });
byId("input").addEventListener("keydown", (event) => {
  const touch = matchMedia("(pointer: coarse)").matches;
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && !touch) {
    event.preventDefault();
    send();
  }
});
byId("input").addEventListener("input", () => {
  fit();
  clearTimeout(keepDraft.timer);
  keepDraft.timer = setTimeout(keepDraft, 300);
});
byId("stop").addEventListener("click", stop);
byId("new").addEventListener("click", () => { go(""); showChats(false); byId("input").focus(); });
byId("title").addEventListener("change", () => { chat.title = byId("title").value.trim(); changed(); });
byId("title").addEventListener("keydown", (event) => { if (event.key === "Enter") byId("input").focus(); });
byId("chats-open").addEventListener("click", () => showChats(true));
byId("chats-close").addEventListener("click", () => showChats(false));
byId("notes-open").addEventListener("click", () => showNotes(byId("notes").hidden));
byId("notes-close").addEventListener("click", () => showNotes(false));
byId("toast-close").addEventListener("click", () => { byId("toast").hidden = true; byId("input").focus(); });
byId("toast-undo").addEventListener("click", () => {
  byId("toast").hidden = true;
  if (removed) { store.save(removed); go(removed.id); removed = null; }
  byId("input").focus();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  if (running) stop();
  else if (byId("chats").classList.contains("open")) showChats(false);
  else if (!byId("notes").hidden && innerWidth <= 1100) showNotes(false);
});
addEventListener("pagehide", () => { keepDraft(); if (running) store.save(chat); });
addEventListener("storage", (event) => { // another tab wrote
  if (!store.isChat(event.key) || running || thread.editing()) return;
  const now = store.load(chat.id);
  if (now) chat = now;
  draw();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => notes.drawMap());
store.onFull(() => toast("The browser has no room for more conversations. Delete some, or this one is lost when the page closes."));
settings({
  chat: () => chat, models: () => models, changed: () => { store.write("mmrun.settings", chat.settings); store.write("mmrun.system", chat.system); changed(); }, look: () => notes.drawMap(),
});

async function begin() {
  notes.open = store.read("mmrun.notes", innerWidth > 1100);
  if (innerWidth <= 1100) notes.open = false;
  go(store.read("mmrun.last", ""));
  byId("input").focus();
  try {
    models = await api.models();
  } catch (error) {
    toast(error.message);
  }
  draw();
}

begin();
