// Sets, adds and removes headers of requests and of replies. In that order for one name: removed, set, added. Texts
// may hold {request.id}, {request.ip}, {request.host}, {request.path}, {request.method}, {jwt.CLAIM} and {param.NAME};
// what is not there is nothing.

import type { HeaderList } from "../../../../sdk/exchange.ts";
import type { HeaderChange } from "../../../../sdk/gateway/policies.ts";
import { withoutHeaders } from "../../../../sdk/gateway/header-list.ts";
import type { Policy } from "../../chain.ts";
import type { Pass } from "../../pass.ts";

type Text = (pass: Pass) => string;

const TEMPLATE = /\{(request\.(?:id|ip|host|path|method)|(?:jwt|param)\.[\w-]+)\}/;
/** What a header's value may hold; the rest of what a template is filled with is left out. */
const NOT_A_VALUE = /[^\t -~]/g;

export function createHeaders({
  request,
  response,
}: {
  readonly request: HeaderChange;
  readonly response: HeaderChange;
}): Policy {
  const onRequest = compileChange(request);
  const onReply = compileChange(response);
  return {
    ...(onRequest !== null && {
      onRequest: (pass: Pass) => {
        pass.headers = onRequest(pass, pass.headers);
        return true;
      },
    }),
    ...(onReply !== null && {
      onReply: (pass, head) => {
        head.headers = onReply(pass, head.headers);
      },
    }),
  };
}

function compileChange({
  set,
  add,
  remove,
}: HeaderChange): ((pass: Pass, list: HeaderList) => HeaderList) | null {
  const gone = new Set([...remove, ...set.map(([name]) => name)]);
  const added = [...set, ...add].map(([name, text]) => [name, compileText(text)] as const);
  if (gone.size === 0 && added.length === 0) return null;
  return (pass, list) => {
    let changed = withoutHeaders(list, gone);
    for (const [name, text] of added) changed += `${name}\n${text(pass)}\n`;
    return changed;
  };
}

function compileText(text: string): Text {
  // Texts and names in turns.
  const parts = text.split(TEMPLATE);
  if (parts.length === 1) return () => text;
  return (pass) =>
    parts.map((part, index) => (index % 2 === 0 ? part : valueOf(pass, part))).join("");
}

function valueOf(pass: Pass, name: string): string {
  return rawValue(pass, name).replaceAll(NOT_A_VALUE, "");
}

function rawValue({ exchange, address, claims, params }: Pass, name: string): string {
  const dot = name.indexOf(".");
  const key = name.slice(dot + 1);
  if (name.startsWith("param.")) return params[key] ?? "";
  if (name.startsWith("jwt.")) {
    const claim = claims !== null && Object.hasOwn(claims, key) ? claims[key] : "";
    return typeof claim === "string" ? claim : JSON.stringify(claim);
  }
  switch (key) {
    case "id":
      return exchange.requestId;
    case "ip":
      return address;
    case "host":
      return exchange.host;
    case "path":
      return exchange.path;
    default:
      return exchange.method;
  }
}
