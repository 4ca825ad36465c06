// Time as a handler sees it: constant within a slice, told by the host. `Date` is replaced by a class that
// differs from the engine's only where it would read the machine's clock.

import { readNow } from "./time.ts";

export { thawClock, topLevelTimeReads } from "./time.ts";

const NativeDate = Date;
const apply = Reflect.apply;
const construct = Reflect.construct;
const toDateString = NativeDate.prototype.toString;

/** A function, not a class: Date() without `new` gives a string. */
function IsletDate(this: unknown, ...parts: unknown[]): unknown {
  if (new.target === undefined) return apply(toDateString, new NativeDate(readNow()), []);
  const given = parts.length === 0 ? [readNow()] : parts;
  return construct(NativeDate, given, new.target);
}

export const GuestDate: DateConstructor = IsletDate as unknown as DateConstructor;

for (const key of Reflect.ownKeys(NativeDate)) {
  const descriptor = Object.getOwnPropertyDescriptor(NativeDate, key);
  if (descriptor !== undefined) Object.defineProperty(GuestDate, key, descriptor);
}
const statics = {
  now(): number {
    return Math.floor(readNow());
  },
};
Object.defineProperty(GuestDate, "now", { value: statics.now });

/** Takes away the engine's other ways to the machine's clock; part of lockdown. */
export function hideEngineClock(): void {
  Object.defineProperty(NativeDate.prototype, "constructor", { value: GuestDate });
  const prototype = Intl.DateTimeFormat.prototype;
  const getFormat = Object.getOwnPropertyDescriptor(prototype, "format")?.get;
  const nativeParts = prototype.formatToParts;
  if (getFormat === undefined) return;
  const bound = new WeakMap<object, (date?: unknown) => string>();
  const find = bound.get.bind(bound);
  const keep = bound.set.bind(bound);
  const members = {
    get format(): (date?: unknown) => string {
      const native = apply(getFormat, this, []) as (date?: unknown) => string;
      const known = find(this);
      if (known !== undefined) return known;
      const format = (date?: unknown): string => native(date === undefined ? readNow() : date);
      keep(this, format);
      return format;
    },
    formatToParts(date?: unknown): Intl.DateTimeFormatPart[] {
      return apply(nativeParts, this, [(date === undefined ? readNow() : date) as number]);
    },
  };
  const format = Object.getOwnPropertyDescriptor(members, "format");
  if (format !== undefined) {
    Object.defineProperty(prototype, "format", { ...format, enumerable: false });
  }
  Object.defineProperty(prototype, "formatToParts", { value: members.formatToParts });
}
