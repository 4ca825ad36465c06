// WebAssembly modules for tests, put together by hand: also what no tool would make.

export interface ModuleInput {
  /** Limits of the memory it defines, as in the format: flags, least pages, most pages. */
  readonly memory?: readonly number[];
  /** Imports a function `a.f` first. */
  readonly imports?: boolean;
  /** A custom section of so many bytes in front of everything. */
  readonly custom?: number;
  /** More functions that do nothing, to make it large. */
  readonly functions?: number;
}

function leb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return [...bytes, rest];
}

function text(value: string): number[] {
  return [...leb(value.length), ...Buffer.from(value)];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...leb(content.length), ...content];
}

function list(items: readonly (readonly number[])[]): number[] {
  return [...leb(items.length), ...items.flat()];
}

/** Exports `grow(pages)` and `at(address)`, and `mem`; the bytes "islet" lie at address 8. */
export function moduleOf(input: ModuleInput = {}): Uint8Array<ArrayBuffer> {
  const { memory = [0, 1], imports = false, custom = -1, functions = 0 } = input;
  const grow = [0, 0x20, 0, 0x40, 0, 0x0b];
  const at = [0, 0x20, 0, 0x2d, 0, 0, 0x0b];
  const idle = [0, ...Array.from({ length: 40 }, () => [0x20, 0, 0x1a]).flat(), 0x20, 0, 0x0b];
  const own = [grow, at, ...Array.from({ length: functions }, () => idle)];
  const first = imports ? 1 : 0;
  const exported = [
    [...text("grow"), 0, first],
    [...text("at"), 0, first + 1],
    [...text("mem"), 2, 0],
  ];
  return Uint8Array.from(
    [
      [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      custom < 0 ? [] : section(0, [...text("note"), ...Array<number>(custom).fill(5)]),
      section(1, list([[0x60, 1, 0x7f, 1, 0x7f]])),
      imports ? section(2, list([[...text("a"), ...text("f"), 0, 0]])) : [],
      section(3, list(own.map(() => [0]))),
      section(5, list([memory])),
      section(7, list(exported)),
      section(10, list(own.map((code) => [...leb(code.length), ...code]))),
      section(11, list([[0, 0x41, 8, 0x0b, ...text("islet")]])),
    ].flat(),
  );
}
