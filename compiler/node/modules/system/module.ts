// node:module. A bundle has no files to require from: what it holds was resolved when it was built. `require` made here
// finds the built-in modules that the bundle names by literal texts.

import { getBuiltinModule } from "node:process";
import { coded } from "../errors.ts";
import { offered } from "./named.ts";

export const builtinModules: readonly string[] = offered;

export function isBuiltin(name: string): boolean {
  return builtinModules.includes(name.replace(/^node:/, ""));
}

type Require = (name: string) => unknown;

/** Where from is not looked at. */
export function createRequire(): Require {
  return (name) => {
    const found = getBuiltinModule(name);
    if (found !== undefined) return found;
    const text = `Cannot find module '${name}': only Node's modules that the bundle names can be required so`;
    throw coded("Error", "MODULE_NOT_FOUND", text);
  };
}
