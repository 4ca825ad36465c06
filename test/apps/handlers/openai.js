// The SDK against a server of the test's: an answer, a stream passed on as it comes, an upload, a refusal, retries.
import OpenAI, { toFile } from "openai";

export default {
  async fetch(request, { OPENAI_URL }) {
    const openai = new OpenAI({ apiKey: "sk-of-a-test", baseURL: OPENAI_URL, maxRetries: 1 });
    const messages = [{ role: "user", content: "Say hello" }];
    switch (request.url.split("/").pop()) {
      case "chat": {
        const answer = await openai.chat.completions.create({ model: "m", messages });
        return Response.json(answer.choices[0].message.content);
      }
      case "stream": {
        const chunks = await openai.chat.completions.create({ model: "m", messages, stream: true });
        const parts = [];
        for await (const { choices } of chunks) parts.push(choices[0].delta.content);
        return Response.json(parts);
      }
      case "relay": {
        const chunks = await openai.chat.completions.create({
          model: "held",
          messages,
          stream: true,
        });
        return new Response(chunks.toReadableStream());
      }
      case "upload": {
        const file = await toFile(new TextEncoder().encode("line\n"), "lines.jsonl");
        return Response.json(await openai.files.create({ file, purpose: "batch" }));
      }
      case "flaky":
        return Response.json((await openai.models.retrieve("flaky")).id);
      default: {
        const error = await openai.models.retrieve("none").catch((thrown) => thrown);
        return Response.json([error instanceof OpenAI.NotFoundError, error.status, error.message]);
      }
    }
  },
};
