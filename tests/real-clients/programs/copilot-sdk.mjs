// One question to the Copilot SDK, which brings its own runtime. The answer goes to stdout, an error to stderr.
import { CopilotClient, approveAll } from "@github/copilot-sdk";

const { BASE_URL, API_KEY, PROMPT, WORK } = process.env;
const client = new CopilotClient({ useLoggedInUser: false, cwd: WORK, logLevel: "error" });
try {
  const session = await client.createSession({
    model: "gpt-5-mini",
    provider: { type: "openai", wireApi: "completions", baseUrl: BASE_URL, apiKey: API_KEY },
    streaming: true,
    onPermissionRequest: approveAll,
    workingDirectory: WORK,
  });
  session.on("assistant.message", ({ data }) => process.stdout.write(data.content));
  session.on("session.error", ({ data }) => console.error(data.message));
  await session.sendAndWait({ prompt: PROMPT }, 300_000);
} catch (error) {
  console.error(String(error));
  process.exitCode = 1;
} finally {
  await client.stop();
}
