// Whose request it is: the connection's peer, or who a trusted proxy says it is. The list of X-Forwarded-For is read
// from the right, where the nearest proxy has written; the first address that is no trusted proxy is the client. What
// stands further left was written by the client, and anybody can write anything.

import type { Exchange, HeaderList } from "../../sdk/exchange.ts";
import { addressBits, type NetworkTest } from "../../sdk/gateway/cidr.ts";
import { headerOf } from "../../sdk/gateway/header-list.ts";
import { CLIENT_ADDRESS_HEADER } from "../../sdk/records.ts";

/** As many proxies as anybody has in a row; the rest of a longer list is not looked at. */
const HOPS_MAX = 32;

export function clientAddress(exchange: Exchange, trusted: NetworkTest): string {
  let address = exchange.remoteAddress();
  if (!trusted(address)) return address;
  const hops = forwardedFor(exchange.headers);
  for (let hop = hops.length - 1; hop >= 0; hop--) {
    const text = bare(hops[hop] ?? "");
    // Whatever it is, it was not written by a proxy of ours.
    if (addressBits(text) === null) return address;
    address = text;
    if (!trusted(address)) return address;
  }
  return address;
}

/** The request's headers with the client's address among them, whatever the client wrote there. */
export function addressedHeaders(exchange: Exchange, trusted: NetworkTest): HeaderList {
  const list = exchange.headers;
  const own = headerOf(list, CLIENT_ADDRESS_HEADER) === undefined ? list : withoutAddress(list);
  const address = clientAddress(exchange, trusted);
  return address === "" ? own : `${CLIENT_ADDRESS_HEADER}\n${address}\n${own}`;
}

function withoutAddress(list: HeaderList): HeaderList {
  let kept = "";
  for (let at = 0; at < list.length;) {
    const end = list.indexOf("\n", list.indexOf("\n", at) + 1) + 1;
    if (!list.startsWith(`${CLIENT_ADDRESS_HEADER}\n`, at)) kept += list.slice(at, end);
    at = end;
  }
  return kept;
}

function forwardedFor(list: string): string[] {
  let all = "";
  for (let at = 0; at < list.length;) {
    const nameEnd = list.indexOf("\n", at);
    const valueEnd = list.indexOf("\n", nameEnd + 1);
    if (list.startsWith("x-forwarded-for\n", at)) {
      all += `${all === "" ? "" : ","}${list.slice(nameEnd + 1, valueEnd)}`;
    }
    at = valueEnd + 1;
  }
  return all === "" ? [] : all.split(",").slice(-HOPS_MAX);
}

/** Some proxies write ports and brackets. */
function bare(text: string): string {
  const trimmed = text.trim();
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(trimmed);
  if (bracketed !== null) return bracketed[1] ?? "";
  return /^\d+\.\d+\.\d+\.\d+:\d+$/.test(trimmed)
    ? trimmed.slice(0, trimmed.indexOf(":"))
    : trimmed;
}
