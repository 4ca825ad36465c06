// node:stream/consumers: all of a stream of either kind, as one value.

import { Buffer } from "node:buffer";
import { wrongType } from "../errors.ts";

type Chunks = AsyncIterable<unknown>;

async function bytesOf(stream: Chunks): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) {
    if (typeof chunk === "string") chunks.push(Buffer.from(chunk));
    else if (chunk instanceof ArrayBuffer) chunks.push(new Uint8Array(chunk));
    else if (ArrayBuffer.isView(chunk)) {
      chunks.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    } else throw wrongType("chunk", "of type string or an instance of ArrayBuffer or view", chunk);
  }
  return Buffer.concat(chunks);
}

export { bytesOf as buffer };

export async function bytes(stream: Chunks): Promise<Uint8Array> {
  return new Uint8Array(await arrayBuffer(stream));
}

export async function arrayBuffer(stream: Chunks): Promise<ArrayBuffer> {
  const { buffer: memory, byteOffset, byteLength } = await bytesOf(stream);
  return memory.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
}

export async function blob(stream: Chunks): Promise<Blob> {
  return new Blob([await arrayBuffer(stream)]);
}

export async function text(stream: Chunks): Promise<string> {
  const decoder = new TextDecoder();
  let all = "";
  for await (const chunk of stream) {
    all +=
      typeof chunk === "string" ? chunk : decoder.decode(chunk as Uint8Array, { stream: true });
  }
  return all + decoder.decode();
}

export async function json(stream: Chunks): Promise<unknown> {
  return JSON.parse(await text(stream)) as unknown;
}
