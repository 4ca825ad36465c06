// What authors write against, importable as `islet/sdk`. Types, and one function that turns the short form
// into the long one; the long form (an object with `fetch`) is all that the platform knows.

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

/** What the short form is called with: the execution context, and the endpoint's bindings in `env`. */
export interface HandlerContext<Env = Record<string, unknown>> extends ExecutionContext {
  readonly env: Env;
}

/** `export default defineHandler((ctx, req) => new Response("hi"))`. */
export function defineHandler<Env = Record<string, unknown>, Req = unknown, Res = unknown>(
  handle: (ctx: HandlerContext<Env>, request: Req) => Res | Promise<Res>,
): ExportedHandler<Env, Req, Res> {
  return {
    fetch(request: Req, env: Env, ctx: ExecutionContext): Res | Promise<Res> {
      const context: HandlerContext<Env> = {
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
      return handle(context, request);
    },
  };
}
