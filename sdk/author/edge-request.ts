// A request with accessors that answer or refuse: what is missing or wrong throws a HandlerError of status 400.

import { HandlerError } from "./handler-error.ts";

const ADDRESS_HEADER = "cf-connecting-ip";
const MULTIPART = "multipart/form-data";
const FILES_MAX = 100;
const FILE_BYTES_MAX = 10 * 1024 * 1024;

/** What a parameter may be read as. */
export interface ParameterTypes {
  readonly string: string;
  /** In decimal, and exact. */
  readonly int: number;
  readonly number: number;
  /** true, false, 1 or 0. */
  readonly boolean: boolean;
}
export type ParameterType = keyof ParameterTypes;

/** As zod, valibot, arktype and others have it (standardschema.dev). */
export interface Schema<T> {
  readonly "~standard": {
    validate(value: unknown): SchemaResult<T> | Promise<SchemaResult<T>>;
  };
}
export type SchemaResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

export interface MultipartLimits {
  readonly maxFiles?: number;
  readonly maxFileBytes?: number;
}

export class EdgeRequest {
  readonly raw: Request;
  /** Of the route, as URLPattern or a router has found them. */
  readonly params: Readonly<Record<string, string | undefined>>;
  readonly requestId: string;
  readonly #url: URL;

  constructor(
    raw: Request,
    {
      params = {},
      requestId = "",
    }: {
      readonly params?: Readonly<Record<string, string | undefined>> | undefined;
      readonly requestId?: string;
    } = {},
  ) {
    this.raw = raw;
    this.params = params;
    this.requestId = requestId;
    this.#url = new URL(raw.url);
  }

  get method(): string {
    return this.raw.method;
  }

  get path(): string {
    return this.#url.pathname;
  }

  /** The last of those with the same name. */
  get query(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#url.searchParams);
  }

  get headers(): Headers {
    return this.raw.headers;
  }

  get body(): Request["body"] {
    return this.raw.body;
  }

  /** The client's, behind proxies that the node trusts; null on other platforms that do not tell. */
  get clientIp(): string | null {
    return this.raw.headers.get(ADDRESS_HEADER);
  }

  get contentType(): string | null {
    return this.raw.headers.get("content-type");
  }

  get isJson(): boolean {
    return /^application\/(?:[^;]*\+)?json\b/i.test(this.contentType ?? "");
  }

  get isMultipart(): boolean {
    return this.contentType?.toLowerCase().startsWith(MULTIPART) === true;
  }

  isMethod(method: string): boolean {
    return this.method.toUpperCase() === method.toUpperCase();
  }

  header(name: string): string | null {
    return this.raw.headers.get(name);
  }

  requireHeader(name: string): string {
    return this.header(name) ?? refuse(`Missing required header: ${name}`);
  }

  queryParam(name: string): string | null {
    return this.#url.searchParams.get(name);
  }

  /** null when it is not there, or is no such thing. */
  queryParamAs<T extends ParameterType>(name: string, type: T): ParameterTypes[T] | null {
    return parse(this.queryParam(name), type);
  }

  requireQueryParam(name: string): string;
  requireQueryParam<T extends ParameterType>(name: string, type: T): ParameterTypes[T];
  requireQueryParam(name: string, type: ParameterType = "string"): string | number | boolean {
    return demand(this.queryParam(name), type, `query parameter: ${name}`);
  }

  pathParam(name: string): string | null {
    return own(this.params, name);
  }

  pathParamAs<T extends ParameterType>(name: string, type: T): ParameterTypes[T] | null {
    return parse(this.pathParam(name), type);
  }

  requirePathParam(name: string): string;
  requirePathParam<T extends ParameterType>(name: string, type: T): ParameterTypes[T];
  requirePathParam(name: string, type: ParameterType = "string"): string | number | boolean {
    return demand(this.pathParam(name), type, `path parameter: ${name}`);
  }

  text(): Promise<string> {
    return this.raw.text();
  }

