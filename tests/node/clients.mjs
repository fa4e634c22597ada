// Runs the cases of client_report.py with the npm package `openai`, or with Node's own fetch.
//
//     node clients.mjs openai|fetch BASE_URL KEY MODEL
//
// Prints one JSON object.
import OpenAI from "openai";
import { VERSION } from "openai/version";

const [kind, baseURL, key, model] = process.argv.slice(2);
const say = (content) => [{ role: "user", content }];
const hello = say("Hello!");
const tool = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string" } } },
  },
};
const schema = {
  type: "object",
  properties: { name: { type: "string" }, population: { type: "integer" } },
  required: ["name", "population"],
  additionalProperties: false,
};
const png = "data:image/png;base64,iVBORw0KGgo=";

// Both clients as one: post() gives {answer, headers}, stream() the chunks one by one.
class Package {
  constructor() {
    this.client = new OpenAI({ baseURL, apiKey: key, maxRetries: 0, timeout: 20_000 });
  }

  async post(body, { headers = {}, retries = 0 } = {}) {
    const options = { headers, maxRetries: retries };
    const { data, response } = await this.client.chat.completions
      .create(body, options)
      .withResponse();
    return { answer: data, headers: response.headers };
  }

  async *stream(body) {
    yield* await this.client.chat.completions.create({ ...body, stream: true });
  }

  async embed(body) {
    return await this.client.embeddings.create(body);
  }

  async models() {
    const one = (await this.client.models.retrieve("openai/gpt-4o-mini")).id;
    const ids = [];
    for await (const each of this.client.models.list()) ids.push(each.id);
    return { listed: ids.includes(one), one };
  }
}

class Fetch {
  async send(path, body, headers = {}) {
    const response = await fetch(`${baseURL}${path}`, {
      method: body ? "POST" : "GET",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
      body: body && JSON.stringify(body),
    });
    if (response.ok) return response;
    const { error } = await response.json();
    throw Object.assign(new Error(error.message), {
      status: response.status,
      code: error.code,
      param: error.param,
      headers: response.headers,
    });
  }

  async post(body, { headers, retries = 0 } = {}) {
    for (;;) {
      try {
        const response = await this.send("/chat/completions", body, headers);
        return { answer: await response.json(), headers: response.headers };
      } catch (problem) {
        if (retries-- <= 0 || problem.status !== 429) throw problem;
      }
    }
  }

  async *stream(body) {
    const response = await this.send("/chat/completions", { ...body, stream: true });
    const decoder = new TextDecoder();
    let text = "";
    for await (const bytes of response.body) {
      text += decoder.decode(bytes, { stream: true });
      for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
        const data = text.slice(0, end).replace(/^data: /, "");
        if (data === "[DONE]") return;
        yield JSON.parse(data);
      }
    }
    throw new Error("the stream ended without [DONE]");
  }

  async embed(body) {
    return await (await this.send("/embeddings", body)).json();
  }

  async models() {
    const one = (await (await this.send("/models/openai/gpt-4o-mini")).json()).id;
    const { data } = await (await this.send("/models")).json();
    return { listed: data.some((each) => each.id === one), one };
  }
}

const client = kind === "fetch" ? new Fetch() : new Package();
const ask = async (body) => (await client.post({ model, messages: hello, ...body })).answer;

async function whole() {
  const { answer, headers } = await client.post(
    { model, messages: hello },
    { headers: { "x-request-id": "from-the-client-1" } },
  );
  return {
    object: answer.object,
    model: answer.model,
    text: answer.choices[0].message.content,
    finish: answer.choices[0].finish_reason,
    tokens: answer.usage.total_tokens,
    cost: answer.usage.cost > 0,
    same_id: headers.get("x-generation-id") === answer.id,
    provider: headers.get("x-seekroute-provider"),
    request_id: headers.get("x-request-id"),
  };
}

async function stream(options) {
  const chunks = [];
  for await (const chunk of client.stream({ model, messages: hello, ...options })) chunks.push(chunk);
  const choices = chunks.flatMap((chunk) => chunk.choices);
  return {
    text: choices.map((choice) => choice.delta.content ?? "").join(""),
    ids: new Set(chunks.map((chunk) => chunk.id)).size,
    usages: chunks.filter((chunk) => chunk.usage).length,
    last_has_usage: Boolean(chunks.at(-1).usage),
    without_choices: chunks.filter((chunk) => chunk.choices.length === 0).length,
    finish: choices.at(-1).finish_reason,
  };
}

