import { expect, test } from "vitest";
import { CALLS } from "../../../sdk/bridge.ts";
import { EdgeError } from "../../../sdk/errors.ts";
import { Streamed, type CallContext, type ServicePort } from "../../../sdk/services/service.ts";
import { packValue, STREAM, unpackValue, type Value } from "../../../sdk/services/values.ts";
import type { Call, CallService } from "../call.ts";
import { createServiceCalls } from "./service-calls.ts";

type Answer =
  | { readonly text: string; readonly bytes: ArrayBuffer | null }
  | { readonly code: string; readonly message: string };

interface Asked {
  readonly answer: Promise<Answer>;
}

let lastId = 0;

function ask(service: CallService, name: string, args: string, bytes?: Uint8Array): Asked & Call {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const call: Asked & Call = {
    answer: promise,
    id: ++lastId,
    owner: 7,
    args,
    bytes: (bytes?.buffer as ArrayBuffer | undefined) ?? null,
    trail: () => "",
    isOwned: () => true,
    renew: () => undefined,
    note: () => undefined,
    hold: () => true,
    keep: () => () => undefined,
    ok: (text) => resolve({ text, bytes: null }),
    okBytes: (answer, rest = "") => resolve({ text: `0\n${rest}`, bytes: answer }),
    fail: (code, message) => resolve({ code, message }),
  };
  expect(service.call(name, call)).toBe(true);
  return call;
}

function askService(service: CallService, method: string, args: readonly Value[]): Asked & Call {
  const { text, bytes } = packValue(args);
  return ask(service, CALLS.SERVICE, `KV\n${method}\n${text}`, bytes ?? undefined);
}

async function valueOf({ answer }: Asked): Promise<Value> {
  const got = await answer;
  if ("code" in got) throw new Error(`${got.code}: ${got.message}`);
  const text = got.text.slice(got.text.indexOf("\n") + 1);
  return unpackValue(text, got.bytes === null ? null : new Uint8Array(got.bytes));
}

interface Stage {
  readonly service: CallService;
  readonly seen: { method: string; args: readonly Value[]; context: CallContext }[];
  readonly done: number[];
}

function createStage(
  answer: (args: readonly Value[], context: CallContext) => Promise<Value | Streamed>,
  callsMax = 100,
): Stage {
  const stage: Stage = {
    seen: [],
    done: [],
    service: createServiceCalls({ ports: new Map(), callsMax }),
  };
  const port: ServicePort = {
    call(method, args, context) {
      stage.seen.push({ method, args, context });
      return answer(args, context);
    },
    requestDone: (request) => stage.done.push(request),
    close: () => undefined,
  };
  return { ...stage, service: createServiceCalls({ ports: new Map([["KV", port]]), callsMax }) };
}

test("a call reaches its binding's port with values as they were, bytes among them", async () => {
  const { service, seen } = createStage(async (args) => ["back", ...args]);
  const sent = ["key", new Uint8Array([1, 2]), { at: new Date(5), n: 3n }];
  expect(await valueOf(askService(service, "put", sent))).toEqual(["back", ...sent]);
  expect(seen[0]).toMatchObject({ method: "put", args: sent });
});

test("a binding that the endpoint does not have is not found, whatever its name", async () => {
  const { service } = createStage(async () => null);
  for (const args of ["OTHER\nget\n[]", "__proto__\nget\n[]", "", "KV", "KV\nget"]) {
    expect(await ask(service, CALLS.SERVICE, args).answer).toMatchObject({ code: "CALL_INVALID" });
  }
});

test("arguments that no honest guest sends are refused", async () => {
  const { service, seen } = createStage(async () => null);
  for (const args of ["", "{", '{"a":1}', "1", '[{"$":"b","v":[0,99]}]', "[".repeat(9_999)]) {
    const call = ask(service, CALLS.SERVICE, `KV\nget\n${args}`);
    expect(await call.answer).toMatchObject({ code: "CALL_INVALID" });
  }
  expect(seen).toEqual([]);
});

test("what the port rejects with is the answer, and a bug of its own says nothing of the host", async () => {
  const errors = [new EdgeError("SERVICE_FAILED", "no such table"), new TypeError("secret path")];
  const { service } = createStage(async () => {
    throw errors.shift() ?? new Error("asked too often");
  });
  expect(await askService(service, "get", []).answer).toEqual({
    code: "SERVICE_FAILED",
    message: "no such table",
  });
  expect(await askService(service, "get", []).answer).toEqual({
    code: "INTERNAL",
    message: "Something broke inside the node",
  });
});

