// From an exchange to whoever answers it: finds the route, checks that the endpoint can answer, and hands the
// request to its generation.

import type { ExchangeHandler, HeaderList } from "../../sdk/exchange.ts";
import type { Gateway } from "../gateway/gateway.ts";
import { problem } from "../http/problem.ts";
import type { Endpoints, Slot } from "./endpoints.ts";
import type { CordonHandler } from "./cordon/cordon-listener.ts";
import { RequestTicket, type Observers } from "./request-ticket.ts";
import type { OwnHosts } from "../isolate/egress/own-hosts.ts";
import { createInnerFetch, type InnerDispatch } from "./services/inner-fetch.ts";
import type { SignedObjects } from "./services/signed-objects.ts";
import { ADDRESS_PATH } from "../../services/storage/disk/address.ts";

const HEALTH_PATH = "/health";
const TEXT: HeaderList = "content-type\ntext/plain;charset=UTF-8\n";

/** Beside the endpoints: what a worker answers with. */
interface Targets {
  readonly gateway: Gateway;
  readonly signedObjects: SignedObjects;
}

export function createDispatcher(
  endpoints: Endpoints,
  observers: Observers,
  { gateway, signedObjects }: Targets,
): ExchangeHandler {
  return (exchange) => {
    const ticket = new RequestTicket(exchange, observers);
    if (exchange.path === ADDRESS_PATH) {
      signedObjects.serve(ticket);
      return;
    }
    const result = endpoints.table.match(exchange.method, exchange.host, exchange.path);
    if (result.kind === "none") {
      if (exchange.path === HEALTH_PATH) exchange.reply(200, TEXT, "OK");
      else ticket.fail("NO_ROUTE");
      return;
    }
    if (result.kind === "method") {
      const { requestId } = exchange;
      const { status, headers, body } = problem("METHOD_NOT_ALLOWED", { requestId });
      ticket.answered("METHOD_NOT_ALLOWED");
      exchange.reply(status, `${headers}allow\n${result.allow.join(", ")}\n`, body);
      return;
    }
    const { endpoint, params } = result.match;
    const slot = endpoints.slot(endpoint);
    if (slot !== undefined) handOver(slot, ticket);
    else {
      ticket.route = endpoint;
      const enter = (name: string): void => handOver(endpoints.slot(name), ticket);
      if (!gateway.accept(endpoint, params, { ticket, enter })) ticket.fail("NO_ROUTE");
    }
  };
}

/** Between endpoints: the caller's binding names the callee, and no route is asked. */
export function createInnerDispatch(endpoints: Endpoints, observers: Observers): InnerDispatch {
  return (endpoint, exchange) =>
    handOver(endpoints.slot(endpoint), new RequestTicket(exchange, observers));
}

/**
 * Addresses that an endpoint of this node answers under a host of its own. Not those of the gateway's file: there
 * policies ask for the client's address and its connection, which a handler has not.
 */
export function createOwnHosts(endpoints: Endpoints, observers: Observers): OwnHosts {
  const dispatch = createInnerDispatch(endpoints, observers);
  return (method, { hostname, pathname, port }) => {
    const host = hostname.endsWith(".") ? hostname.slice(0, -1) : hostname;
    if (port !== "" || pathname === ADDRESS_PATH || !endpoints.table.names(host)) return null;
    const result = endpoints.table.match(method, host, pathname);
    if (result.kind !== "match") return null;
    const { endpoint, route } = result.match;
    if (route.host === "*" || endpoints.slot(endpoint) === undefined) return null;
    return createInnerFetch({ endpoint, entrypoint: "" }, dispatch);
  };
}

function handOver(slot: Slot | undefined, ticket: RequestTicket): void {
  ticket.slot = slot ?? null;
  if (slot === undefined) ticket.fail("NOT_DEPLOYED");
  else if (slot.deployed.endpoint.stopped) ticket.fail("STOPPED");
  else if (slot.generation === null) ticket.fail("NOT_DEPLOYED");
  else slot.generation.accept(ticket);
}

/** In a cordon: the worker that has the client has found the endpoint. */
export function createCordonDispatcher(endpoints: Endpoints, observers: Observers): CordonHandler {
  return (exchange, head) => {
    const ticket = new RequestTicket(exchange, observers);
    exchange.verdict = ticket;
    // Whoever routed by more than is known here has read it in the registry, and so can this worker.
    if (head.revision > endpoints.revision) endpoints.refresh();
    const slot = endpoints.slot(head.endpoint);
    ticket.slot = slot ?? null;
    if (slot === undefined || slot.generation === null) ticket.fail("NOT_DEPLOYED");
    else slot.generation.accept(ticket);
  };
}
