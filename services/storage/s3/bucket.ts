// The configured bucket, the scopes in it, and the two questions that reading and writing share.

import { EdgeError } from "../../../sdk/errors.ts";
import {
  STORAGE_KEY_BYTES_MAX,
  type StorageConditions,
  type StorageObject,
} from "../../../sdk/services/storage.ts";
import { holds } from "../conditions.ts";
import type { S3Session } from "./client.ts";
import { causeName, causeStatus } from "./errors.ts";
import { toObject } from "./metadata.ts";

/** Between what was seen and what is stored, others may come; after so many times that is nobody's luck. */
const ATTEMPTS = 3;

export interface Located {
  readonly Bucket: string;
  readonly Key: string;
}

/** Stores only over what the conditions were held against. */
export type Guard = { readonly IfMatch: string } | { readonly IfNoneMatch: string } | object;

export class S3Bucket {
  readonly session: S3Session;
  readonly name: string;
  /** False once the server has said that it knows no conditions when it stores. */
  #takesGuards = true;

  constructor(session: S3Session, name: string) {
    this.session = session;
    this.name = name;
  }

  /** What the keys of a scope begin with. */
  prefixOf(scope: string): string {
    return scope === "" || scope === this.name ? "" : `${scope}/`;
  }

  locate(scope: string, key: string): Located {
    const whole = this.prefixOf(scope) + key;
    if (Buffer.byteLength(whole) <= STORAGE_KEY_BYTES_MAX) return { Bucket: this.name, Key: whole };
    const text = `The key is too long for S3, where it begins with the binding's scope.`;
    throw new EdgeError("SERVICE_TOO_LARGE", text);
  }

  async head(scope: string, key: string, signal: AbortSignal): Promise<StorageObject | null> {
    const place = this.locate(scope, key);
    try {
      const answer = await this.session.ask((s3, options) => s3.headObject(place, options), {
        signal,
      });
      return toObject(key, answer.ContentLength ?? 0, answer);
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }

  /** null when the conditions do not hold. */
  async store<T>(
    {
      scope,
      key,
      conditions,
    }: { scope: string; key: string; conditions: StorageConditions | null },
    signal: AbortSignal,
    send: (guard: Guard) => Promise<T>,
  ): Promise<T | null> {
    if (conditions === null) return send({});
    for (let attempt = 1; ; attempt++) {
      const now = await this.head(scope, key, signal);
      if (!holds(conditions, now)) return null;
      try {
        return await send(this.#guard(now));
      } catch (error) {
        const status = causeStatus(error);
        if (status === 501 && this.#takesGuards) this.#takesGuards = false;
        else if (status !== 412 && status !== 409) throw error;
        else if (attempt >= ATTEMPTS) throw conflict(error);
      }
    }
  }

  #guard(now: StorageObject | null): Guard {
    if (!this.#takesGuards) return {};
    return now === null ? { IfNoneMatch: "*" } : { IfMatch: `"${now.etag}"` };
  }
}

/** HEAD says no more than 404; GET says which of the two is missing. */
export function isMissing(error: unknown): boolean {
  return causeStatus(error) === 404 && causeName(error) !== "NoSuchBucket";
}

function conflict(cause: unknown): EdgeError {
  return new EdgeError("SERVICE_CONFLICT", "Others store under this key all the time.", { cause });
}
