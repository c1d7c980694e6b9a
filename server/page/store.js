// Conversations as they are kept in the browser. A conversation is a tree: every message knows the one before it, and of
// those that follow the same one, one is chosen.

const prefix = "mmrun.chat.";
export const defaults = { model: "", temperature: 0.8, top_p: 0.95, max_tokens: 400, seed: null };

let told = () => {};

// onFull sets what is called when the browser has no room for more.
export function onFull(f) { told = f; }

export function read(key, otherwise) {
  try {
    const text = localStorage.getItem(key);
    return text === null ? otherwise : JSON.parse(text);
  } catch {
    return otherwise;
  }
}

export function write(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    told();
  }
}

function newID() {
  const b = crypto.getRandomValues(new Uint8Array(9));
  return Array.from(b, (n) => n.toString(36).padStart(2, "0")).join("");
}

// list returns what is known of all conversations, the one used last first.
export function list() {
  const all = [];
  for (let i = 0; i < localStorage.length; i++) {
    const key = localStorage.key(i);
    if (!key.startsWith(prefix)) continue;
    const chat = read(key, null);
    if (chat && chat.nodes) all.push({ id: chat.id, title: titleOf(chat), updated: chat.updated });
  }
  return all.sort((a, b) => b.updated - a.updated);
}

export function create() {
  const settings = { ...defaults, ...read("mmrun.settings", {}) };
  return { id: newID(), title: "", system: read("mmrun.system", ""), draft: "", settings, nodes: {}, chosen: {}, updated: Date.now() };
}

export function load(id) {
  const chat = read(prefix + id, null);
  if (!chat || !chat.nodes) return null;
  for (const node of Object.values(chat.nodes)) {
    if (node.state === "running") node.state = "cut"; // the page went away while it came
  }
  return { ...create(), ...chat, settings: { ...defaults, ...chat.settings } };
}

export function save(chat) { write(prefix + chat.id, chat); }

export function remove(id) { localStorage.removeItem(prefix + id); }

export function isChat(key) { return key === null || key.startsWith(prefix); }

// titleOf is a conversation's title, or how it begins.
export function titleOf(chat) {
  if (chat.title) return chat.title;
  const first = path(chat)[0];
  const text = first ? first.text.trim().replace(/\s+/g, " ") : "";
  return text.length > 48 ? text.slice(0, 47) + "…" : text || "New conversation";
}

// children are the messages that follow one, in the order in which they were written; "" is the beginning.
export function children(chat, id) {
  return Object.values(chat.nodes).filter((n) => n.parent === id).sort((a, b) => a.order - b.order);
}

// path is the conversation along the branches that are chosen.
export function path(chat) {
  const all = [];
  for (let id = ""; ;) {
    const next = chat.nodes[chat.chosen[id]] || children(chat, id).at(-1);
    if (!next) return all;
    all.push(next);
    id = next.id;
  }
}

// add writes a message after another one and chooses its branch.
export function add(chat, parent, role, text) {
  const node = { id: newID(), parent, role, text, state: "", order: Object.keys(chat.nodes).length };
  chat.nodes[node.id] = node;
  chat.chosen[parent] = node.id;
  chat.updated = Date.now();
  return node;
}

// messages are those that a node answers, as the API has them.
export function messages(chat, id) {
  const all = [];
  for (let node = chat.nodes[id]; node; node = chat.nodes[node.parent]) {
    all.unshift({ role: node.role, content: node.text });
  }
  if (chat.system.trim()) all.unshift({ role: "system", content: chat.system });
  return all;
}
