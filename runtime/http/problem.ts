// Errors on the gateway port: application/problem+json (RFC 9457) with the code and the request's id.

import { infoOf } from "../../sdk/errors.ts";
import type { Code } from "../../sdk/errors.ts";
import type { HeaderList } from "../../sdk/exchange.ts";

export interface ProblemOptions {
  readonly requestId: string;
  /** Left out of 5xx answers: what broke inside is for the log, not for the client. */
  readonly detail?: string;
  /** The address the problem is about. */
  readonly instance?: string;
}

export interface Problem {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: string;
}

export function problem(code: Code, options: ProblemOptions): Problem {
  const info = infoOf(code);
  const fields = {
    type: `urn:islet:problem:${code.toLowerCase().replaceAll("_", "-")}`,
    title: info.title,
    status: info.status,
    ...(options.detail === undefined || info.status >= 500 ? {} : { detail: options.detail }),
    ...(options.instance === undefined ? {} : { instance: options.instance }),
    code,
    requestId: options.requestId,
  };
  return {
    status: info.status,
    headers: "content-type\napplication/problem+json\n",
    body: JSON.stringify(fields),
  };
}
