// The admin API over HTTP. Errors come back as the EdgeError that the node answered with, so that a command
// fails the same way whether the fault was found here or there.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { EdgeError, isCode } from "../sdk/errors.ts";
import type { Json, JsonObject } from "../sdk/errors.ts";
import { field, isObject } from "./json.ts";

export interface Client {
  readonly url: string;
  get(path: string): Promise<Json>;
  send(method: "POST" | "PUT" | "DELETE", path: string, body?: JsonObject): Promise<Json>;
  /** A call that reports its stages: lines of JSON, the envelope last. */
  follow(path: string, body: JsonObject, onStage: (stage: string) => void): Promise<Json>;
}

export interface ClientOptions {
  readonly url: string;
  readonly token: string | null;
}

export const ADMIN_URL_DEFAULT = "http://127.0.0.1:9081";
/** Answers that only read or flip a pointer; a node that needs longer is stuck. */
const CALL_TIMEOUT_MS = 60_000;
/** Publishing waits for a compile, a snapshot and every worker. */
const FOLLOW_TIMEOUT_MS = 300_000;
/** What a header takes as it is. */
const HEADER_TEXT = /^[\x20-\x7e\x80-\xff]*$/;
/** An answer of the admin API: lists and metadata, never code. */
const ANSWER_CHARS_MAX = 64 * 1024 * 1024;

/** --admin and --token, else the environment, else the node of this folder. */
export function resolveNode(
  given: { admin?: string | undefined; token?: string | undefined; data: string },
  env: Readonly<Record<string, string | undefined>>,
): ClientOptions {
  const url = parseAdminUrl(given.admin ?? (env["EDGE_ADMIN_URL"] || defaultUrl(env)));
  const token = (given.token ?? env["EDGE_ADMIN_TOKEN"])?.trim() || null;
  if (token !== null && !HEADER_TEXT.test(token)) {
    throw new EdgeError("USAGE", "--token has characters that no admin token has");
  }
  return { url: url.href.replace(/\/$/, ""), token: token ?? localToken(url, given.data) };
}

export function createClient({ url, token }: ClientOptions): Client {
  const request = async (method: string, path: string, options: CallOptions): Promise<Response> => {
    const headers: Record<string, string> = { accept: options.accept };
    if (token !== null) headers["authorization"] = `Bearer ${token}`;
    if (options.body !== undefined) headers["content-type"] = "application/json";
    const signal = AbortSignal.timeout(options.timeoutMs);
    const body = options.body === undefined ? null : JSON.stringify(options.body);
    try {
      return await fetch(`${url}${path}`, { method, headers, body, signal, redirect: "error" });
    } catch (error) {
      throw unreachable(url, error);
    }
  };
  const call = async (method: string, path: string, body?: JsonObject): Promise<Json> => {
    const accept = "application/json";
    const response = await request(method, path, { accept, body, timeoutMs: CALL_TIMEOUT_MS });
    return dataOf(url, parseJson(url, await textOf(url, response)));
  };
  return {
    url,
    get: (path) => call("GET", path),
    send: call,
    follow: async (path, body, onStage) => {
      const accept = "application/x-ndjson";
      const options = { accept, body, timeoutMs: FOLLOW_TIMEOUT_MS };
      const response = await request("POST", path, options);
      return lastLine(url, response, onStage);
    },
  };
}

interface CallOptions {
  readonly accept: string;
  readonly body: JsonObject | undefined;
  readonly timeoutMs: number;
}

async function lastLine(
  url: string,
  response: Response,
  onStage: (stage: string) => void,
): Promise<Json> {
  let rest = "";
  let last: Json = null;
  const take = (line: string): void => {
    if (line.trim() === "") return;
    last = parseJson(url, line);
    const stage = field(last, "stage");
    if (typeof stage === "string") onStage(stage);
  };
  try {
    const decoder = new TextDecoder();
    const body: AsyncIterable<Uint8Array> | null = response.body;
    for await (const chunk of body ?? []) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > ANSWER_CHARS_MAX) throw foreign(url);
      for (const line of lines) take(line);
    }
  } catch (error) {
    throw error instanceof EdgeError ? error : unreachable(url, error);
  }
  take(rest);
  return dataOf(url, last);
}

async function textOf(url: string, response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    const body: AsyncIterable<Uint8Array> | null = response.body;
    for await (const chunk of body ?? []) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > ANSWER_CHARS_MAX) throw foreign(url);
    }
  } catch (error) {
    throw error instanceof EdgeError ? error : unreachable(url, error);
  }
  return text + decoder.decode();
}

/** `data` of an envelope, or its error thrown. */
function dataOf(url: string, envelope: Json): Json {
  const ok = field(envelope, "ok") ?? field(envelope, "success");
  if (ok === true) return field(envelope, "data") ?? null;
  const detail = field(envelope, "error_detail");
  const code = field(detail, "code");
  if (!isCode(code)) throw foreign(url);
  const message = field(detail, "message") ?? field(envelope, "error");
  const more = field(detail, "detail");
  const text = typeof message === "string" ? message : undefined;
  throw new EdgeError(code, text, isObject(more) ? { detail: more } : {});
}

function parseJson(url: string, text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw foreign(url, error);
  }
}

function parseAdminUrl(text: string): URL {
  const url = URL.parse(text);
  const isPlain = url?.username === "" && url.password === "" && !/[?#]/.test(text);
  if (isPlain && ["http:", "https:"].includes(url.protocol)) return url;
  throw new EdgeError("USAGE", `--admin is an address such as ${ADMIN_URL_DEFAULT}, not "${text}"`);
}

function defaultUrl(env: Readonly<Record<string, string | undefined>>): string {
  const port = env["EDGE_ADMIN_PORT"];
  return port === undefined || port === "" ? ADMIN_URL_DEFAULT : `http://127.0.0.1:${port}`;
}

/** The token is never sent anywhere but to this machine unless it was given. */
function localToken(url: URL, data: string): string | null {
  if (!["127.0.0.1", "localhost", "[::1]"].includes(url.hostname)) return null;
  try {
    return readFileSync(join(data, "admin-token"), "utf8").trim();
  } catch {
    // No node has run here, or it is another user's: the node will ask for the token and name the ways.
    return null;
  }
}

function unreachable(url: string, error: unknown): EdgeError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const reason = cause instanceof Error ? `: ${cause.message || cause.name}` : "";
  return new EdgeError("NODE_UNREACHABLE", `${url} does not answer${reason}`, { cause: error });
}

function foreign(url: string, cause?: unknown): EdgeError {
  const message = `What answers at ${url} is not the admin API of a node`;
  return new EdgeError("NODE_UNREACHABLE", message, { cause });
}
