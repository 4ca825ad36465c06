import { describe, expect, test } from "vitest";
import { moduleOf } from "../../test/isolate/wasm-module.ts";
import { MEMORY_FIELD, MEMORY_MODULE, openMemory, type Binary } from "./wasm-binary.ts";

interface Described {
  readonly kind: string;
}

interface Wasm {
  readonly Module: {
    new (bytes: Uint8Array): object;
    imports(module: object): readonly Described[];
    exports(module: object): readonly Described[];
  };
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
  readonly Memory: new (limits: object) => { readonly buffer: ArrayBuffer };
}

/** The compiler's libraries have it with browsers only. */
const { WebAssembly: wasm } = globalThis as unknown as { readonly WebAssembly: Wasm };

function binaryOf(bytes: Uint8Array<ArrayBuffer>): Binary {
  return { buffer: bytes.slice().buffer, length: bytes.length };
}

function compile({ buffer, length }: Binary): object | null {
  try {
    return new wasm.Module(new Uint8Array(buffer, 0, length));
  } catch {
    return null;
  }
}

/** The module with a memory of ours, and that memory. */
function run(bytes: Uint8Array<ArrayBuffer>): {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly exports: Record<string, (value: number) => number>;
} {
  const { opened, memory: type } = openMemory(binaryOf(bytes));
  if (type === null) throw new Error("It has no memory.");
  const maximum = Math.min(type.max, type.min + 2);
  const memory = new wasm.Memory({ initial: type.min, maximum, shared: type.shared });
  const module = compile(opened);
  if (module === null) throw new Error("It does not compile.");
  const instance = new wasm.Instance(module, {
    a: { f: () => 0 },
    [MEMORY_MODULE]: { [MEMORY_FIELD]: memory },
  });
  return { memory, exports: instance.exports as Record<string, (value: number) => number> };
}

describe("a module whose memory is opened", () => {
  test.each([
    ["that has no most", { memory: [0, 1] }],
    ["that has a most", { memory: [1, 1, 200, 1] }],
    ["that is shared", { memory: [3, 1, 3] }],
    ["with other imports", { imports: true }],
    ["with a custom section in front", { custom: 300 }],
    ["with all of it, and code", { imports: true, custom: 9, functions: 500 }],
    ["whose numbers are longer than they need be", { memory: [1, 0x81, 0x80, 0, 0x83, 0x80, 0] }],
  ])("%s works with one that it is given", (_name, input) => {
    const { memory, exports } = run(moduleOf(input));
    expect(exports["mem"]).toBe(memory);
    expect(String.fromCharCode(exports["at"]?.(8) ?? 0, exports["at"]?.(12) ?? 0)).toBe("it");
    expect(exports["grow"]?.(2)).toBe(1);
    expect(exports["grow"]?.(1)).toBe(-1);
    expect(memory.buffer.byteLength).toBe(3 * 65_536);
  });

  test("tells what the memory is to be", () => {
    const typeOf = (memory: number[]): unknown => openMemory(binaryOf(moduleOf({ memory }))).memory;
    expect(typeOf([0, 0])).toEqual({ min: 0, max: Infinity, shared: false, wide: false });
    expect(typeOf([3, 5, 0x80, 1])).toEqual({ min: 5, max: 128, shared: true, wide: false });
    expect(typeOf([5, 1, 2])).toEqual({ min: 1, max: 2, shared: false, wide: true });
  });

  test("stays as it is when it defines none", () => {
    const none = binaryOf(Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
    expect(openMemory(none)).toEqual({ opened: none, memory: null });
  });
});

describe("what is no module", () => {
  test.each([
    ["unknown limits", { memory: [8, 1] }],
    ["limits that are too long", { memory: [0, 1, 1] }],
    ["a number that never ends", { memory: [0, 128, 128, 128, 128, 128, 128] }],
  ])("with %s is refused", (_name, input) => {
    expect(() => openMemory(binaryOf(moduleOf(input)))).toThrow(SyntaxError);
  });

  test("in any place is refused, or is a module that has no memory of its own", () => {
    const whole = moduleOf({ memory: [1, 1, 3], imports: true, custom: 3 });
    let accepted = 0;
    for (let at = 0; at < whole.length; at++) {
      for (const value of [0, 1, 2, 5, 0x7f, 0x80, 0xff, (whole[at] ?? 0) ^ 1]) {
        const bytes = whole.slice();
        bytes[at] = value;
        accepted += isRefusedOrOpened(bytes) ? 1 : 0;
      }
      isRefusedOrOpened(whole.slice(0, at));
    }
    expect(accepted).toBeGreaterThan(100);
  });
});

/** False when nobody takes it. What V8 takes as it is must be opened, and then use the memory it is given. */
function isRefusedOrOpened(bytes: Uint8Array<ArrayBuffer>): boolean {
  let opened: ReturnType<typeof openMemory>;
  try {
    opened = openMemory(binaryOf(bytes));
  } catch {
    expect(compile(binaryOf(bytes))).toBeNull();
    return false;
  }
  const module = compile(opened.opened);
  expect(module === null).toBe(compile(binaryOf(bytes)) === null);
  if (module === null) return false;
  const own = wasm.Module.exports(module).filter(({ kind }) => kind === "memory");
  const given = wasm.Module.imports(module).filter(({ kind }) => kind === "memory");
  expect(given).toHaveLength(opened.memory === null ? 0 : 1);
  if (opened.memory === null) expect(own).toEqual([]);
  return true;
}
