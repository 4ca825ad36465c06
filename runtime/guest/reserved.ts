// Memory that the engine does not count: WebAssembly's, and buffers that can grow. Everything of the kind reserves here
// first what it may ever take, so that code which grows it where nobody looks (an opcode, a resize) stays within.
//
// It is given back when its owner was collected. A WeakRef keeps its object for the rest of the slice, so what is made
// and dropped again and again within one slice counts whole.

const NativeWeakRef = WeakRef;
const NativeArrayBuffer = ArrayBuffer;
const apply = Reflect.apply;
const { deref } = WeakRef.prototype;

/** Until the host has told the limit: at top level, while a snapshot is made. */
const BYTES_MAX_DEFAULT: number = 128 * 1024 * 1024;
/** The least that one thing costs, so that the list of them stays short. */
const ENTRY_BYTES_MIN = 4_096;
/** No isolate may have as much: the engine collects all garbage before it refuses. */
const IMPOSSIBLE_BYTES: number = 16 * 1024 * 1024 * 1024;

/** When less than this part is left, garbage is collected before something is given no room to grow. */
const SCARCE = 16;

interface Entry {
  readonly owner: WeakRef<object>;
  readonly bytes: number;
}

const entries = new Set<Entry>();
// Bound at import: an author's Set.prototype must not get hold of the set.
const addEntry = entries.add.bind(entries);
const dropEntry = entries.delete.bind(entries);
const eachEntry = entries.forEach.bind(entries);
let bytesMax = BYTES_MAX_DEFAULT;
let reserved = 0;

export function thawReserved(limitBytes: number): void {
  bytesMax = limitBytes;
}

export function reservedBytes(): number {
  return reserved;
}

/** Makes what may take so many bytes. Throws a RangeError when they are not left. */
export function reserving<T extends object>(bytes: number, what: string, make: () => T): T {
  const counted = bytes < ENTRY_BYTES_MIN ? ENTRY_BYTES_MIN : bytes;
  if (counted > bytesMax - reserved) collect();
  if (counted > bytesMax - reserved) {
    const limit = `${bytesMax / 1024 / 1024} MB (limit memoryMb)`;
    throw new RangeError(`${what}: together they may have ${limit}`);
  }
  // Before `make`, in which author code may run and make more of them.
  reserved += counted;
  try {
    const owner = make();
    addEntry({ owner: new NativeWeakRef(owner), bytes: counted });
    return owner;
  } catch (error) {
    reserved -= counted;
    throw error;
  }
}

/** What is there already, and takes the place of something that goes. */
export function adopt(owner: object, bytes: number): void {
  addEntry({ owner: new NativeWeakRef(owner), bytes });
  reserved += bytes;
}

/** How far something of `least` bytes may grow, which wants to grow up to `most`. */
export function roomToGrow(least: number, most: number): number {
  if (least + bytesMax / SCARCE > bytesMax - reserved) collect();
  const left = bytesMax - reserved - least;
  // Half of it, unless much is taken already: many small ones shall fit as well as one that is large.
  const share = least + left / (reserved < bytesMax / 8 ? 2 : 8);
  return most <= least + left / 2 ? most : share;
}

function collect(): void {
  try {
    void new NativeArrayBuffer(IMPOSSIBLE_BYTES);
  } catch {
    // Refused, as it was meant to be.
  }
  eachEntry((entry) => {
    if (apply(deref, entry.owner, []) !== undefined) return;
    dropEntry(entry);
    reserved -= entry.bytes;
  });
}
