// The admin API on a real socket over a test node, and a client that speaks its envelope.

import { request as httpRequest } from "node:http";
import { EdgeError } from "../../sdk/errors.ts";
import { createAdminApi } from "../../admin-api/app.ts";
import type { AdminDeps } from "../../admin-api/deps.ts";
import { EMPTY_GATEWAY } from "../../sdk/gateway/config.ts";
import { listenAdmin } from "../../admin-api/listen.ts";
import { openTestNode, type TestNode } from "../control/node.ts";

export const TOKEN = "test-token";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: {
    readonly ok?: boolean;
    readonly success?: boolean;
    // Whatever the call answers with: tests match it.
    readonly data?: unknown;
    readonly error?: string | null;
    readonly error_detail?: { readonly code: string; readonly detail: unknown };
    readonly request_id?: string;
  };
}

export interface TestAdmin extends AsyncDisposable {
  readonly node: TestNode;
  readonly url: string;
  readonly port: number;
  readonly reported: readonly unknown[];
  ready: number;
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>;
}

/** Of a node without a configuration file. */
export const NO_GATEWAY: AdminDeps["gateway"] = {
  config: () => EMPTY_GATEWAY,
  servers: {
    list: () => [],
    put: () => Promise.reject(new EdgeError("UPSTREAM_NOT_FOUND")),
    change: () => Promise.reject(new EdgeError("UPSTREAM_NOT_FOUND")),
    remove: () => Promise.reject(new EdgeError("UPSTREAM_NOT_FOUND")),
  },
  purge: () => Promise.resolve(),
  trace: () => ({ outcome: "none", owner: null, params: {}, allow: [], candidates: [] }),
};

export const NO_CRONS: AdminDeps["crons"] = {
  list: () => [],
  run: () => Promise.reject(new EdgeError("ENDPOINT_NOT_FOUND")),
};

export async function openTestAdmin(): Promise<TestAdmin> {
  const node = await openTestNode();
  const reported: unknown[] = [];
  const { control, services, secrets, bindings, registry, blobs, fleet, clock } = node;
  const app = createAdminApi({
    control,
    services,
    secrets,
    bindings,
    crons: NO_CRONS,
    registry,
    blobs,
    fleet,
    gateway: NO_GATEWAY,
    clock,
    callService: async () => {
      throw new EdgeError("SHUTTING_DOWN");
    },
    token: TOKEN,
    version: "1.2.3",
    workersReady: () => admin.ready,
    gatewayUrl: () => "http://127.0.0.1:9080",
    host: "127.0.0.1",
    report: (error) => reported.push(error),
  });
  const server = await listenAdmin({ host: "127.0.0.1", port: 0, app });
  const url = `http://127.0.0.1:${server.port}`;
  const admin: TestAdmin = {
    node,
    url,
    port: server.port,
    reported,
    ready: 2,
    call: async (method, path, body, headers = { authorization: `Bearer ${TOKEN}` }) => {
      const init = body === undefined ? {} : { body: textOf(body) };
      const response = await fetch(`${url}${path}`, { method, headers, ...init });
      const text = await response.text();
      const isJson = response.headers.get("content-type") === "application/json";
      const parsed = isJson ? (JSON.parse(text) as Answer["body"]) : {};
      return { status: response.status, headers: response.headers, text, body: parsed };
    },
    [Symbol.asyncDispose]: async () => {
      await server.close(0);
      await node[Symbol.asyncDispose]();
    },
  };
  return admin;
}

function textOf(body: unknown): string {
  return typeof body === "string" ? body : JSON.stringify(body);
}

/** fetch does not let anybody choose Host. */
export async function statusUnderHost(port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = httpRequest(
      { host: "127.0.0.1", port, path: "/api/health", headers: { host } },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      },
    );
    call.once("error", reject);
    call.end();
  });
}