async function tools() {
  const answer = await ask({ messages: say("weather"), tools: [tool] });
  const { message, finish_reason: finish } = answer.choices[0];
  const call = message.tool_calls[0];
  const result = { role: "tool", tool_call_id: call.id, content: "21 degrees" };
  const final = await ask({ messages: [...say("weather"), message, result], tools: [tool] });
  return {
    name: call.function.name,
    arguments: JSON.parse(call.function.arguments),
    finish,
    final: final.choices[0].message.content,
  };
}

async function toolsStream() {
  const call = { name: "", arguments: "" };
  let finish = null;
  const body = { model, messages: say("weather"), tools: [tool] };
  for await (const chunk of client.stream(body)) {
    const [choice] = chunk.choices;
    const part = choice.delta.tool_calls?.[0];
    call.name += part?.function.name ?? "";
    call.arguments += part?.function.arguments ?? "";
    finish = choice.finish_reason ?? finish;
  }
  return { name: call.name, arguments: JSON.parse(call.arguments), finish };
}

async function structured() {
  const format = { type: "json_schema", json_schema: { name: "city", strict: true, schema } };
  const answer = await ask({ response_format: format });
  return Object.keys(JSON.parse(answer.choices[0].message.content)).sort();
}

async function imageInput() {
  const parts = [
    { type: "text", text: "What is this?" },
    { type: "image_url", image_url: { url: png } },
  ];
  const answer = await ask({ model: "openai/gpt-4o", messages: [{ role: "user", content: parts }] });
  return answer.choices[0].message.content;
}

async function imageOutput() {
  const answer = await ask({ model: "jimeng-image" });
  return answer.choices[0].message.content.startsWith("data:image/png;base64,");
}

async function logprobs() {
  const answer = await ask({ logprobs: true, top_logprobs: 2 });
  const entries = answer.choices[0].logprobs.content;
  return {
    text: entries.map((entry) => entry.token).join(""),
    top: [...new Set(entries.map((entry) => entry.top_logprobs.length))],
  };
}

const embedder = "text-embedding-3-small";

async function embeddings() {
  const input = ["a cat", "a dog"];
  const answer = await client.embed({ model: embedder, input });
  const floats = await client.embed({ model: embedder, input, encoding_format: "float" });
  const numbers = ({ data }) => JSON.stringify(data.map((each) => each.embedding));
  const short = await client.embed({ model: embedder, input: "a cat", dimensions: 8 });
  const tokens = await client.embed({ model: embedder, input: [[1, 2], [3]], dimensions: 8 });
  return {
    object: answer.object,
    model: answer.model,
    indexes: answer.data.map((each) => each.index),
    lengths: answer.data.map((each) => each.embedding.length),
    tokens: answer.usage.total_tokens,
    cost: answer.usage.cost > 0,
    same: numbers(answer) === numbers(floats),
    short: short.data[0].embedding.length,
    of_tokens: tokens.data.length,
  };
}

async function embeddingsError(body) {
  try {
    await client.embed({ model: embedder, input: "Hi", ...body });
  } catch ({ status, code, param }) {
    return { status, code, param };
  }
  return {};
}

async function error(body, headers = {}) {
  try {
    await client.post({ model, messages: hello, ...body }, { headers });
  } catch (problem) {
    const { status, code, param } = problem;
    return { status, code, param, retry_after: problem.headers?.get("retry-after") };
  }
  return {};
}

async function retry() {
  const { answer } = await client.post({ model, messages: say("retry") }, { retries: 1 });
  return answer.choices[0].message.content;
}

async function cancel() {
  for await (const chunk of client.stream({ model, messages: say("hang") })) {
    return chunk.choices[0].delta.content; // leaving the loop ends the request
  }
  return null;
}

const cases = {
  version: async () => VERSION,
  whole,
  stream,
  stream_usage: () => stream({ stream_options: { include_usage: true } }),
  tools,
  tools_stream: toolsStream,
  structured,
  image_input: imageInput,
  image_output: imageOutput,
  choices: async () => (await ask({ n: 2 })).choices.map((choice) => choice.message.content),
  logprobs,
  models: () => client.models(),
  embeddings,
  error_embeddings: () => embeddingsError({ input: [] }),
  error_embeddings_model: () => embeddingsError({ model: "no/model" }),
  error_key: () => error({}, { authorization: "Bearer sk-sr-nobody" }),
  error_model: () => error({ model: "nobody/nothing" }),
  error_parameter: () => error({ max_tokens: -1 }),
  error_refused: () => error({ messages: say("refuse") }),
  error_limit: () => error({ messages: say("limit") }),
  error_down: () => error({ messages: say("down") }),
  error_credentials: () => error({ messages: say("credentials") }),
  retry,
  cancel,
};

const report = {};
for (const [name, run] of Object.entries(cases)) {
  try {
    report[name] = await run();
  } catch (problem) {
    report[name] = String(problem);
  }
}
process.stdout.write(JSON.stringify(report));
