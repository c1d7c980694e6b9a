// Asks a server of mmrun with OpenAI's own library for JavaScript: node client.js URL MODEL
import assert from "node:assert/strict";
import OpenAI from "openai";

const [url, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL: url + "/v1", apiKey: "any", maxRetries: 0 });

const models = [];
for await (const one of client.models.list()) models.push(one.id);
assert.deepEqual(models, [model]);

const prompt = { model, prompt: "It was a dark night", max_tokens: 12, temperature: 0, logprobs: 2 };
const whole = await client.completions.create(prompt);
assert.equal(whole.choices[0].finish_reason, "length");
assert.equal(whole.choices[0].logprobs.token_logprobs.length, 12);
assert.equal(whole.usage.completion_tokens, 12);
let text = "";
for await (const event of await client.completions.create({ ...prompt, stream: true })) text += event.choices[0].text;
assert.equal(text, whole.choices[0].text);

const messages = [{ role: "system", content: "Be kind." }, { role: "user", content: "Who goes there?" }];
const chat = { model, messages, max_completion_tokens: 12, temperature: 0 };
const answer = await client.chat.completions.create(chat);
assert.equal(answer.choices[0].message.role, "assistant");
let said = "", usage = null;
for await (const event of await client.chat.completions.create({ ...chat, stream: true, stream_options: { include_usage: true } })) {
	said += event.choices[0]?.delta.content ?? "";
	if (event.usage) usage = event.usage;
}
assert.equal(said, answer.choices[0].message.content);
assert.equal(usage.prompt_tokens_details.cached_tokens, usage.prompt_tokens);

const schema = { type: "object", properties: { age: { type: "integer", minimum: 1, maximum: 9 } }, required: ["age"], additionalProperties: false };
const form = await client.chat.completions.create({ model, messages, seed: 3, response_format: { type: "json_schema", json_schema: { name: "age", strict: true, schema } } });
const age = JSON.parse(form.choices[0].message.content).age;
assert.ok(age >= 1 && age <= 9, form.choices[0].message.content);

await assert.rejects(client.completions.create({ ...prompt, model: "not-there" }), (e) => e instanceof OpenAI.NotFoundError && e.code === "model_not_found");
await assert.rejects(client.completions.create({ ...prompt, temperature: 3, stream: true }), (e) => e instanceof OpenAI.BadRequestError && e.param === "temperature");

// Somebody who stops listening ends the answer.
const endless = await client.completions.create({ ...prompt, max_tokens: 100000, stream: true });
for await (const _ of endless) break;
console.log("ok");
