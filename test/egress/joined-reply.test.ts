import { expect, test } from "vitest";
import { JoinedReply } from "../../runtime/isolate/egress/joined-reply.ts";
import { createDispatcher } from "../../runtime/isolate/egress/undici.ts";
import { startRawPeer } from "./peer.ts";

interface Heard {
  readonly pieces: string[];
  readonly end: "end" | "error";
}

/** What whoever asks is told of a reply in these chunks. */
async function heardOf(chunks: readonly string[], last: string): Promise<Heard> {
  const frames = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`);
  const peer = await startRawPeer((socket) => {
    socket.once("data", () => {
      socket.end(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${frames.join("")}${last}`);
    });
  });
  const dispatcher = createDispatcher({ denied: () => false });
  const pieces: string[] = [];
  const { promise, resolve } = Promise.withResolvers<Heard>();
  const handler = new JoinedReply({
    onRequestStart: () => {},
    onResponseData: (_controller, chunk) => void pieces.push(chunk.toString()),
    onResponseEnd: () => resolve({ pieces, end: "end" }),
    onResponseError: () => resolve({ pieces, end: "error" }),
  });
  dispatcher.dispatch({ origin: peer.url, path: "/", method: "GET" }, handler);
  const heard = await promise;
  await dispatcher.close();
  return heard;
}

const CRUMBS = Array.from({ length: 20_000 }, (_, at) => String(at % 10));

test.each([
  ["the end", "0\r\n\r\n", "end"],
  ["a failure", "", "error"],
])("tiny chunks come as few pieces, all of them, before %s", async (_what, last, end) => {
  const heard = await heardOf(CRUMBS, last);
  expect(heard.end).toBe(end);
  expect(heard.pieces.join("")).toBe(CRUMBS.join(""));
  expect(heard.pieces.length).toBeLessThan(200);
});

test("small and large ones stay in their order", async () => {
  const chunks = ["a", "b", "c".repeat(1_024), "d", "e".repeat(1_023), "f"];
  const { pieces } = await heardOf(chunks, "0\r\n\r\n");
  expect(pieces.join("")).toBe(chunks.join(""));
  expect(pieces).toContain("c".repeat(1_024));
});
