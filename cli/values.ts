// Option values of one command line, from flags or, where a flag is missing, from its environment variable.

import { EdgeError } from "../sdk/errors.ts";
import type { OptionSpec } from "./command.ts";

export interface Values {
  /** `name` is the long flag without dashes, here and below. */
  text(name: string): string | undefined;
  list(name: string): readonly string[];
  /** For "no-x": whether --no-x was given. */
  flag(name: string): boolean;
}

export function longName(spec: OptionSpec): string {
  return /--([a-z][a-z-]*)/.exec(spec.flags)?.[1] ?? "";
}

export function createValues(
  specs: readonly OptionSpec[],
  parsed: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
): Values {
  const byName = new Map(specs.map((spec) => [longName(spec), spec]));
  const fromEnv = (name: string): string | undefined => {
    const variable = byName.get(name)?.env;
    const value = variable === undefined ? undefined : env[variable];
    return value === "" ? undefined : value;
  };
  return {
    text: (name) => {
      const value = parsed[camel(name)] ?? fromEnv(name);
      const choices = byName.get(name)?.choices;
      if (typeof value !== "string") return undefined;
      if (choices !== undefined && !choices.includes(value)) {
        throw new EdgeError("USAGE", `--${name} is one of ${choices.join(", ")}, not "${value}"`);
      }
      return value;
    },
    list: (name) => {
      const value = parsed[camel(name)];
      if (Array.isArray(value)) return value.filter((item) => typeof item === "string");
      return fromEnv(name)?.split(",") ?? [];
    },
    flag: (name) => {
      const given = name.startsWith("no-")
        ? parsed[camel(name.slice(3))] === false
        : parsed[camel(name)] === true;
      return given || !["0", "false", "no", undefined].includes(fromEnv(name));
    },
  };
}

function camel(name: string): string {
  return name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
