// An entry of the embedded cache as its store has it.
//
//   0  8  expires, by the wall clock in ms
//   8  8  its place in the order of removal
//  16  8  bytes, those of the file included
//  24  1  length of the file's name
//  25  n  the file's name; nothing: all of it is here
//      m  the value, or of an entry with a file what comes before that

export interface CacheEntry<V = Uint8Array> {
  readonly expiresAtMs: number;
  readonly place: number;
  readonly size: number;
  readonly file: string | null;
  readonly value: V;
}

/** What is made of the bytes from there on. */
export type ReadValue<V> = (bytes: Buffer, from: number) => V;

export function valueBytes(bytes: Buffer, from: number): Uint8Array {
  return bytes.subarray(from);
}

const NAME_LENGTH_AT = 24;
const NAME_AT = 25;

export function packEntry({ expiresAtMs, place, size, file, value }: CacheEntry): Buffer {
  const name = Buffer.from(file ?? "");
  const head = Buffer.alloc(NAME_AT);
  head.writeDoubleBE(expiresAtMs, 0);
  head.writeDoubleBE(place, 8);
  head.writeDoubleBE(size, 16);
  head.writeUInt8(name.byteLength, NAME_LENGTH_AT);
  return Buffer.concat([head, name, value]);
}

export function unpackEntry<V>(bytes: Buffer, valueOf: ReadValue<V>): CacheEntry<V> {
  const end = NAME_AT + bytes.readUInt8(NAME_LENGTH_AT);
  return {
    expiresAtMs: bytes.readDoubleBE(0),
    place: bytes.readDoubleBE(8),
    size: bytes.readDoubleBE(16),
    file: end === NAME_AT ? null : bytes.toString("latin1", NAME_AT, end),
    value: valueOf(bytes, end),
  };
}