  async bytes(): Promise<Uint8Array> {
    return new Uint8Array(await this.raw.arrayBuffer());
  }

  /** No body at all is `null`. */
  async json<T = unknown>(schema?: Schema<T>): Promise<T> {
    const text = await this.raw.text();
    const value = text === "" ? null : parseJson(text);
    return schema === undefined ? (value as T) : await check(value, schema);
  }

  async multipart(limits: MultipartLimits = {}): Promise<MultipartData> {
    if (this.contentType === null) return refuse("Missing Content-Type header");
    if (!this.isMultipart) return refuse("Content-Type is not multipart/form-data");
    if (!/;\s*boundary=/i.test(this.contentType)) return refuse("Missing multipart boundary");
    if (this.raw.body === null) return refuse("Empty body for multipart request");
    let form: FormData;
    try {
      form = await this.raw.formData();
    } catch (error) {
      return refuse(`Invalid multipart body: ${textOf(error)}`);
    }
    return new MultipartData(form, limits);
  }
}

export class MultipartData {
  /** The first of each name. */
  readonly fields: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, File>>;

  constructor(
    form: FormData,
    { maxFiles = FILES_MAX, maxFileBytes = FILE_BYTES_MAX }: MultipartLimits = {},
  ) {
    const fields = new Map<string, string>();
    const files = new Map<string, File>();
    let count = 0;
    for (const [name, value] of form) {
      if (typeof value === "string") {
        if (!fields.has(name)) fields.set(name, value);
        continue;
      }
      if (++count > maxFiles) throw HandlerError.payloadTooLarge(`more than ${maxFiles} files`);
      if (value.size > maxFileBytes) {
        throw HandlerError.payloadTooLarge(`${name} has more than ${maxFileBytes} bytes`);
      }
      if (!files.has(name)) files.set(name, value);
    }
    this.fields = Object.fromEntries(fields);
    this.files = Object.fromEntries(files);
  }

  field(name: string): string | null {
    return own(this.fields, name);
  }

  requireField(name: string): string {
    return this.field(name) ?? refuse(`Missing required field: ${name}`);
  }

  file(name: string): File | null {
    return own(this.files, name);
  }

  requireFile(name: string): File {
    return this.file(name) ?? refuse(`Missing required file: ${name}`);
  }
}

function refuse(message: string): never {
  throw HandlerError.badRequest(message);
}

function own<T>(record: Readonly<Record<string, T | undefined>>, name: string): T | null {
  return Object.hasOwn(record, name) ? (record[name] ?? null) : null;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function parse<T extends ParameterType>(text: string | null, type: T): ParameterTypes[T] | null;
function parse(text: string | null, type: ParameterType): string | number | boolean | null {
  if (text === null) return null;
  switch (type) {
    case "int": {
      const value = Number(text);
      return /^[+-]?\d+$/.test(text) && Number.isSafeInteger(value) ? value : null;
    }
    case "number": {
      const value = Number(text);
      return text.trim() !== "" && Number.isFinite(value) ? value : null;
    }
    case "boolean":
      return text === "true" || text === "1"
        ? true
        : text === "false" || text === "0"
          ? false
          : null;
    default:
      return text;
  }
}

function demand(text: string | null, type: ParameterType, what: string): string | number | boolean {
  if (text === null) return refuse(`Missing required ${what}`);
  return parse(text, type) ?? refuse(`Invalid value for ${what}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return refuse(`Invalid JSON: ${textOf(error)}`);
  }
}

async function check<T>(value: unknown, schema: Schema<T>): Promise<T> {
  const result = await schema["~standard"].validate(value);
  if (result.issues === undefined) return result.value;
  const texts = result.issues.map(({ message, path = [] }) => {
    const at = path.map((one) => String(typeof one === "object" ? one.key : one)).join(".");
    return at === "" ? message : `${at}: ${message}`;
  });
  throw HandlerError.validationError(texts.join("; "));
}
