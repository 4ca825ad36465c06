// The AWS SDK's one door, with what has to be different for servers that are not AWS: no checksums that they do not
// know, calls that end in time, failures as codes. Loaded by the first service that needs it: the SDK is large.

import { createHash } from "node:crypto";
import type { S3 } from "@aws-sdk/client-s3";
import { EdgeError } from "../../../sdk/errors.ts";
import type { MinioConfig } from "../../../sdk/services/config.ts";
import { s3Error } from "./errors.ts";

/** Where the configuration does not say (timeout_seconds). */
const TIMEOUT_MS = 30_000;
const CONNECT_MS_MAX = 5_000;
/** With the SDK's pauses between them, up to 0.3 s, much shorter than a call's time. */
const ATTEMPTS = 3;
/** Bytes per ms (1 MiB/s a quarter) below which an upload is taken for stuck. */
const UPLOAD_RATE_MIN = 262;
/** More than an actor runs calls: each may have a part under way beside its stream. */
const SOCKETS_MAX = 256;

export interface AskOptions {
  readonly signal: AbortSignal;
  /** What is sent along, and takes its time. */
  readonly bytes?: number;
}

/** To be handed to the SDK with every command. */
export interface SendOptions {
  readonly abortSignal: AbortSignal;
}

export interface PresignOptions {
  readonly bucket: string;
  readonly key: string;
  readonly method: "GET" | "PUT";
  readonly seconds: number;
  readonly contentType: string | null;
}

export class S3Session {
  /** What a call may take until its reply begins, and each piece of the reply's body after that. */
  readonly timeoutMs: number;
  readonly #s3: S3;
  readonly #presign: (options: PresignOptions) => Promise<string>;
  #serverName = "S3";

  constructor(s3: S3, presign: (options: PresignOptions) => Promise<string>, timeoutMs: number) {
    this.#s3 = s3;
    this.#presign = presign;
    this.timeoutMs = timeoutMs;
    s3.middlewareStack.add(
      (next, { commandName }) =>
        (args) => {
          // The SDK's own CRC32 is not what other servers ask for here.
          if (commandName === "DeleteObjectsCommand") addContentMd5(args.request);
          return next(args);
        },
      { step: "build", name: "contentMd5", priority: "low" },
    );
    s3.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args);
        const { headers } = result.response as { headers?: Record<string, string> };
        this.#serverName = headers?.["server"] ?? this.#serverName;
        return result;
      },
      { step: "deserialize", name: "serverName", priority: "low" },
    );
  }

  /** As the server calls itself. */
  get serverName(): string {
    return this.#serverName;
  }

  /** Rejects with EdgeError, whose cause is the SDK's error. */
  async ask<T>(
    send: (s3: S3, options: SendOptions) => Promise<T>,
    { signal, bytes = 0 }: AskOptions,
  ): Promise<T> {
    const limitMs = this.timeoutMs + bytes / UPLOAD_RATE_MIN;
    const controller = new AbortController();
    const abort = (): void => controller.abort(signal.reason);
    const timer = setTimeout(() => {
      const text = `The S3 server did not answer within ${Math.round(limitMs)} ms.`;
      controller.abort(new EdgeError("SERVICE_TIMEOUT", text));
    }, limitMs);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    try {
      return await send(this.#s3, { abortSignal: controller.signal });
    } catch (error) {
      throw s3Error(error, controller.signal);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }

  presign(options: PresignOptions): Promise<string> {
    return this.#presign(options);
  }

  close(): void {
    this.#s3.destroy();
  }
}

export async function openS3Session(config: MinioConfig): Promise<S3Session> {
  const [sdk, presigner] = await Promise.all([
    import("@aws-sdk/client-s3"),
    import("@aws-sdk/s3-request-presigner"),
  ]);
  const s3 = new sdk.S3({
    endpoint: addressOf(config),
    region: config.region,
    forcePathStyle: config.path_style,
    credentials: { accessKeyId: config.access_key, secretAccessKey: config.secret_key },
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    maxAttempts: ATTEMPTS,
    // Time is watched here: the socket's own would run while nobody reads a reply, too.
    requestHandler: {
      connectionTimeout: CONNECT_MS_MAX,
      socketTimeout: 0,
      httpAgent: { keepAlive: true, maxSockets: SOCKETS_MAX },
      httpsAgent: { keepAlive: true, maxSockets: SOCKETS_MAX },
    },
  });
  const presign = ({
    bucket,
    key,
    method,
    seconds,
    contentType,
  }: PresignOptions): Promise<string> => {
    const object = { Bucket: bucket, Key: key };
    if (method === "GET") {
      const command = new sdk.GetObjectCommand(object);
      return presigner.getSignedUrl(s3, command, { expiresIn: seconds });
    }
    const type = contentType === null ? {} : { ContentType: contentType };
    const command = new sdk.PutObjectCommand({ ...object, ...type });
    // Signed, so that nothing else can be stored under the type.
    const signableHeaders = new Set(contentType === null ? [] : ["content-type"]);
    return presigner.getSignedUrl(s3, command, { expiresIn: seconds, signableHeaders });
  };
  const timeoutMs = (config.timeout_seconds ?? 0) * 1_000 || TIMEOUT_MS;
  return new S3Session(s3, presign, timeoutMs);
}

function addressOf({ endpoint, use_ssl }: MinioConfig): string {
  return endpoint.includes("://") ? endpoint : `${use_ssl ? "https" : "http"}://${endpoint}`;
}

function addContentMd5(request: unknown): void {
  const { body, headers } = request as { body?: unknown; headers: Record<string, string> };
  if (typeof body !== "string" && !(body instanceof Uint8Array)) return;
  headers["content-md5"] = createHash("md5").update(body).digest("base64");
}
