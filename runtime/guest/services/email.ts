// The face of a mail binding: Workers' SendEmail, and the short verbs send(to, subject, body), sendHtml and sendFrom.
// What a mail may hold is checked by the host; here it is only brought into the shape that crosses.

import type { Value } from "../../../sdk/services/values.ts";
import { decodeBase64Url } from "../base64.ts";
import { bytesOf } from "../buffer-source.ts";
import { exposeInterface } from "../interface.ts";
import { Response } from "../response.ts";
import { encodeUtf8 } from "../utf8.ts";
import type { ServiceClient } from "./client.ts";

const isArray = Array.isArray;
const keysOf = Object.keys;
const NativeUint8Array = Uint8Array;
const apply = Reflect.apply;
const setBytes = Reflect.get(Uint8Array.prototype, "set") as (this: unknown) => unknown;
const replaceAll = Reflect.get(String.prototype, "replaceAll") as (this: unknown) => unknown;
const readResponse = Reflect.get(Response.prototype, "arrayBuffer") as (this: unknown) => unknown;
/** Only what is made here has it. */
const INTERNAL = {};

type Fields = Readonly<Record<string, unknown>>;

let createWith: (client: ServiceClient) => SendEmail;

function text(value: unknown): Value {
  return value === undefined || value === null ? null : `${value as string}`;
}

/** A text, or { email, name }, or a list of them. */
function mailboxes(value: unknown): Value {
  if (value === undefined || value === null) return null;
  if (!isArray(value)) return mailbox(value);
  const list: Value[] = [];
  const given = value as readonly unknown[];
  for (let at = 0; at < given.length; at++) list[at] = mailbox(given[at]);
  return list;
}

function mailbox(value: unknown): Value {
  if (typeof value !== "object" || value === null) return text(value);
  const { email, name } = value as Fields;
  return { email: text(email), name: text(name) };
}

function bytes(value: unknown): Uint8Array {
  const found = bytesOf(value);
  if (found === null)
    throw new TypeError("An attachment's content is base64, an ArrayBuffer or a view.");
  const copy = new NativeUint8Array(found.byteLength);
  apply(setBytes, copy, [found] as never);
  return copy;
}

function attachment(value: unknown): Value {
  const { content, filename, type, contentId, disposition } = (value ?? {}) as Fields;
  return {
    content: typeof content === "string" ? decoded(content) : bytes(content),
    filename: text(filename) ?? "",
    type: text(type) ?? undefined,
    contentId: disposition === "attachment" ? null : text(contentId),
  };
}

function replaced(given: string, part: string, by: string): string {
  return apply(replaceAll, given, [part, by] as never) as string;
}

function decoded(content: string): Uint8Array {
  const url = replaced(replaced(content, "+", "-"), "/", "_");
  const found = decodeBase64Url(replaced(replaced(replaced(url, "\r", ""), "\n", ""), "=", ""));
  if (found === null) throw new TypeError("An attachment's content that is a text is base64.");
  return found;
}

function attachments(value: unknown): Value {
  const list: Value[] = [];
  if (value === undefined || value === null) return list;
  const given = value as readonly unknown[];
  for (let at = 0; at < given.length; at++) list[at] = attachment(given[at]);
  return list;
}

/** A record, as Workers takes it. */
function headers(value: unknown): Value {
  const list: Value[] = [];
  if (typeof value !== "object" || value === null) return list;
  const names = keysOf(value);
  for (let at = 0; at < names.length; at++) {
    const name = names[at] as string;
    list[at] = [name, text((value as Fields)[name])];
  }
  return list;
}

function message(given: Fields): Value {
  return {
    from: mailboxes(given["from"]),
    to: mailboxes(given["to"]),
    cc: mailboxes(given["cc"]),
    bcc: mailboxes(given["bcc"]),
    replyTo: mailboxes(given["replyTo"] ?? given["reply_to"]),
    subject: text(given["subject"]) ?? "",
    text: text(given["text"]),
    html: text(given["html"]),
    attachments: attachments(given["attachments"]),
    headers: headers(given["headers"]),
  };
}

/** Of an EmailMessage: a text, bytes or a stream. */
async function rawOf(value: unknown): Promise<Uint8Array> {
  if (typeof value === "string") return encodeUtf8(value);
  if (bytesOf(value) !== null) return bytes(value);
  return new NativeUint8Array((await apply(readResponse, new Response(value), [])) as ArrayBuffer);
}

class SendEmail {
  readonly #client: ServiceClient;

  constructor(internal: unknown, client: ServiceClient) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    this.#client = client;
  }

  static {
    createWith = (client) => new SendEmail(INTERNAL, client);
  }

  /** An EmailMessage of "cloudflare:email", the fields of a mail, or: to, subject, text. */
  async send(
    mail: unknown,
    subject: unknown = undefined,
    body: unknown = undefined,
  ): Promise<object> {
    if (typeof mail === "object" && mail !== null && subject === undefined) {
      const fields = mail as Fields;
      if (fields["raw"] === undefined) return this.#send(fields);
      const raw = await rawOf(fields["raw"]);
      const to = mailboxes(fields["to"]);
      const list: Value = isArray(to) ? (to as readonly Value[]) : [to];
      return { messageId: await this.#client.call("sendRaw", [text(fields["from"]), list, raw]) };
    }
    return this.#send({ to: mail, subject, text: body });
  }

  async sendHtml(to: unknown, subject: unknown, html: unknown): Promise<object> {
    return this.#send({ to, subject, html });
  }

  async sendFrom(from: unknown, to: unknown, subject: unknown, body: unknown): Promise<object> {
    return this.#send({ from, to, subject, text: body });
  }

  async #send(fields: Fields): Promise<object> {
    return { messageId: await this.#client.call("send", [message(fields)]) };
  }
}

exposeInterface(SendEmail, "SendEmail");

export function createEmail(client: ServiceClient): object {
  return createWith(client);
}
