// node:util's parseArgs and styleText, and node:diagnostics_channel, against Node's own.

import * as realChannels from "node:diagnostics_channel";
import { parseArgs as realParse, parseEnv as realEnv, styleText as realStyle } from "node:util";
import { expect, test } from "vitest";
import { parseArgs } from "./arguments.ts";
import { parseEnv } from "./environment-file.ts";
import * as ourChannels from "./diagnostics-channel.ts";
import { styleText } from "./styles.ts";

function outcome(run: () => unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(run())) as unknown;
  } catch (error) {
    return Reflect.get(Object(error), "code");
  }
}

const OPTIONS = {
  all: { type: "boolean", short: "a" },
  name: { type: "string", short: "n", default: "none" },
  list: { type: "string", multiple: true },
} as const;

test.each([
  [[]], [["-a"]], [["-an", "x"]], [["-anx"]], [["--name=a=b"]], [["--name"]], [["--list", "1", "--list=2"]], [["--none"]],
  [["--all=1"]], [["x", "--", "-a"]], [["--no-all"]], [["--name", "-a"]],
])("arguments %j: as Node's", (args) => {
  for (const more of [{}, { strict: false }, { allowPositionals: true }, { allowNegative: true }]) {
    const config = { args, options: OPTIONS, ...more };
    expect(outcome(() => parseArgs(config))).toEqual(outcome(() => realParse(config)));
  }
}); // prettier-ignore

test("texts get the styles Node gives them", () => {
  for (const format of ["red", ["bold", "bgBlue"], "nope"] as const) {
    const style = (form: typeof realStyle): unknown =>
      outcome(() => form(format as "red", "text", { validateStream: false }));
    expect(style(styleText as typeof realStyle)).toEqual(style(realStyle));
  }
});

type Channels = typeof realChannels;

function traced(channels: Channels): unknown {
  const seen: unknown[] = [];
  const tracing = channels.tracingChannel("islet.test");
  const listener = (event: string) => (message: unknown) =>
    seen.push([event, { ...Object(message) }]);
  const names = ["start", "end", "asyncStart", "asyncEnd", "error"] as const;
  tracing.subscribe(Object.fromEntries(names.map((name) => [name, listener(name)])) as never);
  const add = (a: number, b: number): number => a + b;
  seen.push(tracing.traceSync(add, { id: 1 }, null, 1, 2));
  const call = (value: number, done: (error: null, value: number) => void): void =>
    done(null, value);
  tracing.traceCallback(
    call as never,
    -1,
    { id: 2 },
    null,
    5 as never,
    ((_: null, value: number) => seen.push(value)) as never,
  );
  const bound = channels.channel("islet.bound");
  const runs = { run: (value: unknown, run: () => unknown) => [value, run()] };
  bound.bindStore(runs as never, ((message: unknown) => [message]) as never);
  seen.push(
    bound.runStores("m" as never, () => "inner"),
    bound.hasSubscribers,
    bound.unbindStore(runs as never),
  );
  seen.push(channels.hasSubscribers("islet.bound"), channels.channel("islet.bound") === bound);
  return seen;
}

test("channels and tracing channels tell what Node's tell", async () => {
  expect(traced(ourChannels as unknown as Channels)).toEqual(traced(realChannels));
  const tracing = ourChannels.tracingChannel("islet.promise");
  const seen: string[] = [];
  for (const name of ["start", "end", "asyncEnd", "error"] as const) {
    tracing[name].subscribe(() => seen.push(name));
  }
  const work = tracing.tracePromise(async () => Promise.reject(new RangeError("no")));
  await expect(work).rejects.toThrow("no");
  expect(seen).toEqual(["start", "end", "error", "asyncEnd"]);
});

test.each([
  "A=1\nB = two words \n#C=3\nD=4 # comment\n",
  "A='#1' # c\nB=\"x\\ny\\t\"\nC=`'\"`\nD=\nE",
  'A="two\nlines"\nexport B=2\r\nA=3\n\n',
  "A=b=c\n  B=2\n",
  "",
])("an environment file %j is read as by Node", (text) => {
  expect(parseEnv(text)).toEqual({ ...realEnv(text) });
});
