// Runs the cases of test_node_sdks.py with `@ai-sdk/openai` or with `@openrouter/sdk`.
//
//     node sdks.mjs ai-sdk|openrouter BASE_URL KEY MODEL
//
// Prints one JSON object: of each case what was found, or the error that it ended with.
import { createOpenAI } from "@ai-sdk/openai";
import { OpenRouter } from "@openrouter/sdk";

const [kind, baseURL, key, model] = process.argv.slice(2);

async function readParts(text) {
  const chat = createOpenAI({ baseURL, apiKey: key }).chat(model);
  const prompt = [{ role: "user", content: [{ type: "text", text }] }];
  const found = { text: "", reasoning: "", errors: 0, finish: null };
  for await (const part of (await chat.doStream({ prompt })).stream) {
    if (part.type === "text-delta") found.text += part.delta;
    if (part.type === "error") found.errors += 1;
    if (part.type === "finish") found.finish = part.finishReason.unified;
  }
  return found;
}

async function vectors() {
  const model = createOpenAI({ baseURL, apiKey: key }).embedding("text-embedding-3-small");
  const { embeddings, usage } = await model.doEmbed({ values: ["a cat", "a dog"] });
  return { lengths: embeddings.map((each) => each.length), tokens: usage.tokens };
}

const router = new OpenRouter({ apiKey: key, serverURL: baseURL, retryConfig: { strategy: "none" } });

async function readChunks(text) {
  const chatRequest = { model, messages: [{ role: "user", content: text }], stream: true };
  const found = { text: "", reasoning: "", errors: 0, finish: null };
  for await (const chunk of await router.chat.send({ chatRequest })) {
    const choice = chunk.choices[0];
    found.text += choice?.delta.content ?? "";
    found.reasoning += choice?.delta.reasoning ?? "";
    found.finish = choice?.finishReason ?? found.finish;
    if (chunk.error) found.errors += 1;
  }
  return found;
}

async function asWhole(text) {
  const chatRequest = { model, messages: [{ role: "user", content: text }] };
  const { choices } = await router.chat.send({ chatRequest });
  return { text: choices[0].message.content, reasoning: choices[0].message.reasoning ?? "" };
}

const cases = {
  "ai-sdk": {
    stream: () => readParts("Hello!"),
    broken: () => readParts("break"),
    vectors,
  },
  openrouter: {
    whole: () => asWhole("Hello!"),
    stream: () => readChunks("Hello!"),
    broken: () => readChunks("break"),
    vectors: async () => {
      const requestBody = { model: "text-embedding-3-small", input: ["a cat", "a dog"] };
      const { data, usage } = await router.embeddings.generate({ requestBody });
      const lengths = data.map((each) => each.embedding.length);
      return { lengths, tokens: usage.totalTokens };
    },
    models: async () => (await router.models.list({})).result.data.length > 0,
    key: async () => (await router.apiKeys.getCurrentKeyMetadata()).data,
    endpoints: async () => {
      const [author, slug] = model.split("/");
      return (await router.endpoints.list({ author, slug })).data.endpoints[0];
    },
    credits: async () => (await router.credits.getCredits()).data.totalUsage >= 0,
    providers: async () => (await router.providers.list()).data.length > 0,
  },
};

const report = {};
for (const [name, run] of Object.entries(cases[kind])) {
  try {
    report[name] = await run();
  } catch (problem) {
    report[name] = `${problem.name}: ${problem.message}`;
  }
}
console.log(JSON.stringify(report));
