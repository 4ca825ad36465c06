// The door to nodemailer: composes mails, and makes the transport that smtp.ts sends them with. It may read no file and
// no address that a mail names.

import { createTransport } from "nodemailer";
import { EdgeError } from "../../sdk/errors.ts";
import {
  EMAIL_BYTES_MAX,
  type ComposedEmail,
  type Email,
  type EmailAddress,
} from "../../sdk/services/email.ts";
import { tooLarge } from "./message.ts";
import { messageIdOf } from "./raw.ts";

export { createTransport };

/** What a service sends mails of its own as. */
export interface Sender {
  readonly from: EmailAddress;
  readonly replyTo: EmailAddress | null;
}

export interface Letter {
  readonly messageId: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly raw: Uint8Array;
}

const NO_ACCESS = { disableFileAccess: true, disableUrlAccess: true } as const;
const composer = createTransport({
  streamTransport: true,
  buffer: true,
  newline: "windows",
  ...NO_ACCESS,
});

/** As it goes to the server, the same bytes however often it is tried. */
export async function composeLetter(email: Email, sender: Sender): Promise<Letter> {
  if (email.kind === "raw") {
    const { from, to, raw } = email;
    return { messageId: messageIdOf(raw) ?? "", from, to, raw };
  }
  const from = email.from ?? sender.from;
  const { message, messageId } = await composer.sendMail(fieldsOf(email, from, sender));
  if (!(message instanceof Uint8Array)) throw new EdgeError("INTERNAL");
  if (message.byteLength > EMAIL_BYTES_MAX) throw tooLarge(message.byteLength);
  const recipients = [...email.to, ...email.cc, ...email.bcc].map(({ address }) => address);
  return { messageId, from: from.address, to: [...new Set(recipients)], raw: message };
}

function fieldsOf(email: ComposedEmail, from: EmailAddress, sender: Sender): object {
  // Not bcc: as a field it would stand in the mail's head, for everybody to see.
  const { text, html, subject, to, cc } = email;
  const replyTo =
    email.replyTo.length > 0 ? email.replyTo : sender.replyTo === null ? [] : [sender.replyTo];
  return {
    from: mailboxOf(from),
    to: to.map(mailboxOf),
    cc: cc.map(mailboxOf),
    replyTo: replyTo.map(mailboxOf),
    subject,
    ...(text === null ? {} : { text }),
    ...(html === null ? {} : { html }),
    attachments: email.attachments.map(({ content, filename, type, contentId }) => ({
      content: Buffer.from(content.buffer, content.byteOffset, content.byteLength),
      contentType: type,
      filename: filename === "" ? false : filename,
      ...(contentId === null ? {} : { cid: contentId, contentDisposition: "inline" as const }),
    })),
    headers: email.headers.map(([key, value]) => ({ key, value })),
    ...NO_ACCESS,
  };
}

function mailboxOf({ address, name }: EmailAddress): {
  readonly address: string;
  readonly name: string;
} {
  return { address, name };
}
