// One question to the Anthropic SDK for JavaScript, with tools. The answer goes to stdout, an error to stderr.
import { execSync } from "node:child_process";
import Anthropic from "@anthropic-ai/sdk";

const { BASE_URL, API_KEY, PROMPT } = process.env;
const client = new Anthropic({ baseURL: BASE_URL, apiKey: API_KEY });
const input_schema = { type: "object", properties: { command: { type: "string" } }, required: ["command"] };
const tools = [{ name: "bash", description: "Runs a command.", input_schema }];

async function ask() {
  const messages = [{ role: "user", content: PROMPT }];
  for (;;) {
    const stream = client.messages.stream({ model: "claude-sonnet-4.5", max_tokens: 1000, messages, tools });
    stream.on("text", (piece) => process.stdout.write(piece));
    const { content } = await stream.finalMessage();
    const calls = content.filter(({ type }) => type === "tool_use");
    if (!calls.length) return;
    const results = calls.map(({ id, input }) => ({ type: "tool_result", tool_use_id: id, content: execSync(input.command).toString() }));
    messages.push({ role: "assistant", content }, { role: "user", content: results });
  }
}

await ask().catch((error) => {
  console.error(String(error));
  process.exitCode = 1;
});
