// The methods that Request and Response share, over a Body. Each class keeps its own thin methods, so that a
// foreign `this` is refused by the private field they read.

import { type Body, takeBytes, takeText } from "./body.ts";
import { type Blob, createBlob } from "./blob.ts";
import type { FormData } from "./form-data.ts";
import { decodeForm } from "./multipart.ts";

const parseJson = JSON.parse;

export async function jsonOf(body: Body | null): Promise<unknown> {
  const text = takeText(body);
  return parseJson(typeof text === "string" ? text : await text);
}

export async function blobOf(body: Body | null, type: string | null): Promise<Blob> {
  return createBlob(await takeBytes(body), type ?? "");
}

export async function formOf(body: Body | null, type: string | null): Promise<FormData> {
  return decodeForm(await takeBytes(body), type);
}
