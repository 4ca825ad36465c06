// Requests that do not fit a JSON Schema are refused before anything stands behind them. The door to ajv, with
// control/gateway/policies/validation.ts, which has refused schemas that are none.

import { createRequire } from "node:module";
import type { ErrorObject, ValidateFunction } from "ajv";
import type { ValidationPolicy } from "../../../../sdk/gateway/policies.ts";
import type { Policy } from "../../chain.ts";
import type { Pass } from "../../pass.ts";
import { readWhole, WholeBody } from "../stored/whole-body.ts";

const require: NodeJS.Require = createRequire(import.meta.url);
const STATUS = 422;
/** Enough to mend a request by. */
const FAULTS_MAX = 10;
const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json(?:\s*;|$)/i;
const DECODER: InstanceType<typeof TextDecoder> = new TextDecoder("utf-8", { fatal: true });

interface Fault {
  readonly in: "body" | "query" | "headers";
  /** JSON Pointer. */
  readonly path: string;
  readonly message: string;
}

type Check = (value: unknown) => Fault[];

export function createValidation(policy: ValidationPolicy): Policy {
  const query = compile("query", policy.query, true);
  const headers = compile("headers", policy.headers, true);
  const body = compile("body", policy.body, false);
  const whole = async (pass: Pass, check: Check): Promise<boolean> => {
    const { exchange } = pass.ticket;
    const bytes = await readWhole(exchange, policy.bodyBytesMax);
    if (bytes === null || exchange.state !== "open") return false;
    const faults = bodyFaults(exchange.header("content-type"), bytes, check);
    if (faults.length > 0) return refuse(pass, faults);
    pass.ticket.exchange = new WholeBody(exchange, bytes, () => pass.ticket.fail("BODY_TOO_LARGE"));
    return true;
  };
  return {
    onRequest(pass) {
      const faults: Fault[] = [];
      if (query !== null) faults.push(...query(queryOf(pass.url)));
      if (headers !== null) faults.push(...headers(headersOf(pass.headers)));
      if (faults.length > 0) return refuse(pass, faults);
      if (body === null) return true;
      if (pass.exchange.hasBody) return whole(pass, body);
      // GET has none and needs none.
      if (/^(?:GET|HEAD|DELETE|OPTIONS)$/.test(pass.exchange.method)) return true;
      return refuse(pass, [{ in: "body", path: "", message: "must be JSON" }]);
    },
  };
}

function bodyFaults(type: string | undefined, bytes: Uint8Array, check: Check): Fault[] {
  try {
    if (type !== undefined && JSON_TYPE.test(type)) return check(JSON.parse(DECODER.decode(bytes)));
  } catch {
    // No UTF-8, or no JSON.
  }
  return [{ in: "body", path: "", message: "must be JSON" }];
}

/** What comes as text is taken for what the schema wants, as far as it can be read so. */
function compile(
  part: Fault["in"],
  schema: object | boolean | null,
  isText: boolean,
): Check | null {
  if (schema === null) return null;
  // Here, since it takes a worker without such a policy longer to load than all of its other policies.
  const { Ajv2020 } = require("ajv/dist/2020.js") as typeof import("ajv/dist/2020.js");
  const addFormats = require("ajv-formats") as typeof import("ajv-formats");
  const ajv = new Ajv2020({ strict: false, coerceTypes: isText ? "array" : false });
  addFormats.default(ajv);
  const validate: ValidateFunction = ajv.compile(schema);
  return (value) =>
    validate(value) ? [] : (validate.errors ?? []).map((error) => faultOf(part, error));
}

function faultOf(
  part: Fault["in"],
  { instancePath, message = "does not fit" }: ErrorObject,
): Fault {
  return { in: part, path: instancePath, message };
}

function queryOf(url: string): Record<string, unknown> {
  const question = url.indexOf("?");
  const values: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  if (question < 0) return values;
  for (const [name, value] of new URLSearchParams(url.slice(question + 1))) {
    const before = values[name];
    if (before === undefined) values[name] = value;
    else values[name] = Array.isArray(before) ? [...(before as string[]), value] : [before, value];
  }
  return values;
}

function headersOf(list: string): Record<string, unknown> {
  const values: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  const parts = list.split("\n");
  for (let at = 0; at + 1 < parts.length; at += 2) values[parts[at] ?? ""] ??= parts[at + 1];
  return values;
}

function refuse({ ticket, exchange }: Pass, faults: readonly Fault[]): false {
  ticket.answered("REQUEST_INVALID");
  const body = JSON.stringify({
    type: "urn:islet:problem:request-invalid",
    title: "The request does not fit the route's schema",
    status: STATUS,
    code: "REQUEST_INVALID",
    requestId: exchange.requestId,
    errors: faults.slice(0, FAULTS_MAX),
  });
  ticket.exchange.reply(STATUS, "content-type\napplication/problem+json\n", body);
  return false;
}
