// Configurations of rust-gateway: { port, auth: { jwt_secret }, routes: [{ path, service }] }. Its services register
// themselves, every route is protected, and one limit holds for everybody together.

import { z } from "zod";
import { count, list, nameField } from "../fields.ts";
import { flow, nameOf, Raw, type Draft, type DraftRoute, type Notes } from "./draft.ts";
import { jwtPolicy, PORT_MAX, prefixField, secretField, type Source } from "./source.ts";

export interface RustGateway {
  readonly port?: number | undefined;
  readonly auth?: { readonly jwt_secret?: string | undefined } | undefined;
  readonly routes: readonly { readonly path: string; readonly service: string }[];
}

export const rustGatewaySchema: z.ZodType<RustGateway, unknown> = z.object({
  port: count(0, PORT_MAX).optional(),
  auth: z.object({ jwt_secret: secretField.optional() }).optional(),
  routes: list(z.object({ path: prefixField, service: nameField }), "routes", 10_000).default([]),
});

/** What is in its code, not in its file. */
const LIMIT = flow({
  algorithm: new Raw("fixed-window"),
  capacity: 100,
  window: new Raw("60s"),
  key: new Raw("ip"),
});
const BREAKER = flow({ failures: 3, openFor: new Raw("30s") });
const RETRY = flow({ attempts: 3 });

export function importRustGateway(fields: RustGateway, source: Source, notes: Notes): Draft {
  const { port = 3_000, auth, routes } = fields;
  notes.add(`where it listens is not in this file: edge serve --port ${port}`);
  const services = [...new Set(routes.map(({ service }) => service))];
  const made: DraftRoute[] = [];
  const names = new Set<string>();
  const taken = new Set<string>();
  for (const [index, { path, service }] of routes.entries()) {
    if (taken.has(path)) {
      const place = source.place(["routes", index, "path"]);
      notes.add(`a second route for ${path} is left out: one of the two answered`, place);
      continue;
    }
    taken.add(path);
    const name = nameOf(path, names);
    names.add(name);
    made.push({ name, path, upstream: service, policies: [] });
  }
  if (routes.length > 0) noteSemantics(notes);
  return {
    upstreams: services.map((name) => [
      name,
      ["servers: []", "balance: round-robin", `breaker: ${BREAKER}`, `retry: ${RETRY}`],
    ]),
    policies: [`rateLimit: ${LIMIT}`, jwtPolicy(auth?.jwt_secret, notes)],
    routes: made,
  };
}

function noteSemantics(notes: Notes): void {
  notes.add(
    "servers register by PUT /api/upstreams/NAME/targets on the admin port, with its token: " +
      "there is no open POST /register, and the same server twice is one",
  );
  notes.add(
    "the limit of 100 in 60s is each client's and each route's: one client no longer uses up " +
      "everybody's (key: route counts all clients of a route together)",
  );
  notes.add(
    "POST and PATCH are tried again only with an Idempotency-Key, or where nothing was sent",
  );
  notes.add("502, 503 and 504 count as failures too, and an open breaker lets one request try");
  notes.add("paths are compared whole, as before: /users/* beside /users takes what is below");
  notes.add("a request that all attempts fail for is answered by 502 or 504, never by 500");
}
