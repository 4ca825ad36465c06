// Texts of the operator's in place of the gateway's own failures, and of the target's where that is wanted too. Whether
// a client gets HTML or JSON is what it accepts; a page may have one only.

import { infoOf } from "../../../../sdk/errors.ts";
import type { Exchange } from "../../../../sdk/exchange.ts";
import { withoutHeaders } from "../../../../sdk/gateway/header-list.ts";
import type { ErrorPage, ErrorPagesPolicy } from "../../../../sdk/gateway/policies.ts";
import type { Policy } from "../../chain.ts";
import type { ReplyHead } from "../../filtered-exchange.ts";
import type { Pass } from "../../pass.ts";
import { HeldReply } from "../custom/held-reply.ts";

const FAILED_MIN = 400;
/** Of the body that is replaced. */
const OF_THE_BODY: ReadonlySet<string> = new Set([
  "content-type",
  "content-length",
  "content-encoding",
  "content-language",
  "content-range",
  "accept-ranges",
  "etag",
  "last-modified",
]);
const FIELD = /\{(status|code|title|request\.id)\}/g;
const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

export function createErrorPages({ pages, replies }: ErrorPagesPolicy): Policy {
  const find = createFind(pages);
  return {
    onRequest(pass) {
      pass.ticket.exchange = new HeldReply(pass.ticket.exchange, (head, client) => {
        const { failure } = pass.ticket;
        if (head.status < FAILED_MIN || (failure === null && replies === "gateway")) return null;
        const page = find(head.status, failure ?? "");
        if (page === null) return null;
        send(pass, page, head, client);
        return Promise.resolve("drop" as const);
      });
      return true;
    },
  };
}

function send(pass: Pass, page: ErrorPage, head: ReplyHead, client: Exchange): void {
  const isHtml =
    page.json === "" || (page.html !== "" && likesHtml(pass.exchange.header("accept")));
  const body = filled(isHtml ? page.html : page.json, isHtml, pass, head.status);
  const type = isHtml ? "text/html;charset=UTF-8" : "application/json";
  const vary = page.html !== "" && page.json !== "" ? "vary\nAccept\n" : "";
  const kept = withoutHeaders(head.headers, OF_THE_BODY);
  client.reply(head.status, `${kept}content-type\n${type}\n${vary}`, body);
}

/** By code, then by status, then by class. */
function createFind(
  pages: readonly ErrorPage[],
): (status: number, code: string) => ErrorPage | null {
  const by = new Map<string, ErrorPage>();
  for (const page of pages) for (const on of page.on) if (!by.has(on)) by.set(on, page);
  return (status, code) =>
    by.get(code) ?? by.get(String(status)) ?? by.get(`${Math.floor(status / 100)}xx`) ?? null;
}

/** Browsers name it; whoever takes anything gets JSON. */
function likesHtml(accept: string | undefined): boolean {
  return (
    accept !== undefined && /(?:^|[\s,])(?:text\/html|text\/\*|application\/xhtml)/i.test(accept)
  );
}

function filled(template: string, isHtml: boolean, pass: Pass, status: number): string {
  const { failure } = pass.ticket;
  const values: Readonly<Record<string, string>> = {
    status: String(status),
    code: failure ?? "",
    title: failure === null ? "" : infoOf(failure).title,
    "request.id": pass.exchange.requestId,
  };
  return template.replaceAll(FIELD, (_found, name: string) => {
    const value = values[name] ?? "";
    if (!isHtml) return JSON.stringify(value).slice(1, -1);
    return value.replaceAll(/[&<>"]/g, (sign) => ESCAPES[sign] ?? sign);
  });
}
