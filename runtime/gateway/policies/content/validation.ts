// Requests that do not fit a JSON Schema, or an OpenAPI document, are refused before anything stands behind them.

import type { ValidationPolicy } from "../../../../sdk/gateway/policies.ts";
import type { Policy, Step } from "../../chain.ts";
import type { Pass } from "../../pass.ts";
import { readWhole, WholeBody } from "../stored/whole-body.ts";
import { createOperations, type Operation } from "./openapi.ts";
import {
  bodyFaults,
  compileCheck,
  headersOf,
  isJson,
  openSchemas,
  queryOf,
  type Check,
  type Fault,
} from "./schema-check.ts";

const STATUS = 422;
/** Enough to mend a request by. */
const FAULTS_MAX = 10;

export function createValidation(policy: ValidationPolicy): Policy {
  const schemas = createSchemaStep(policy);
  const document = createDocumentStep(policy);
  if (document === null) return schemas === null ? {} : { onRequest: schemas };
  if (schemas === null) return { onRequest: document };
  return {
    onRequest: async (pass) => (await document(pass)) && (await schemas(pass)),
  };
}

function createSchemaStep(policy: ValidationPolicy): Step | null {
  const of = (part: "body" | "query" | "headers"): Check | null => {
    const schema = policy[part];
    return schema === null ? null : compileCheck(openSchemas(part !== "body"), part, schema);
  };
  const [query, headers, body] = [of("query"), of("headers"), of("body")];
  if (query === null && headers === null && body === null) return null;
  return (pass) => {
    const faults: Fault[] = [];
    if (query !== null) faults.push(...query(queryOf(pass.url)));
    if (headers !== null) faults.push(...headers(headersOf(pass.headers)));
    if (faults.length > 0) return refuse(pass, faults);
    if (body === null) return true;
    if (pass.exchange.hasBody) return checkWhole(pass, policy.bodyBytesMax, body);
    // GET has none and needs none.
    if (/^(?:GET|HEAD|DELETE|OPTIONS)$/.test(pass.exchange.method)) return true;
    return refuse(pass, [{ in: "body", path: "", message: "must be JSON" }]);
  };
}

function createDocumentStep({ openapi, bodyBytesMax }: ValidationPolicy): Step | null {
  if (openapi === null) return null;
  const find = createOperations(openapi);
  return (pass) => {
    const { method, path } = pass.exchange;
    const found = find(method, path);
    if (found.kind !== "operation") {
      if (openapi.unknown === "pass") return true;
      if (found.kind === "none") pass.ticket.fail("NO_ROUTE");
      else pass.ticket.fail("METHOD_NOT_ALLOWED", undefined, `allow\n${found.allow}\n`);
      return false;
    }
    const faults = found.operation.faults(pass, found.path);
    if (faults.length > 0) return refuse(pass, faults);
    return checkBody(pass, found.operation, bodyBytesMax);
  };
}

function checkBody(
  pass: Pass,
  { config, bodyCheck }: Operation,
  bytesMax: number,
): boolean | Promise<boolean> {
  if (config.body === null) return true;
  const { exchange } = pass.ticket;
  if (!exchange.hasBody) {
    if (!config.body.required) return true;
    return refuse(pass, [{ in: "body", path: "", message: "is required" }]);
  }
  const [type = ""] = (exchange.header("content-type") ?? "").toLowerCase().split(";");
  const check = bodyCheck(type.trim());
  if (check === undefined) {
    const message = `must be ${config.body.content.map(([one]) => one).join(" or ")}`;
    return refuse(pass, [{ in: "headers", path: "/content-type", message }]);
  }
  // Of what is no JSON the type is all that can be checked.
  if (check === null || !isJson(type)) return true;
  return checkWhole(pass, bytesMax, check);
}

async function checkWhole(pass: Pass, bytesMax: number, check: Check): Promise<boolean> {
  const { exchange } = pass.ticket;
  const bytes = await readWhole(exchange, bytesMax);
  if (bytes === null || exchange.state !== "open") return false;
  const faults = bodyFaults(exchange.header("content-type"), bytes, check);
  if (faults.length > 0) return refuse(pass, faults);
  pass.ticket.exchange = new WholeBody(exchange, bytes, () => pass.ticket.fail("BODY_TOO_LARGE"));
  return true;
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
