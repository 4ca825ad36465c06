// Where a request may carry a credential, and how it is taken out of what is sent on. Two of a kind are none that is
// right: those behind might go by the one that was not looked at.

import type { CredentialSource } from "../../../../sdk/gateway/policies.ts";
import { headerOf, wholeHeader, withoutHeaders } from "../../../../sdk/gateway/header-list.ts";
import type { Pass } from "../../pass.ts";
import { cookieValue } from "../../upstream/balancer.ts";

const BEARER = /^Bearer +(\S+) *$/i;

export interface CredentialReader {
  /** "" where there is none; a field that has none is as one that is not there. */
  readonly read: (pass: Pass) => string;
  /** Those that stand behind do not need it, and logs of theirs should not have it. */
  readonly hide: (pass: Pass) => void;
}

export function createReader({ kind, name }: CredentialSource): CredentialReader {
  const header = kind === "bearer" ? "authorization" : name;
  const names = new Set([header]);
  const hideHeader = (pass: Pass): void => {
    pass.headers = withoutHeaders(pass.headers, names);
  };
  switch (kind) {
    case "bearer":
      return {
        read: ({ exchange }) =>
          BEARER.exec(wholeHeader(exchange.headers, "authorization"))?.[1] ?? "",
        hide: hideHeader,
      };
    case "header":
      return { read: ({ exchange }) => wholeHeader(exchange.headers, name), hide: hideHeader };
    case "query":
      return { read: (pass) => queryOf(pass, name), hide: (pass) => hideQuery(pass, name) };
    case "cookie":
      return { read: (pass) => cookieValue(pass, name), hide: (pass) => hideCookie(pass, name) };
  }
}

function queryOf({ exchange }: Pass, name: string): string {
  const question = exchange.url.indexOf("?");
  if (question < 0) return "";
  return new URLSearchParams(exchange.url.slice(question + 1)).getAll(name).join(", ");
}

/** The rest of the query stays as it was written. */
function hideQuery(pass: Pass, name: string): void {
  const question = pass.url.indexOf("?");
  if (question < 0) return;
  const kept = pass.url
    .slice(question + 1)
    .split("&")
    .filter((pair) => !new URLSearchParams(pair).has(name));
  const path = pass.url.slice(0, question);
  pass.url = kept.length === 0 ? path : `${path}?${kept.join("&")}`;
}

function hideCookie(pass: Pass, name: string): void {
  const kept = (headerOf(pass.headers, "cookie") ?? "")
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair.slice(0, Math.max(0, pair.indexOf("="))).trim() !== name)
    .join("; ");
  const others = withoutHeaders(pass.headers, new Set(["cookie"]));
  pass.headers = kept === "" ? others : `${others}cookie\n${kept}\n`;
}
