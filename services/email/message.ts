// What a handler wants sent, as the calls of a binding say it: hostile, so every field is read and bounded.

import { EdgeError } from "../../sdk/errors.ts";
import {
  EMAIL_ATTACHMENTS_MAX,
  EMAIL_BYTES_MAX,
  EMAIL_HEADERS_MAX,
  EMAIL_RECIPIENTS_MAX,
  type ComposedEmail,
  type EmailAttachment,
} from "../../sdk/services/email.ts";
import type { Value } from "../../sdk/services/values.ts";
import { optional, readBytes, readFields, readList, readText } from "../arguments.ts";
import { readLine, readMailbox, readMailboxes } from "./addresses.ts";

const HEADER_NAME = /^[A-Za-z0-9][A-Za-z0-9-]{0,75}$/;
/** Made here, or by the servers on the way; another value would say something that is not so. */
const RESERVED: readonly RegExp[] = [
  /^(?:from|to|cc|bcc|subject|reply-to|sender|date|message-id|mime-version|received)$/i,
  /^(?:return-path|authentication-results|(?:content|resent|dkim|arc)-.*)$/i,
];
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:; ?[\w-]+=[\w.+-]+)*$/;
/** Goes into a header between angle brackets. */
const CONTENT_ID = /^[\w.+@$-]{1,200}$/;

export function readMessage(value: Value): ComposedEmail {
  const fields = readFields(value, "message");
  const message = {
    kind: "composed",
    from: optional(fields["from"], "from", readMailbox),
    to: readMailboxes(fields["to"], "to"),
    cc: readMailboxes(fields["cc"], "cc"),
    bcc: readMailboxes(fields["bcc"], "bcc"),
    replyTo: readMailboxes(fields["replyTo"], "replyTo"),
    subject: readLine(fields["subject"] ?? "", "subject"),
    text: optional(fields["text"], "text", readText),
    html: optional(fields["html"], "html", readText),
    attachments: readAttachments(fields["attachments"] ?? []),
    headers: readHeaders(fields["headers"] ?? []),
  } as const;
  if (message.text === null && message.html === null) {
    throw new EdgeError("SERVICE_INPUT", "A mail has a text, html, or both.");
  }
  limitBytes(message);
  return message;
}

export function limitRecipients(count: number): void {
  if (count > 0 && count <= EMAIL_RECIPIENTS_MAX) return;
  const text = `A mail has 1 to ${EMAIL_RECIPIENTS_MAX} recipients; this one has ${count}.`;
  throw new EdgeError("SERVICE_INPUT", text);
}

export function tooLarge(bytes: number): EdgeError {
  const text = `The mail has ${bytes} bytes; ${EMAIL_BYTES_MAX} are allowed.`;
  return new EdgeError("SERVICE_TOO_LARGE", text);
}

/** Before it is encoded, which makes it larger: nothing that is too large already need be encoded. */
function limitBytes({ text, html, attachments }: ComposedEmail): void {
  let bytes = Buffer.byteLength(text ?? "") + Buffer.byteLength(html ?? "");
  for (const { content } of attachments) bytes += content.byteLength;
  if (bytes > EMAIL_BYTES_MAX) throw tooLarge(bytes);
}

function readAttachments(value: Value): readonly EmailAttachment[] {
  const list = readList(value, "attachments");
  if (list.length > EMAIL_ATTACHMENTS_MAX) {
    const text = `A mail has at most ${EMAIL_ATTACHMENTS_MAX} attachments; this one has ${list.length}.`;
    throw new EdgeError("SERVICE_INPUT", text);
  }
  return list.map((each) => {
    const fields = readFields(each, "attachment");
    return {
      content: readBytes(fields["content"], "an attachment's content"),
      filename: readLine(fields["filename"] ?? "", "an attachment's filename"),
      type: readPattern(fields["type"] ?? "application/octet-stream", "an attachment's type", {
        pattern: MEDIA_TYPE,
        expected: 'a media type as "text/plain"',
      }),
      contentId: optional(fields["contentId"], "an attachment's contentId", (id, what) =>
        readPattern(id, what, { pattern: CONTENT_ID, expected: "letters, digits and . + @ $ - _" }),
      ),
    };
  });
}

function readHeaders(value: Value): ComposedEmail["headers"] {
  const list = readList(value, "headers");
  if (list.length > EMAIL_HEADERS_MAX) {
    const text = `A mail has at most ${EMAIL_HEADERS_MAX} headers of its own.`;
    throw new EdgeError("SERVICE_INPUT", text);
  }
  return list.map((each) => {
    const [name, content] = readList(each, "header");
    const expected = "a name of letters, digits and -";
    const known = readPattern(name, "header", { pattern: HEADER_NAME, expected });
    if (RESERVED.some((pattern) => pattern.test(known))) {
      const text = `The header ${known} is made of the mail's other fields, or by servers.`;
      throw new EdgeError("SERVICE_INPUT", text);
    }
    return [known, readLine(content, `the header ${known}`)];
  });
}

function readPattern(
  value: Value,
  what: string,
  { pattern, expected }: { readonly pattern: RegExp; readonly expected: string },
): string {
  const text = readLine(value, what);
  if (pattern.test(text)) return text;
  throw new EdgeError("SERVICE_INPUT", `${what}: ${expected} is expected.`);
}
