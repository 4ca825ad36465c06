// What authors write against, importable as `islet/sdk`: types, one function that turns the short form into the
// long one (an object with `fetch`, all that the platform knows), and helpers over the standard classes.

import { toHandlerError, type ErrorReplyOptions } from "./author/handler-error.ts";

export type {
  SqlDatabase,
  SqlHealth,
  SqlMeta,
  SqlParams,
  SqlResult,
  SqlRow,
  SqlRunner,
  SqlStatement,
  SqlStatements,
} from "./author/database.ts";
export {
  EdgeRequest,
  MultipartData,
  type MultipartLimits,
  type ParameterType,
  type ParameterTypes,
  type Schema,
} from "./author/edge-request.ts";
export { EdgeResponse, Res, type CacheOptions } from "./author/edge-response.ts";
export {
  HandlerError,
  type ErrorReplyOptions,
  type HandlerErrorKind,
} from "./author/handler-error.ts";

/** Of the platform's own types, without depending on a DOM library. */
type Signal = typeof globalThis extends { AbortSignal: { prototype: infer T } } ? T : object;

/** Each writes one line to the node's log, with the request's id and these fields beside it. */
export interface HandlerLog {
  debug(message: unknown, fields?: object): void;
  info(message: unknown, fields?: object): void;
  warn(message: unknown, fields?: object): void;
  error(message: unknown, fields?: object): void;
}

/** Lives as long as one request and the background work it left behind. */
export interface ExecutionContext {
  /** As in the reply's x-request-id and in the logs. */
  readonly requestId: string;
  /** Aborts when the client goes away and when the CPU time runs out. */
  readonly signal: Signal;
  readonly log: HandlerLog;
  /** What is left to this request. */
  remaining(): { readonly cpuMs: number; readonly wallMs: number };
  /** Keeps the isolate's interest in this request until `work` has settled; the reply does not wait for it. */
  waitUntil(work: Promise<unknown>): void;
  /** Present for code written for Workers; a failed handler always answers with an error here. */
  passThroughOnException(): void;
}

/** `Req` and `Res` are the platform's Request and Response; this file must not depend on a DOM library. */
export interface ExportedHandler<Env = Record<string, unknown>, Req = unknown, Res = unknown> {
  fetch(request: Req, env: Env, ctx: ExecutionContext): Res | Promise<Res>;
}

/** What the methods of a policy are called with. Bodies are not there: they pass a policy by. */
export interface PolicyEvent<Options = unknown, Req = unknown> {
  readonly request: Req;
  /** Of the route's configuration. */
  readonly options: Options;
  /** Name of the route. */
  readonly route: string;
  /** Of the route's path. */
  readonly params: Readonly<Record<string, string>>;
  /** The client's, behind proxies that are trusted. */
  readonly address: string;
  /** Of the token that a policy before this one has verified. */
  readonly claims: Readonly<Record<string, unknown>> | null;
}

/** A handler that stands before a route of the gateway, with any of these methods. */
export interface ExportedPolicy<
  Options = unknown,
  Env = Record<string, unknown>,
  Req = unknown,
  Res = unknown,
> {
  /** Nothing: the request goes on; a Request: with its path, query and headers; a Response: it is answered. */
  onRequest?(
    event: PolicyEvent<Options, Req>,
    env: Env,
    ctx: ExecutionContext,
  ): Req | Res | void | Promise<Req | Res | void>;
  /** Nothing: the reply goes on, with the headers that `response` has then; a Response: it takes its place. */
  onResponse?(
    event: PolicyEvent<Options, Req> & { readonly response: Res },
    env: Env,
    ctx: ExecutionContext,
  ): Res | void | Promise<Res | void>;
  /** When the gateway answers in the target's place because something failed. A Response takes that one's place. */
  onError?(
    event: PolicyEvent<Options, Req> & {
      readonly error: { readonly code: string; readonly status: number };
    },
    env: Env,
    ctx: ExecutionContext,
  ): Res | void | Promise<Res | void>;
}

/** What the short form is called with: the execution context, and the endpoint's bindings in `env`. */
export interface HandlerContext<Env = Record<string, unknown>> extends ExecutionContext {
  readonly env: Env;
}

/**
 * `export default defineHandler((ctx, request) => new Response("hi"))`. What it throws as a HandlerError is its reply,
 * and so is the failure of a service; all else is for the platform.
 */
export function defineHandler<Env = Record<string, unknown>, Req = unknown, Res = unknown>(
  handle: (ctx: HandlerContext<Env>, request: Req) => Res | Promise<Res>,
  options: ErrorReplyOptions = {},
): ExportedHandler<Env, Req, Res> {
  return {
    fetch(request: Req, env: Env, ctx: ExecutionContext): Res | Promise<Res> {
      const failed = (error: unknown): Res => replyTo(error, ctx, options) as Res;
      try {
        const result = handle(contextOf(env, ctx), request);
        return result instanceof Promise ? (result as Promise<Res>).catch(failed) : result;
      } catch (error) {
        return failed(error);
      }
    },
  };
}

function replyTo(error: unknown, ctx: ExecutionContext, options: ErrorReplyOptions): Response {
  const known = toHandlerError(error);
  if (known === null) throw error;
  // Other platforms have no log in the context.
  if (known.status >= 500) (ctx.log as HandlerLog | undefined)?.error(known.message);
  return known.toResponse(options);
}

function contextOf<Env>(env: Env, ctx: ExecutionContext): HandlerContext<Env> {
  return {
    env,
    requestId: ctx.requestId,
    get signal() {
      return ctx.signal;
    },
    get log() {
      return ctx.log;
    },
    remaining: () => ctx.remaining(),
    waitUntil: (work) => ctx.waitUntil(work),
    passThroughOnException: () => ctx.passThroughOnException(),
  };
}
