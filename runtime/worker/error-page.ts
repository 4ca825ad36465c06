// What a browser sees in `edge dev` when a handler fails: the error with the author's own files and lines. Only on a
// node started with --dev; elsewhere a reply never tells what broke.

import type { HeaderList } from "../../sdk/exchange.ts";

export interface ErrorPage {
  readonly headers: HeaderList;
  readonly body: string;
}

export interface Failure {
  readonly title: string;
  readonly code: string;
  /** Stack, mapped; "" when there is none. */
  readonly stack: string;
  readonly requestId: string;
}

const STYLE =
  "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:3rem auto;padding:0 1rem;color:#222}" +
  "h1{font-size:1.3rem;color:#a11}pre{background:#f6f6f6;padding:1rem;overflow:auto;border-radius:6px}" +
  "small{color:#777}@media(prefers-color-scheme:dark){body{background:#1b1b1b;color:#ddd}" +
  "pre{background:#262626}h1{color:#f77}}";

export function errorPage({ title, code, stack, requestId }: Failure): ErrorPage {
  const [message = "", ...frames] = stack.split("\n");
  const body =
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>${html(message || title)}</title>` +
    `<style>${STYLE}</style><h1>${html(message || title)}</h1>` +
    (frames.length === 0 ? "" : `<pre>${html(frames.join("\n"))}</pre>`) +
    `<p>${html(title)}. <small>${code} · request ${html(requestId)}</small></p></html>`;
  return {
    headers:
      "content-type\ntext/html;charset=UTF-8\ncache-control\nno-store\n" +
      "content-security-policy\ndefault-src 'none'; style-src 'unsafe-inline'\n",
    body,
  };
}

function html(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
