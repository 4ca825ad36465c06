// What stands behind a route's policies. Compiled once; called with a request that all policies let through.

import type { HeaderList } from "../../sdk/exchange.ts";
import type { PathChange, SingleTarget, TargetConfig } from "../../sdk/gateway/config.ts";
import type { Pass } from "./pass.ts";
import { createSplit, type SplitHost, type Target } from "./split.ts";

export interface TargetHost extends SplitHost {
  readonly proxy: (upstream: string, pass: Pass) => void;
}

const PARAMETER = /\{([^}]*)\}/g;
/**
 * "." and ".." as segments, however they are spelt. What stands behind may resolve them, and would then answer for an
 * address that this route, with its policies, was not asked for.
 */
const DOT_SEGMENT = /(?:^|\/|\\|%2f|%5c)(?:\.|%2e){1,2}(?=\/|\\|%2f|%5c|;|$)/i;

export function createTarget(config: TargetConfig, host: TargetHost): Target {
  if (config.kind !== "split") return createSingle(config, host);
  return createSplit(config, host, (target) => createSingle(target, host));
}

function createSingle(config: SingleTarget, host: TargetHost): Target {
  switch (config.kind) {
    case "upstream": {
      const change = compilePath(config.path);
      return (pass) => {
        if (/^(?:TRACE|CONNECT)$/.test(pass.exchange.method)) {
          pass.ticket.fail("METHOD_NOT_ALLOWED");
        } else if (DOT_SEGMENT.test(pass.exchange.path)) {
          pass.ticket.fail("BAD_REQUEST");
        } else {
          change?.(pass);
          host.proxy(config.upstream, pass);
        }
      };
    }
    case "endpoint": {
      const change = compilePath(config.path);
      return (pass) => {
        change?.(pass);
        pass.enter(config.endpoint);
      };
    }
    case "redirect": {
      const { status, location } = config;
      const isOfHost = !location.startsWith("//");
      return (pass) => {
        const text = filled(location, pass);
        // A parameter that begins with a slash would name another host.
        const to = isOfHost ? text.replace(/^\/+/, "/") : text;
        pass.ticket.exchange.reply(status, `location\n${to}\n`, null);
      };
    }
    case "respond": {
      const { status, body } = config;
      const headers = headerList(config.headers, body);
      return (pass) => pass.ticket.exchange.reply(status, headers, body === "" ? null : body);
    }
  }
}

/** null: the path goes on as it came. */
function compilePath(change: PathChange): ((pass: Pass) => void) | null {
  const { stripSegments, addPrefix, rewrite } = change;
  if (stripSegments === 0 && addPrefix === "" && rewrite === null) return null;
  return (pass) => {
    const { url } = pass;
    const question = url.indexOf("?");
    const path = question < 0 ? url : url.slice(0, question);
    const query = question < 0 ? "" : url.slice(question);
    const changed = rewrite === null ? stripped(path, stripSegments) : filled(rewrite, pass);
    pass.url = addPrefix + changed + query;
  };
}

function stripped(path: string, segments: number): string {
  let from = 0;
  for (let segment = 0; segment < segments && from >= 0; segment++) {
    from = path.indexOf("/", from + 1);
  }
  return from < 0 ? "/" : path.slice(from);
}

/** Parameters are text: encoded again, but for the slashes of a wildcard. */
function filled(template: string, { params }: Pass): string {
  return template.replaceAll(PARAMETER, (_found, name: string) =>
    (params[name] ?? "").split("/").map(encoded).join("/"),
  );
}

function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

function headerList(pairs: readonly (readonly [string, string])[], body: string): HeaderList {
  const list = pairs.map(([name, value]) => `${name}\n${value}\n`).join("");
  const isTyped = body === "" || pairs.some(([name]) => name === "content-type");
  return isTyped ? list : `content-type\ntext/plain;charset=UTF-8\n${list}`;
}
