// Reverse proxies in front of one upstream, each with one process or thread of its own that forwards everything.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { App } from "./apps.ts";
import { untilAnswer } from "./contender.ts";
import type { Server } from "./contender.ts";
import { startNode } from "./islet.ts";
import { freePort, start } from "./processes.ts";

const UPSTREAM = join(import.meta.dirname, "..", "floor", "upstream.ts");
const FASTIFY = join(import.meta.dirname, "..", "peers", "servers", "fastify-proxy.mjs");

/** The answer names its length by its path. */
export const PROXIED: App = {
  name: "proxied",
  entry: "",
  route: "",
  call: { path: "/1024", body: null },
  counterOf(text, { path }) {
    const counter = /^(\d+) x*$/.exec(text)?.[1];
    if (counter === undefined || text.length !== Number(path.slice(1))) {
      throw new Error(`wrong answer: ${text.slice(0, 200)}`);
    }
    return Number(counter);
  },
};

interface Place {
  readonly folder: string;
  readonly port: number;
  /** Of what stands behind. */
  readonly upstream: number;
}

export interface ProxyContender {
  readonly name: string;
  start(upstream: number): Promise<Server>;
}

async function started(name: string, port: number, command: readonly string[]): Promise<Server> {
  const startedAt = performance.now();
  const process = start(command);
  const readyMs = await untilAnswer(process, { port, call: PROXIED.call, startedAt });
  return { name, pid: process.pid, port, readyMs, stop: () => process.stop() };
}

/** Not of this package: what the system has (Debian: nginx-light, haproxy). */
function programContender(
  name: string,
  folder: string,
  command: (place: Place) => readonly string[],
): ProxyContender {
  return {
    name,
    async start(upstream) {
      const port = await freePort();
      return await started(name, port, command({ folder, port, upstream }));
    },
  };
}

function nginx({ folder, port, upstream }: Place): readonly string[] {
  const file = join(folder, "nginx.conf");
  writeFileSync(
    file,
    `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log stderr error;
events { worker_connections 1024; }
http {
  access_log ${folder}/nginx-access.log combined buffer=64k flush=1s;
  client_body_temp_path ${folder}/nginx-body; proxy_temp_path ${folder}/nginx-proxy;
  fastcgi_temp_path ${folder}/nginx-f; uwsgi_temp_path ${folder}/nginx-u; scgi_temp_path ${folder}/nginx-s;
  upstream behind { server 127.0.0.1:${upstream}; keepalive 64; }
  server {
    listen 127.0.0.1:${port}; keepalive_requests 1000000000;
    location / {
      proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
}
`,
  );
  return ["nginx", "-c", file, "-p", folder];
}

function haproxy({ folder, port, upstream }: Place): readonly string[] {
  const file = join(folder, "haproxy.cfg");
  writeFileSync(
    file,
    `global
  nbthread 1
  maxconn 1024
defaults
  mode http
  option forwardfor
  http-reuse always
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:${port}
  default_backend behind
backend behind
  server one 127.0.0.1:${upstream}
`,
  );
  return ["haproxy", "-f", file];
}

function islet(folder: string): ProxyContender {
  const name = "islet";
  return {
    name,
    async start(upstream) {
      const file = join(folder, "edge.yaml");
      writeFileSync(
        file,
        `upstreams: { behind: { servers: ["http://127.0.0.1:${upstream}"] } }
routes: [{ name: all, match: { path: "/*" }, target: { upstream: behind } }]
`,
      );
      const data = join(folder, "proxying");
      const node = await startNode({ data, flags: ["--config", file] });
      return { ...node, name, stop: () => node.stop() };
    },
  };
}

export function proxyContenders(folder: string): readonly ProxyContender[] {
  return [
    islet(folder),
    programContender("nginx", folder, nginx),
    programContender("haproxy", folder, haproxy),
    programContender("fastify", folder, ({ port, upstream }) => [
      process.execPath,
      FASTIFY,
      `${port}`,
      `${upstream}`,
    ]),
  ];
}

/** As if it were a contender: what no proxy in between would reach. */
export async function startUpstream(): Promise<Server> {
  const port = await freePort();
  return await started("no proxy", port, [process.execPath, UPSTREAM, `${port}`]);
}
