// What the example minio-storage does, on whatever its bucket is kept in.

import { expect } from "vitest";
import type { TestNode } from "../node.ts";

const PART_BYTES = 5 * 1_024 ** 2;

export async function checkStorageExample(node: Pick<TestNode, "url">): Promise<void> {
  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`${node.url}${path}`, init);
  const json = async (path: string, init: RequestInit = {}): Promise<unknown> =>
    (await ask(path, init)).json();

  const headers = { "content-type": "text/css" };
  const put = { method: "PUT", body: "0123456789", headers };
  expect(await json("/objects/a/b%20ü.css", put)).toMatchObject({ key: "a/b ü.css", size: 10 });
  const whole = await ask("/objects/a/b%20ü.css");
  expect(whole.headers.get("content-type")).toBe("text/css");
  expect(await whole.text()).toBe("0123456789");
  const range = await ask("/objects/a/b%20ü.css", { headers: { range: "bytes=2-4" } });
  expect([range.status, range.headers.get("content-range")]).toEqual([206, "bytes 2-4/10"]);
  expect(await range.text()).toBe("234");
  const etag = whole.headers.get("etag") ?? "";
  const fresh = await ask("/objects/a/b%20ü.css", { headers: { "if-none-match": etag } });
  expect(fresh.status).toBe(304);
  expect((await ask("/objects/nothing")).status).toBe(404);

  const { address: signed } = (await json("/addresses/a/b%20ü.css")) as { address: string };
  const direct = await fetch(signed);
  expect([direct.status, await direct.text()]).toEqual([200, "0123456789"]);
  const forged = await fetch(signed.replace(/b(?:\+|%20)/, "c"));
  expect(forged.status).toBe(403);

  const form = new FormData();
  form.set("file", new File([new Uint8Array([0, 255, 10])], "c.bin", { type: "image/x-test" }));
  const upload = { method: "POST", body: form };
  expect(await json("/objects", upload)).toMatchObject({ key: "c.bin", size: 3 });
  const bytes = await ask("/objects/c.bin");
  expect(bytes.headers.get("content-type")).toBe("image/x-test");
  expect([...new Uint8Array(await bytes.arrayBuffer())]).toEqual([0, 255, 10]);
  const list = { objects: [{ key: "a/b ü.css", size: 10 }] };
  expect(await json("/objects?prefix=a/")).toMatchObject(list);

  const { uploadId } = (await json("/uploads/film", { method: "POST" })) as { uploadId: string };
  const address = `/uploads/film?uploadId=${encodeURIComponent(uploadId)}`;
  const send = (part: number, body: Uint8Array<ArrayBuffer>): Promise<unknown> =>
    json(`${address}&part=${part}`, { method: "PUT", body });
  const parts = [
    await send(1, new Uint8Array(PART_BYTES).fill(1)),
    await send(2, new Uint8Array(3).fill(2)),
  ];
  const complete = { method: "POST", body: JSON.stringify(parts) };
  expect(await json(address, complete)).toMatchObject({ key: "film", size: PART_BYTES + 3 });
  const film = new Uint8Array(await (await ask("/objects/film")).arrayBuffer());
  expect([film.byteLength, film[0], film.at(-1)]).toEqual([PART_BYTES + 3, 1, 2]);

  for (const key of ["a/b%20ü.css", "c.bin", "film"]) {
    expect(await json(`/objects/${key}`, { method: "DELETE" })).toMatchObject({ deleted: true });
  }
  expect(await json("/objects")).toMatchObject({ objects: [] });
}
