// FormData: an ordered list of names with strings or files.

import { exposeInterface } from "./interface.ts";
import { blobBytes, File, isBlob, isFile } from "./blob.ts";

export type FormEntry = [name: string, value: string | File];

const apply = Reflect.apply;

export let formEntries: (form: FormData) => FormEntry[];
export let isFormData: (value: unknown) => value is FormData;

export class FormData {
  #entries: FormEntry[];

  constructor(form: unknown = undefined) {
    this.#entries = [];
    if (form !== undefined) throw new TypeError("FormData cannot be made from a form here.");
  }

  static {
    formEntries = (form) => form.#entries;
    isFormData = (value): value is FormData =>
      typeof value === "object" && value !== null && #entries in value;
  }

  append(name: unknown, value: unknown, filename: unknown = undefined): void {
    if (arguments.length < 2) throw new TypeError("append needs a name and a value.");
    const entries = this.#entries;
    entries[entries.length] = [scalar(name), entryValue(value, filename, arguments.length > 2)];
  }

  set(name: unknown, value: unknown, filename: unknown = undefined): void {
    if (arguments.length < 2) throw new TypeError("set needs a name and a value.");
    const key = scalar(name);
    const entry: FormEntry = [key, entryValue(value, filename, arguments.length > 2)];
    const kept: FormEntry[] = [];
    let placed = false;
    for (let i = 0; i < this.#entries.length; i++) {
      const each = this.#entries[i] ?? entry;
      if (each[0] !== key) kept[kept.length] = each;
      else if (!placed) {
        kept[kept.length] = entry;
        placed = true;
      }
    }
    if (!placed) kept[kept.length] = entry;
    this.#entries = kept;
  }

  delete(name: unknown): void {
    if (arguments.length < 1) throw new TypeError("delete needs a name.");
    const key = scalar(name);
    const kept: FormEntry[] = [];
    for (let i = 0; i < this.#entries.length; i++) {
      const each = this.#entries[i];
      if (each !== undefined && each[0] !== key) kept[kept.length] = each;
    }
    this.#entries = kept;
  }

  get(name: unknown): string | File | null {
    if (arguments.length < 1) throw new TypeError("get needs a name.");
    const key = scalar(name);
    for (let i = 0; i < this.#entries.length; i++) {
      const each = this.#entries[i];
      if (each !== undefined && each[0] === key) return each[1];
    }
    return null;
  }

  getAll(name: unknown): (string | File)[] {
    if (arguments.length < 1) throw new TypeError("getAll needs a name.");
    const key = scalar(name);
    const found: (string | File)[] = [];
    for (let i = 0; i < this.#entries.length; i++) {
      const each = this.#entries[i];
      if (each !== undefined && each[0] === key) found[found.length] = each[1];
    }
    return found;
  }

  has(name: unknown): boolean {
    if (arguments.length < 1) throw new TypeError("has needs a name.");
    const key = scalar(name);
    for (let i = 0; i < this.#entries.length; i++) if (this.#entries[i]?.[0] === key) return true;
    return false;
  }

  forEach(
    callback: (value: string | File, name: string, parent: FormData) => void,
    thisArg: unknown = undefined,
  ): void {
    if (typeof callback !== "function") throw new TypeError("forEach needs a function.");
    for (let i = 0; i < this.#entries.length; i++) {
      const each = this.#entries[i];
      if (each !== undefined) apply(callback, thisArg, [each[1], each[0], this]);
    }
  }

  entries(): IterableIterator<FormEntry> {
    return new FormDataIterator(this, "pairs") as never;
  }

  keys(): IterableIterator<string> {
    return new FormDataIterator(this, "names") as never;
  }

  values(): IterableIterator<string | File> {
    return new FormDataIterator(this, "values") as never;
  }

  declare [Symbol.iterator]: () => IterableIterator<FormEntry>;
}

class FormDataIterator {
  readonly #form: FormData;
  readonly #kind: "pairs" | "names" | "values";
  #index: number;

  constructor(form: FormData, kind: "pairs" | "names" | "values") {
    formEntries(form);
    this.#form = form;
    this.#kind = kind;
    this.#index = 0;
  }

  next(): IteratorResult<unknown> {
    const entry = formEntries(this.#form)[this.#index];
    if (entry === undefined) return { value: undefined, done: true };
    this.#index++;
    if (this.#kind === "names") return { value: entry[0], done: false };
    if (this.#kind === "values") return { value: entry[1], done: false };
    return { value: [entry[0], entry[1]], done: false };
  }
}

exposeInterface(FormDataIterator, "FormData Iterator");
Reflect.deleteProperty(FormDataIterator.prototype, "constructor");
const arrayIterator = Object.getPrototypeOf([][Symbol.iterator]()) as object;
Object.setPrototypeOf(FormDataIterator.prototype, Object.getPrototypeOf(arrayIterator) as object);

exposeInterface(FormData, "FormData");
const entries: unknown = FormData.prototype.entries;
Object.defineProperty(FormData.prototype, Symbol.iterator, {
  value: entries,
  writable: true,
  configurable: true,
});

function scalar(value: unknown): string {
  return `${value as string}`.toWellFormed();
}

function entryValue(value: unknown, filename: unknown, named: boolean): string | File {
  if (!isBlob(value)) {
    if (named) throw new TypeError("Only a blob can have a file name.");
    return scalar(value);
  }
  const rename = named && filename !== undefined;
  if (isFile(value) && !rename) return value;
  const name = rename ? scalar(filename) : "blob";
  const lastModified = isFile(value) ? value.lastModified : undefined;
  return new File([blobBytes(value)], name, { type: value.type, lastModified });
}
