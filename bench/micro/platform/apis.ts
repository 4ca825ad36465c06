// What platform.ts times: the same code in an isolate and in Node. Each entry does its work `times` over; what it uses
// is there in both.

export type Timed = (times: number) => void | Promise<void>;

const TEXT = "The quick brown fox jumps over the lazy dog. ".repeat(23);
const UNICODE = "Falsches Üben von Xylophonmusik quält jeden größeren Zwerg; 漢字 🦊. ".repeat(15);
const BYTES = new TextEncoder().encode(UNICODE);
const URL_TEXT = "https://user@api.example.com:8443/v1/items/42?sort=name&page=3&q=caf%C3%A9#top";
const QUERY = "sort=name&page=3&q=caf%C3%A9&tag=a&tag=b";
const JSON_TEXT = JSON.stringify({ id: 7, name: "fox", tags: ["a", "b"], at: { x: 1.5, y: null } });
const NESTED = { id: 7, list: [1, 2, { deep: new Date(0) }], map: new Map([["k", { v: 1 }]]) };
const BASE64 = btoa(TEXT);
const BUFFER = new Uint8Array(1_024);
const FORM = new URLSearchParams({ name: "fox", text: "a b c", more: TEXT }).toString();
const MULTIPART =
  '--formboundary0123456789abcdef\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' +
  '--formboundary0123456789abcdef\r\nContent-Disposition: form-data; name="f"; filename="f.txt"\r\n' +
  `Content-Type: text/plain\r\n\r\n${TEXT}\r\n--formboundary0123456789abcdef--\r\n`;
const PAIRS: [string, string][] = [
  ["content-type", "application/json"],
  ["cache-control", "no-store"],
  ["x-request-id", "0123456789"],
  ["vary", "accept"],
];
const FILLED = new Headers(PAIRS);
const PARAMS = new URLSearchParams(QUERY);
const PATTERN = new URLPattern({ pathname: "/v1/:kind/:id" });
const DECODER = new TextDecoder();
const ENCODER = new TextEncoder();

/** Where results go, so that none is done without. */
let sink: unknown;

function each(run: () => unknown): Timed {
  return (times) => {
    for (let time = 0; time < times; time++) sink = run();
  };
}

function eachAwaited(run: () => Promise<unknown>): Timed {
  return async (times) => {
    for (let time = 0; time < times; time++) sink = await run();
  };
}

/** Sixteen chunks from a source to its reader. */
async function drain(stream: ReadableStream<unknown>): Promise<number> {
  const reader = stream.getReader();
  let count = 0;
  while (!(await reader.read()).done) count++;
  return count;
}

function source(): ReadableStream<Uint8Array> {
  let left = 16;
  return new ReadableStream({
    pull(controller) {
      if (left-- > 0) controller.enqueue(BUFFER);
      else controller.close();
    },
  });
}

function dispatch(): unknown {
  const target = new EventTarget();
  target.addEventListener("tick", (event) => (sink = event.type));
  return target.dispatchEvent(new Event("tick"));
}

function abort(): unknown {
  const controller = new AbortController();
  controller.signal.addEventListener("abort", () => (sink = 1));
  controller.abort();
  return controller.signal.aborted;
}

function post(): Request {
  const headers = { "content-type": "application/json" };
  return new Request("https://example.com/a", { method: "POST", body: JSON_TEXT, headers });
}

function formOf(body: string, type: string): Promise<unknown> {
  return new Response(body, { headers: { "content-type": type } }).formData();
}

export const APIS: Readonly<Record<string, Timed>> = {
  "new Headers, 4 pairs": each(() => new Headers(PAIRS)),
  "headers.get": each(() => FILLED.get("Cache-Control")),
  "headers, walked": each(() => [...FILLED]),
  "new URL": each(() => new URL(URL_TEXT)),
  "new URL, relative": each(() => new URL("../b?c=d", "https://example.com/x/y/z")),
  "url.searchParams.get": each(() => new URL(URL_TEXT).searchParams.get("page")),
  "new URLSearchParams": each(() => new URLSearchParams(QUERY)),
  "params.toString": each(() => PARAMS.toString()),
  "URLPattern, exec": each(() => PATTERN.exec("https://a.example/v1/items/42")),
  "new Request": each(() => new Request("https://example.com/a")),
  "request.json": eachAwaited(() => post().json()),
  "new Response, text": each(() => new Response("hello")),
  "new Response, another's body": each(() => {
    const response = new Response("hello");
    return new Response(response.body, response);
  }),
  "Response.json": each(() => Response.json(NESTED.list)),
  "response.text": eachAwaited(() => new Response(TEXT).text()),
  "response.clone, both read": eachAwaited(async () => {
    const response = new Response(TEXT);
    const twin = response.clone();
    return [await response.text(), await twin.text()];
  }),
  "formData, urlencoded": eachAwaited(() => formOf(FORM, "application/x-www-form-urlencoded")),
  "formData, multipart": eachAwaited(() =>
    formOf(MULTIPART, "multipart/form-data; boundary=formboundary0123456789abcdef"),
  ),
  "new Blob, text": eachAwaited(() => new Blob([TEXT, BUFFER]).text()),
  "encode 1 KB, ASCII": each(() => ENCODER.encode(TEXT)),
  "encode 1 KB, Unicode": each(() => ENCODER.encode(UNICODE)),
  "decode 1 KB, Unicode": each(() => DECODER.decode(BYTES)),
  "atob, 1 KB": each(() => atob(BASE64)),
  "btoa, 1 KB": each(() => btoa(TEXT)),
  structuredClone: each(() => structuredClone(NESTED)),
  "ReadableStream, 16 chunks": eachAwaited(() => drain(source())),
  "TransformStream, 16 chunks": eachAwaited(() =>
    drain(source().pipeThrough(new TransformStream<Uint8Array, Uint8Array>())),
  ),
  "EventTarget, one dispatch": each(dispatch),
  "AbortController, abort": each(abort),
  "AbortSignal.any": each(() => AbortSignal.any([new AbortController().signal])),
  "crypto.randomUUID": each(() => crypto.randomUUID()),
  "crypto.getRandomValues, 1 KB": each(() => crypto.getRandomValues(BUFFER)),
  "performance.now": each(() => performance.now()),
  queueMicrotask: eachAwaited(() => new Promise<void>((resolve) => queueMicrotask(resolve))),
};

export function sunk(): unknown {
  return sink;
}
