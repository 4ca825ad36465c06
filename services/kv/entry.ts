// What the store has of an entry beside its value: when it expires, its metadata, and the file its value lies in.
//
//   0   8  expires, by the wall clock in ms; NaN: never
//   8   2  length of the metadata; NONE: there is none
//  10   n  metadata
//       m  the file's name; nothing: the value lies in the store

export interface Head {
  readonly expiresAtMs: number | null;
  readonly metadata: string | null;
  readonly file: string | null;
}

const METADATA_AT = 10;
const NONE = 0xffff;

export function packHead({ expiresAtMs, metadata, file }: Head): Buffer {
  const metadataBytes = Buffer.from(metadata ?? "");
  const head = Buffer.alloc(METADATA_AT);
  head.writeDoubleBE(expiresAtMs ?? Number.NaN, 0);
  head.writeUInt16BE(metadata === null ? NONE : metadataBytes.byteLength, METADATA_AT - 2);
  return Buffer.concat([head, metadataBytes, Buffer.from(file ?? "")]);
}

export function unpackHead(bytes: Buffer): Head {
  const expires = bytes.readDoubleBE(0);
  const length = bytes.readUInt16BE(METADATA_AT - 2);
  const end = METADATA_AT + (length === NONE ? 0 : length);
  return {
    expiresAtMs: Number.isNaN(expires) ? null : expires,
    metadata: length === NONE ? null : bytes.toString("utf8", METADATA_AT, end),
    file: end === bytes.byteLength ? null : bytes.toString("latin1", end),
  };
}
