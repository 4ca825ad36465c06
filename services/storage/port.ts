// The calls of a storage binding (runtime/guest/services/storage.ts makes them): checks what they say and asks the
// backend. BODY is bytes or STREAM; OBJECT as objectValue makes it.
//
//   head            [key]                                          -> OBJECT or null
//   get             [key, { range, onlyIf }]                       -> [OBJECT, [offset, length] or null, bytes or null]
//                                                                     or null; with a range but no bytes they follow
//   put             [key, BODY, { http, custom, checksums, onlyIf }]  -> OBJECT or null
//   delete          [keys]
//   list            [{ prefix, delimiter, cursor, startAfter, limit, withMetadata }]  -> { objects, prefixes, cursor }
//   createUpload    [key, { http, custom }]                        -> id
//   uploadPart      [key, id, number, BODY]                        -> etag
//   completeUpload  [key, id, [[number, etag]]]                    -> OBJECT
//   abortUpload     [key, id]
//   presign         [key, { method, seconds, contentType }]        -> address
//   health          []                                             -> the server's version

import { EdgeError } from "../../sdk/errors.ts";
import { Streamed, type CallContext, type ServicePort } from "../../sdk/services/service.ts";
import {
  STORAGE_EAGER_BYTES,
  STORAGE_LIST_MAX,
  STORAGE_PART_BYTES_MAX,
  STORAGE_PARTS_MAX,
  type StorageBackend,
  type StorageBody,
  type StorageFound,
  type StorageObject,
} from "../../sdk/services/storage.ts";
import { STREAM, type Value } from "../../sdk/services/values.ts";
import type { ServiceActor } from "../actor.ts";
import { limitCount, limitText, readBytes, readFields, readList, readText } from "../arguments.ts";
import { createPort, type Method } from "../port.ts";
import {
  readConditions,
  readHead,
  readKey,
  readPart,
  readPartNumber,
  readPresign,
  readQuery,
  readRange,
  readSums,
} from "./arguments.ts";

/** Longer is no upload's id of any server. */
const UPLOAD_ID_BYTES_MAX = 2_048;

export interface StoragePortOptions {
  readonly actor: ServiceActor<StorageBackend>;
  readonly bucket: string;
  /** The endpoint. */
  readonly caller: string;
}

/** `lasting`: as long as a stream does. */
type Ask = <T>(
  context: CallContext,
  work: (backend: StorageBackend, signal: AbortSignal) => Promise<T>,
  lasting?: boolean,
) => Promise<T>;

type Methods = Readonly<Record<string, Method>>;

export function createStoragePort({ actor, bucket, caller }: StoragePortOptions): ServicePort {
  const ask: Ask = ({ signal }, work, lasting = false) =>
    actor.run(work, { caller, signal, lasting });
  return createPort({ methods: { ...objectMethods(ask, bucket), ...uploadMethods(ask, bucket) } });
}

function objectMethods(ask: Ask, bucket: string): Methods {
  return {
    async head([name], context) {
      const key = readKey(name);
      const object = await ask(context, (storage, signal) => storage.head(bucket, key, signal));
      return object && objectValue(object);
    },
    get([name, options], context) {
      const key = readKey(name);
      const fields = readFields(options, "options");
      const range = readRange(fields["range"]);
      const conditions = readConditions(fields["onlyIf"]);
      return open(context, (answer) =>
        ask(
          context,
          async (storage, signal) => {
            const found = await storage.get(bucket, { key, range, conditions }, signal);
            await answer(found);
          },
          true,
        ),
      );
    },
    async put([name, body, options], context) {
      const key = readKey(name);
      const fields = readFields(options, "options");
      const put = {
        ...readHead(key, fields),
        body: bodyOf(body, context),
        checksums: readSums(fields["checksums"]),
        conditions: readConditions(fields["onlyIf"]),
      };
      const stored = await ask(
        context,
        (storage, signal) => storage.put(bucket, put, signal),
        body === STREAM,
      );
      return stored && objectValue(stored);
    },
    async delete([names], context) {
      const keys = limitCount(readList(names, "keys"), "keys", STORAGE_LIST_MAX).map(readKey);
      await ask(context, (storage, signal) => storage.delete(bucket, keys, signal));
      return undefined;
    },
    async list([options], context) {
      const query = readQuery(options);
      const { objects, prefixes, cursor } = await ask(context, (storage, signal) =>
        storage.list(bucket, query, signal),
      );
      return { objects: objects.map(objectValue), prefixes, cursor };
    },
    presign([name, options], context) {
      const request = readPresign(readKey(name), options);
      return ask(context, (storage, signal) => storage.presign(bucket, request, signal));
    },
    async health(_args, context) {
      return (await ask(context, (storage, signal) => storage.probe(signal))).version;
    },
  };
}