test("a request may make as many calls as its limit, and then has to be over", async () => {
  const { service } = createStage(async () => null, 2);
  for (let at = 0; at < 2; at++) expect(await valueOf(askService(service, "get", []))).toBeNull();
  expect(await askService(service, "get", []).answer).toMatchObject({ code: "SUBREQUEST_LIMIT" });
  service.ownerDone(7, false);
  expect(await valueOf(askService(service, "get", []))).toBeNull();
});

test("an answer that goes on is pulled piece by piece to its end", async () => {
  const { service } = createStage(async () => {
    async function* rest(): AsyncGenerator<Value> {
      yield new Uint8Array([1]);
      yield [2, "rows"];
    }
    return new Streamed("head", rest());
  });
  const call = askService(service, "list", []);
  const pull = (): Asked => ask(service, CALLS.SERVICE_PULL, `${call.id}`);
  expect(await valueOf(call)).toBe("head");
  expect(await valueOf(pull())).toEqual(new Uint8Array([1]));
  expect(await valueOf(pull())).toEqual([2, "rows"]);
  expect(await pull().answer).toEqual({ text: "", bytes: null });
  expect(await pull().answer).toMatchObject({ code: "CANCELLED" });
});

test("an answer that goes on ends with its request, and what it held is given back", async () => {
  let ended = false;
  const { service, done } = createStage(async () => {
    async function* rest(): AsyncGenerator<Value> {
      try {
        yield 1;
        yield 2;
      } finally {
        ended = true;
      }
    }
    return new Streamed(null, rest());
  });
  const call = askService(service, "list", []);
  await call.answer;
  expect(await valueOf(ask(service, CALLS.SERVICE_PULL, `${call.id}`))).toBe(1);
  service.ownerDone(7, false);
  await new Promise(setImmediate);
  expect(ended).toBe(true);
  expect(done).toEqual([7]);
});

test("a stream among the arguments arrives chunk by chunk", async () => {
  const { service } = createStage(async ([, stream], { body }) => {
    expect(stream).toBe(STREAM);
    const chunks: Value[] = [];
    for await (const chunk of body ?? []) chunks.push(chunk);
    return chunks;
  });
  const call = askService(service, "put", ["key", STREAM]);
  for (const byte of [1, 2]) {
    const pushed = ask(service, CALLS.SERVICE_PUSH, `${call.id}`, new Uint8Array([byte]));
    expect(await pushed.answer).toMatchObject({ text: "" });
  }
  ask(service, CALLS.SERVICE_PUSH, `${call.id}\nend`);
  expect(await valueOf(call)).toEqual([new Uint8Array([1]), new Uint8Array([2])]);
});

test("a call of a request that died is cancelled, and one of a request that ended well goes on", async () => {
  const signals: AbortSignal[] = [];
  const gate = Promise.withResolvers<Value>();
  const { service } = createStage((_args, { signal }) => {
    signals.push(signal);
    return gate.promise;
  });
  const first = askService(service, "put", []);
  service.ownerDone(7, true);
  expect(await first.answer).toMatchObject({ code: "CANCELLED" });
  const second = askService(service, "put", []);
  service.ownerDone(7, false);
  gate.resolve("written");
  expect(await valueOf(second)).toBe("written");
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
});

test("what a guest pulls or pushes of calls it never made is refused", async () => {
  const { service } = createStage(async () => "short");
  const call = askService(service, "get", []);
  await call.answer;
  for (const id of [`${call.id}`, "0", "-1", "1e3", "", "x"]) {
    for (const name of [CALLS.SERVICE_PULL, CALLS.SERVICE_PUSH]) {
      expect(await ask(service, name, id).answer).toMatchObject({ code: "CANCELLED" });
    }
  }
});

test("closing cancels whatever is under way, and nothing begins after it", async () => {
  const { service } = createStage(() => new Promise(() => undefined));
  const call = askService(service, "get", []);
  service.close();
  expect(await call.answer).toMatchObject({ code: "CANCELLED" });
  expect(await askService(service, "get", []).answer).toMatchObject({ code: "CANCELLED" });
});
