// `ctx.exports`: the author's module as bindings to itself. Calls stay in this isolate, and are part of their request.

import { Request } from "../request.ts";
import { isResponse, type Response } from "../response.ts";

/** Asks what is exported by this name. */
export type OwnCall = (name: string, request: object, props: object) => Promise<unknown>;

const { defineProperty } = Reflect;
const create = Object.create as (prototype: null) => object;

export function createLoopback(names: readonly string[], call: OwnCall): object {
  const all = create(null);
  for (let at = 0; at < names.length; at++) {
    const name = names[at] ?? "";
    defineProperty(all, name, { value: bind(name, {}, call), enumerable: true });
  }
  return all;
}

/** As it is, or called with the props that its `ctx` is to have. */
function bind(name: string, props: object, call: OwnCall): object {
  const withProps = (options: unknown): object => {
    const given = (options as { readonly props?: unknown } | null | undefined)?.props;
    return bind(name, typeof given === "object" && given !== null ? given : {}, call);
  };
  const value = async (input: unknown, init: unknown = undefined): Promise<Response> => {
    const response = await call(name, new Request(input, init), props);
    if (isResponse(response)) return response;
    throw new TypeError(`${name} did not return a Response.`);
  };
  defineProperty(withProps, "fetch", { value });
  return withProps;
}
