// Requests whose handler waits for the end of their body, which comes when the test says so: they are under way for as
// long as it takes, however busy the machine is.

import type { Answer, TestNode } from "../node.ts";
import { until } from "../waiting.ts";

/** A handler for them: `word`, then the body. */
export function holding(word: string): string {
  return `export default {
    async fetch(request) { return new Response(${JSON.stringify(word)} + await request.text()); },
  };`;
}

export interface Held {
  readonly answer: Promise<Answer>;
  /** Sends what is left of the body. */
  readonly release: () => void;
}

/** Resolves when the handlers of all of them run. */
export async function hold(node: TestNode, endpoint: string, count: number): Promise<Held[]> {
  const held = Array.from({ length: count }, (_, at) => begin(node, endpoint, `body ${at}`));
  await until("they are under way", async () => (await inFlight(node, endpoint)) === count);
  return held;
}

function begin(node: TestNode, endpoint: string, text: string): Held {
  let release = (): void => {};
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      // The head leaves with the first of it.
      controller.enqueue(Buffer.from(text));
      release = () => controller.close();
    },
  });
  const init: RequestInit & { duplex: "half" } = { method: "POST", body, duplex: "half" };
  return { answer: node.get(`/${endpoint}`, init), release };
}

async function inFlight(node: TestNode, endpoint: string): Promise<number> {
  const { data } = await node.api("GET", "/api/stats");
  const { workers } = data as {
    workers: { isolates: { endpoint: string; inFlight: number }[] }[];
  };
  return workers
    .flatMap(({ isolates }) => isolates)
    .filter((isolate) => isolate.endpoint === endpoint)
    .reduce((sum, isolate) => sum + isolate.inFlight, 0);
}
