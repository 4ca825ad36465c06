// An entry of the embedded cache as its store has it.
//
//   0  8  expires, by the wall clock in ms
//   8  8  its place in the order of removal
//  16  8  bytes, those of the file included
//  24  1  length of the file's name
//  25  n  the file's name; nothing: all of it is here
//      m  the value, or of an entry with a file what comes before that

export interface CacheEntry {
  readonly expiresAtMs: number;
  readonly place: number;
  readonly size: number;
  readonly file: string | null;
  readonly value: Uint8Array;
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

export function unpackEntry(bytes: Buffer): CacheEntry {
  const end = NAME_AT + bytes.readUInt8(NAME_LENGTH_AT);
  return {
    expiresAtMs: bytes.readDoubleBE(0),
    place: bytes.readDoubleBE(8),
    size: bytes.readDoubleBE(16),
    file: end === NAME_AT ? null : bytes.toString("latin1", NAME_AT, end),
    value: bytes.subarray(end),
  };
}
