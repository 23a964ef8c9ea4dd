// One question to the OpenAI SDK for JavaScript, with tools. The answer goes to stdout, an error to stderr.
import { execSync } from "node:child_process";
import OpenAI from "openai";

const { BASE_URL, API_KEY, API, PROMPT } = process.env;
const client = new OpenAI({ baseURL: BASE_URL, apiKey: API_KEY });
const parameters = { type: "object", properties: { command: { type: "string" } }, required: ["command"] };
const run = (args) => execSync(JSON.parse(args).command).toString();

async function chat() {
  const messages = [{ role: "user", content: PROMPT }];
  const tools = [{ type: "function", function: { name: "bash", description: "Runs a command.", parameters } }];
  for (;;) {
    const stream = client.chat.completions.stream({ model: "gpt-5-mini", messages, tools });
    stream.on("content", (piece) => process.stdout.write(piece));
    const { message } = (await stream.finalChatCompletion()).choices[0];
    if (!message.tool_calls?.length) return;
    messages.push(message);
    for (const call of message.tool_calls) {
      messages.push({ role: "tool", tool_call_id: call.id, content: run(call.function.arguments) });
    }
  }
}

async function responses() {
  const input = [{ role: "user", content: PROMPT }];
  const tools = [{ type: "function", name: "bash", description: "Runs a command.", parameters, strict: false }];
  for (;;) {
    const stream = client.responses.stream({ model: "gpt-5.4", input, tools, store: false });
    let said = "";
    stream.on("response.output_text.delta", ({ delta }) => { said += delta; process.stdout.write(delta); });
    const answer = await stream.finalResponse();
    if (answer.output_text !== said) throw new Error(`the final text is not what the deltas said: ${answer.output_text}`);
    const calls = answer.output.filter(({ type }) => type === "function_call");
    if (!calls.length) return;
    input.push(...answer.output.map(({ parsed_arguments, ...item }) => item));
    for (const call of calls) {
      input.push({ type: "function_call_output", call_id: call.call_id, output: run(call.arguments) });
    }
  }
}

await (API === "responses" ? responses() : chat()).catch((error) => {
  console.error(String(error));
  process.exitCode = 1;
});