function uploadMethods(ask: Ask, bucket: string): Methods {
  return {
    createUpload([name, options], context) {
      const head = readHead(readKey(name), readFields(options, "options"));
      return ask(context, (storage, signal) => storage.createUpload(bucket, head, signal));
    },
    uploadPart([name, id, at, body], context) {
      const upload = { key: readKey(name), id: readId(id) };
      const part = { number: readPartNumber(at), body: bodyOf(body, context) };
      if (part.body instanceof Uint8Array && part.body.byteLength > STORAGE_PART_BYTES_MAX) {
        const text = `A part has at most ${STORAGE_PART_BYTES_MAX} bytes.`;
        throw new EdgeError("SERVICE_TOO_LARGE", text);
      }
      return ask(
        context,
        (storage, signal) => storage.uploadPart(bucket, upload, part, signal),
        body === STREAM,
      );
    },
    async completeUpload([name, id, list], context) {
      const upload = { key: readKey(name), id: readId(id) };
      const parts = limitCount(readList(list, "parts"), "parts", STORAGE_PARTS_MAX).map(readPart);
      const object = await ask(context, (storage, signal) =>
        storage.completeUpload(bucket, upload, parts, signal),
      );
      return objectValue(object);
    },
    async abortUpload([name, id], context) {
      const upload = { key: readKey(name), id: readId(id) };
      await ask(context, (storage, signal) => storage.abortUpload(bucket, upload, signal));
      return undefined;
    },
  };
}

/**
 * Answers with what `run` finds, while the run itself lasts until the body has been read or is wanted no more: it keeps
 * the backend open and the call's place. A small body is read before, so that most calls leave nothing open.
 */
function open(
  context: CallContext,
  run: (answer: (found: StorageFound | null) => Promise<void>) => Promise<void>,
): Promise<Value | Streamed> {
  return new Promise((resolve, reject) => {
    const answer = async (found: StorageFound | null): Promise<void> => {
      if (found === null) return resolve(null);
      const object = objectValue(found.object);
      if (found.content === null) return resolve([object, null, null]);
      const { span, body } = found.content;
      const range = [span.offset, span.length];
      if (span.length <= STORAGE_EAGER_BYTES) {
        return resolve([object, range, await readWhole(body, span.length, context)]);
      }
      const { promise: ended, resolve: end } = Promise.withResolvers<void>();
      resolve(new Streamed([object, range, null], untilEnd(body, end)));
      // The bridge ends the rest of a call that is wanted no more; this is for those that never came so far.
      if (context.signal.aborted) end();
      else context.signal.addEventListener("abort", () => end(), { once: true });
      try {
        await ended;
      } finally {
        await body[Symbol.asyncIterator]().return?.();
      }
    };
    run(answer).catch(reject);
  });
}

async function readWhole(
  body: AsyncIterable<Uint8Array>,
  size: number,
  context: CallContext,
): Promise<Uint8Array> {
  if (!context.hold(size)) {
    await body[Symbol.asyncIterator]().return?.();
    throw new EdgeError(
      "MEMORY_LIMIT",
      "The object is larger than what may wait for this endpoint.",
    );
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for await (const piece of body) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}

function untilEnd(body: AsyncIterable<Uint8Array>, end: () => void): AsyncIterableIterator<Value> {
  const pieces = body[Symbol.asyncIterator]();
  return {
    async next() {
      try {
        const next = await pieces.next();
        if (next.done === true) end();
        return next;
      } catch (error) {
        end();
        throw error;
      }
    },
    async return() {
      end();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

function objectValue(object: StorageObject): Value {
  const { key, version, size, etag, uploadedMs, http, custom, checksums } = object;
  return {
    key,
    version,
    size,
    etag,
    uploadedMs,
    http: { ...http },
    custom: { ...custom },
    checksums: { ...checksums },
  };
}

function bodyOf(value: Value, { body }: CallContext): StorageBody {
  if (value !== STREAM) return readBytes(value, "value");
  if (body !== null) return body;
  throw new EdgeError("SERVICE_INPUT", "The stream is missing.");
}

function readId(value: Value): string {
  return limitText(readText(value, "uploadId"), "The upload's id", UPLOAD_ID_BYTES_MAX);
}
