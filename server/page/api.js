// The server's API as the page needs it.

// A Failure is what went wrong, in words for a person.
export class Failure extends Error {
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

let askKey = async () => null;

// onKey sets what is called when the server wants a key: it resolves to one, or to null when there is none.
export function onKey(f) { askKey = f; }

function key() {
  try { return sessionStorage.getItem("mmrun.key") || ""; } catch { return ""; }
}

export function setKey(value) {
  if (value) sessionStorage.setItem("mmrun.key", value);
  else sessionStorage.removeItem("mmrun.key");
}

export function hasKey() { return key() !== ""; }

const words = {
  413: "The conversation is longer than the server takes in one request.",
  429: "The server has as many requests as it takes at a time. Try again in a moment.",
  503: "The server cannot answer now: it is starting, stopping, or short of memory. Try again in a moment.",
};

// failure puts an answer that is an error into words.
function failure(status, error) {
  const said = error && error.message ? error.message : "";
  if (error && error.code === "context_length_exceeded") return new Failure(`The conversation has become too long for the model: ${said}.`, error.code);
  if (words[status]) return new Failure(said ? `${words[status]} (${said})` : words[status], error && error.code);
  return new Failure(said ? `The server says: ${said}` : `The server answers with status ${status}, and with no reason.`, error && error.code);
}

// request sends one, and again with a key where the server wants one.
async function request(path, body, signal) {
  for (;;) {
    const headers = {};
    if (body) headers["Content-Type"] = "application/json";
    if (hasKey()) headers.Authorization = `Bearer ${key()}`;
    let response;
    try {
      response = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Failure("The server cannot be reached. Is mmrun serve still running?", "unreachable");
    }
    if (response.ok) return response;
    const text = await response.text();
    let error = null;
    try { error = JSON.parse(text).error; } catch { /* not ours: the status has to do */ }
    if (response.status !== 401) throw failure(response.status, error);
    const given = await askKey(hasKey());
    if (!given) throw new Failure("The server asks for an API key.", "no_key");
    setKey(given);
  }
}

export async function models() { return (await (await request("/v1/models")).json()).data; }


// lines yields the data of a stream's events.
async function* lines(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) {
      if (part.startsWith("data:")) yield part.slice(5).trim();
    }
  }
}

// chat has a conversation answered, calls got with every piece, and returns why the answer ended and how many
// tokens there were.
export async function chat(body, signal, got) {
  const response = await request("/v1/chat/completions", { ...body, stream: true, stream_options: { include_usage: true } }, signal);
  const end = { finish: "", usage: null };
  try {
    for await (const line of lines(response.body)) {
      if (line === "[DONE]") return end;
      const event = JSON.parse(line);
      if (event.error) throw failure(200, event.error);
      if (event.usage) end.usage = event.usage;
      for (const choice of event.choices) {
        if (choice.delta && choice.delta.content) got(choice.delta.content);
        if (choice.finish_reason) end.finish = choice.finish_reason;
      }
    }
  } catch (error) {
    if (error instanceof Failure || error.name === "AbortError") throw error;
    throw new Failure("The connection broke before the answer was whole.", "cut");
  }
  throw new Failure("The connection ended before the answer was whole.", "cut");
}

// notes asks for notes, and calls got with each part of them as the model reads.
export async function notes(body, signal, got) {
  const response = await request("/v1/notes", { ...body, stream: true }, signal);
  for await (const line of lines(response.body)) {
    if (line === "[DONE]") return;
    const told = JSON.parse(line);
    if (told.error) throw failure(200, told.error);
    got(told);
  }
  throw new Failure("The connection ended before all notes were told.", "cut");
}
