// Makes a module import the memory it would define itself: only a memory that somebody else makes can be counted and
// bounded. Nothing in a module refers to where its memory comes from but the sections that say so, and the numbers of
// imports come first in both cases, so every index stays what it was.
//
// A parser of hostile input: what it does not understand to the last byte is refused, never passed on. Bytes are read
// by index and written by captured functions only; their `length` would be an author's to redefine.

const NativeUint8Array = Uint8Array;
const NativeArrayBuffer = ArrayBuffer;
const apply = Reflect.apply;
const { set } = Uint8Array.prototype;

/** Module name and field of that import. */
export const MEMORY_MODULE = "islet:memory";
export const MEMORY_FIELD = "0";
const KIND_MEMORY = 2;
const IMPORT_HEAD: readonly number[] = [
  ...nameBytes(MEMORY_MODULE),
  ...nameBytes(MEMORY_FIELD),
  KIND_MEMORY,
];
const IMPORT_HEAD_BYTES: number = IMPORT_HEAD.length;

const SECTION = { CUSTOM: 0, TYPE: 1, IMPORT: 2, MEMORY: 5 } as const;
const LIMIT = { HAS_MAX: 1, SHARED: 2, WIDE: 4, ALL: 7 } as const;
const HEADER_BYTES = 8;
const LEB32_BYTES_MAX = 5;
const LEB64_BYTES_MAX = 10;
const PAGES_MAX: number = 2 ** 48;

function nameBytes(name: string): number[] {
  return [name.length, ...Array.from(name, (letter) => letter.charCodeAt(0))];
}

export interface Binary {
  readonly buffer: ArrayBuffer;
  readonly length: number;
}

export interface MemoryType {
  /** In pages. */
  readonly min: number;
  /** Infinity where none is declared. */
  readonly max: number;
  readonly shared: boolean;
  /** 64-bit addresses. */
  readonly wide: boolean;
}

/** A part of the binary. */
interface Span {
  readonly from: number;
  readonly to: number;
}

interface Section extends Span {
  /** Where its content begins. */
  readonly content: number;
}

interface Layout {
  memory: Section | null;
  imports: Section | null;
  /** Where an import section may stand. */
  importsAt: number;
}

class Reader {
  readonly #bytes: Uint8Array;
  at: number;
  readonly end: number;

  constructor({ buffer }: Binary, at: number, end: number) {
    this.#bytes = new NativeUint8Array(buffer);
    this.at = at;
    this.end = end;
  }

  byte(): number {
    if (this.at >= this.end) throw new SyntaxError("The module ends too early");
    return this.#bytes[this.at++] ?? 0;
  }

  /** LEB128, unsigned. */
  number(bytesMax: number = LEB32_BYTES_MAX): number {
    let value = 0;
    for (let i = 0, factor = 1; i < bytesMax; i++, factor *= 128) {
      const byte = this.byte();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
    throw new SyntaxError("The module has a number that is too long");
  }
}

class Writer {
  readonly buffer: ArrayBuffer;
  readonly #bytes: Uint8Array;
  length = 0;

  constructor(bytesMax: number) {
    this.buffer = new NativeArrayBuffer(bytesMax);
    this.#bytes = new NativeUint8Array(this.buffer);
  }

  byte(byte: number): void {
    this.#bytes[this.length++] = byte;
  }

  /** Below 2^31. */
  number(number: number): void {
    let value = number;
    for (; value > 127; value >>>= 7) this.byte((value & 127) | 128);
    this.byte(value);
  }

  copy({ buffer }: Binary, { from, to }: Span): void {
    if (to <= from) return;
    const part = new NativeUint8Array(buffer, from, to - from);
    apply(set, this.#bytes, [part, this.length]);
    this.length += to - from;
  }
}

/** The module that imports its memory, and what kind of memory that is; null when it defines none. */
export function openMemory(binary: Binary): { opened: Binary; memory: MemoryType | null } {
  const layout = readLayout(binary);
  if (layout.memory === null) return { opened: binary, memory: null };
  const limits = new Reader(binary, layout.memory.content, layout.memory.to);
  if (limits.number() !== 1) throw new SyntaxError("A module may define one memory");
  const from = limits.at;
  const memory = readMemory(limits);
  if (limits.at !== limits.end) throw new SyntaxError("The memory section is too long");
  return { opened: rebuild(binary, layout, { from, to: limits.end }), memory };
}

function readLayout(binary: Binary): Layout {
  const layout: Layout = { memory: null, imports: null, importsAt: -1 };
  const reader = new Reader(binary, HEADER_BYTES, binary.length);
  while (reader.at < reader.end) {
    const from = reader.at;
    const id = reader.byte();
    const size = reader.number();
    const section = { from, content: reader.at, to: reader.at + size };
    if (section.to > reader.end) throw new SyntaxError("A section of the module is cut short");
    reader.at = section.to;
    if (id === SECTION.CUSTOM) continue;
    if (id !== SECTION.TYPE && layout.importsAt < 0) layout.importsAt = from;
    if (id === SECTION.IMPORT) {
      if (layout.imports !== null) throw new SyntaxError("The module has two import sections");
      layout.imports = section;
    } else if (id === SECTION.MEMORY) {
      if (layout.memory !== null) throw new SyntaxError("The module has two memory sections");
      layout.memory = section;
    }
  }
  return layout;
}

function readMemory(reader: Reader): MemoryType {
  const flags = reader.byte();
  if (flags > LIMIT.ALL) throw new SyntaxError("The module's memory is of an unknown kind");
  const wide = (flags & LIMIT.WIDE) !== 0;
  const bytesMax = wide ? LEB64_BYTES_MAX : LEB32_BYTES_MAX;
  const min = reader.number(bytesMax);
  const max = (flags & LIMIT.HAS_MAX) === 0 ? Infinity : reader.number(bytesMax);
  if (min > PAGES_MAX) throw new SyntaxError("The module's memory is too large");
  return { min, max, shared: (flags & LIMIT.SHARED) !== 0, wide };
}

function rebuild(binary: Binary, { imports, importsAt, memory }: Layout, limits: Span): Binary {
  const head = { from: 0, to: imports?.from ?? importsAt };
  const section = importSection(binary, imports, limits);
  const writer = new Writer(binary.length + section.length + 1 + LEB32_BYTES_MAX);
  writer.copy(binary, head);
  writer.byte(SECTION.IMPORT);
  writer.number(section.length);
  writer.copy(section, { from: 0, to: section.length });
  writer.copy(binary, { from: imports?.to ?? head.to, to: memory?.from ?? head.to });
  writer.copy(binary, { from: memory?.to ?? head.to, to: binary.length });
  return writer;
}

function importSection(binary: Binary, present: Section | null, limits: Span): Binary {
  const reader = new Reader(binary, present?.content ?? 0, present?.to ?? 0);
  const count = present === null ? 0 : reader.number();
  const others = { from: reader.at, to: reader.end };
  const bytesMax = LEB32_BYTES_MAX + others.to - others.from + IMPORT_HEAD_BYTES;
  const writer = new Writer(bytesMax + limits.to - limits.from);
  writer.number(count + 1);
  writer.copy(binary, others);
  for (let i = 0; i < IMPORT_HEAD_BYTES; i++) writer.byte(IMPORT_HEAD[i] ?? 0);
  writer.copy(binary, limits);
  return writer;
}
