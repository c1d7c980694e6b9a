// The dialogs: settings, and the key that a server may ask for.
import { byId } from "./thread.js";
import * as api from "./api.js";

const numbers = ["temperature", "top_p", "max_tokens", "seed"];

// settings makes the dialogs work. page says which conversation there is, which models, and what is to be done after a change.
export function settings(page) {
  const dialog = byId("settings");
  const theme = byId("theme");
  const was = () => document.documentElement.dataset.theme || "";
  byId("settings-open").addEventListener("click", () => {
    const chat = page.chat(), all = page.models();
    byId("model").replaceChildren(...all.map((m) => new Option(m.id, m.id)));
    if (!all.length) byId("model").replaceChildren(new Option("none that can be reached", ""));
    else byId("model").value = all.some((m) => m.id === chat.settings.model) ? chat.settings.model : all[0].id;
    byId("system").value = chat.system;
    for (const id of numbers) byId(id).value = chat.settings[id] === null ? "" : chat.settings[id];
    theme.value = was();
    byId("key-kept").hidden = !api.hasKey();
    dialog.showModal();
  });
  byId("settings-cancel").addEventListener("click", () => dialog.close());
  byId("settings-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const chat = page.chat();
    if (byId("model").value) chat.settings.model = byId("model").value;
    chat.system = byId("system").value;
    for (const id of numbers) chat.settings[id] = byId(id).value === "" ? null : Number(byId(id).value);
    look(theme.value);
    dialog.close();
    page.changed();
    page.look();
  });
  byId("key-forget").addEventListener("click", () => {
    api.setKey("");
    byId("key-kept").hidden = true;
    byId("settings-cancel").focus();
  });
  api.onKey(askKey);
}

function look(chosen) {
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
  try { localStorage.setItem("mmrun.theme", chosen); } catch { /* it lasts until the page is closed */ }
}

let asked = null;

// askKey asks for a key once, however many requests want one.
function askKey(wrong) {
  if (asked) return asked;
  const dialog = byId("key"), field = byId("key-input");
  byId("key-wrong").hidden = !wrong;
  field.value = "";
  asked = new Promise((done) => {
    const end = (value) => {
      asked = null;
      dialog.close();
      done(value);
    };
    byId("key-form").onsubmit = (event) => { event.preventDefault(); end(field.value.trim()); };
    byId("key-cancel").onclick = () => end(null);
    dialog.oncancel = (event) => { event.preventDefault(); end(null); };
    dialog.showModal();
    field.focus();
  });
  return asked;
}
