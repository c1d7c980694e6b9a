// The messages of a conversation as elements. Text goes in as text, never as HTML.
import { children, path } from "./store.js";

export const byId = (id) => document.getElementById(id);

// element makes one, of a class, with a text.
export function element(name, kind, text) {
  const e = document.createElement(name);
  if (kind) e.className = kind;
  if (text !== undefined) e.textContent = text;
  return e;
}

export function button(text, label, act) {
  const b = element("button", "", text);
  b.type = "button";
  if (label) b.setAttribute("aria-label", label);
  b.addEventListener("click", act);
  return b;
}

const ends = {
  length: "The answer reached the length that the settings allow.",
  stopped: "You stopped this answer.",
  cut: "This answer was cut short: the page was left while it came.",
};

// A Thread shows the conversation along its chosen branches.
export class Thread {
  // actions has what the buttons do: edit(node, text), retry(node), choose(node), copy(node).
  constructor(list, scroll, actions) {
    this.list = list;
    this.scroll = scroll;
    this.actions = actions;
    this.marks = new Map();
    this.colour = true;
  }

  // draw shows everything anew. What had the focus keeps it, by its place.
  draw(chat, busy) {
    this.chat = chat;
    this.busy = busy;
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.place : "";
    const nodes = path(chat);
    this.items = new Map();
    this.list.replaceChildren(...nodes.map((node, i) => this.message(node, i)));
    if (focused) {
      const again = this.list.querySelector(`[data-place="${CSS.escape(focused)}"]:not(:disabled)`);
      (again || byId("input")).focus({ preventScroll: true });
    }
  }

  message(node, index) {
    const mine = node.role === "user";
    const item = element("li", `message ${mine ? "user" : "assistant"}`);
    if (node.state === "running") item.classList.add("running");
    item.dataset.id = node.id;
    item.append(element("h2", "who", mine ? "You" : node.model || "Answer"));
    const text = element("div", "text");
    text.dir = "auto";
    item.append(text);
    this.items.set(node.id, { item, text });
    this.paint(node);
    if (node.error) {
      item.append(element("p", "wrong", node.error));
    } else if (ends[node.state]) {
      item.append(element("p", "said", ends[node.state]));
    }
    item.append(this.tools(node, index));
    return item;
  }

  tools(node, index) {
    const tools = element("div", "tools");
    const add = (name, b) => {
      b.dataset.place = `${index} ${name}`;
      b.disabled = this.busy;
      tools.append(b);
    };
    const name = `${node.role === "user" ? "message" : "answer"} ${index + 1}`;
    const others = children(this.chat, node.parent), at = others.indexOf(node);
    if (others.length > 1) {
      const group = element("span", "branch");
      group.setAttribute("role", "group");
      group.setAttribute("aria-label", `Branches of ${name}`);
      const step = (sign, label, by) => {
        const b = button(sign, label, () => this.actions.choose(others[at + by]));
        b.dataset.place = `${index} ${label}`;
        b.disabled = this.busy || !others[at + by];
        return b;
      };
      group.append(step("‹", "Branch before", -1), element("span", "count", `${at + 1} / ${others.length}`), step("›", "Branch after", 1));
      tools.append(group);
    }
    add("edit", button("Edit", `Edit ${name}`, () => this.edit(node, index)));
    if (node.role !== "user") add("retry", button("Retry", `Try ${name} again`, () => this.actions.retry(node)));
    else if (!children(this.chat, node.id).length) add("retry", button("Ask again", `Ask ${name} again`, () => this.actions.retry(node)));
    add("copy", button("Copy", `Copy ${name}`, () => this.actions.copy(node)));
    return tools;
  }

  // edit has a message written anew in its place.
  edit(node, index) {
    const { item, text } = this.items.get(node.id);
    const field = element("textarea");
    field.value = node.text;
    field.rows = Math.min(14, node.text.split("\n").length + Math.ceil(node.text.length / 70));
    field.setAttribute("aria-label", `New text of ${node.role === "user" ? "message" : "answer"} ${index + 1}`);
    field.dataset.place = `${index} text`;
    const row = element("div", "row");
    const back = () => {
      this.draw(this.chat, this.busy);
      this.list.querySelector(`[data-place="${index} edit"]`).focus();
    };
    const done = () => {
      if (field.value === node.text || !field.value.trim()) back();
      else this.actions.edit(node, field.value);
    };
    const keep = button(node.role === "user" ? "Send as a branch" : "Keep as a branch", "", done);
    keep.className = "primary";
    row.append(button("Cancel", "", back), keep);
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { event.stopPropagation(); back(); }
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); done(); }
    });
    text.replaceWith(field);
    item.querySelector(".tools").replaceWith(row);
    field.focus();
  }

  // editing says whether a message is being written anew.
  editing() { return Boolean(this.list.querySelector("textarea")); }

  // paint writes a message's text, with its notes coloured.
  paint(node) {
    const shown = this.items && this.items.get(node.id);
    if (!shown) return;
    const marks = this.colour ? this.marks.get(node.id) || [] : [];
    const parts = [];
    let at = 0;
    for (const m of marks) {
      if (m.from < at || m.to > node.text.length) continue;
      if (m.from > at) parts.push(node.text.slice(at, m.from));
      const span = element("span", m.kept ? "note kept" : "note", node.text.slice(m.from, m.to));
      span.style.setProperty("--s", m.strength.toFixed(3));
      span.dataset.position = m.position;
      span.title = m.told;
      parts.push(span);
      at = m.to;
    }
    parts.push(node.text.slice(at));
    shown.text.replaceChildren(...parts);
  }

  // mark sets what is coloured, by message: [{from, to, strength, kept, position, told}].
  mark(marks, colour) {
    this.marks = marks;
    this.colour = colour;
    if (this.chat) path(this.chat).forEach((node) => this.paint(node));
  }

  // show brings a note's place in the text into view.
  show(position) {
    this.list.querySelectorAll(".here").forEach((e) => e.classList.remove("here"));
    const span = this.list.querySelector(`[data-position="${position}"]`);
    if (!span) return false;
    span.classList.add("here");
    span.scrollIntoView({ block: "center" });
    return true;
  }

  atEnd() { return this.scroll.scrollHeight - this.scroll.scrollTop - this.scroll.clientHeight < 60; }

  toEnd() { this.scroll.scrollTop = this.scroll.scrollHeight; }
}
