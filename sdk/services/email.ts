// Mail: the contract that every backend of it fulfils (test/contracts/email.ts runs on each), and what handlers may ask
// of it. Mail is sent, never read. Addresses, headers and sizes are checked before a backend sees them
// (services/email/port.ts): nothing in here holds a line break where the format of mail allows none.

import type { Backend } from "./service.ts";

/** Of one mail, to, cc and bcc together; what Workers code is written for. */
export const EMAIL_RECIPIENTS_MAX = 50;
/** Of one mail as it is sent, attachments encoded: what most servers take. */
export const EMAIL_BYTES_MAX: number = 25 * 1_024 * 1_024;
/** More are one archive. */
export const EMAIL_ATTACHMENTS_MAX = 32;
/** Of a subject, a name or the value of a header in UTF-8: a line of mail, which is folded from here on. */
export const EMAIL_LINE_BYTES_MAX = 998;
/** Headers of the author's own. */
export const EMAIL_HEADERS_MAX = 32;
/** RFC 5321: 64 before the @, 255 behind it. */
export const EMAIL_ADDRESS_BYTES_MAX = 320;

export interface EmailAddress {
  readonly address: string;
  /** "" for none. */
  readonly name: string;
}

export interface EmailAttachment {
  readonly content: Uint8Array;
  readonly filename: string;
  /** "text/plain; charset=utf-8" */
  readonly type: string;
  /** Shown in the text: what `cid:` in the HTML refers to. */
  readonly contentId: string | null;
}

export interface ComposedEmail {
  readonly kind: "composed";
  /** null: the service's own. */
  readonly from: EmailAddress | null;
  readonly to: readonly EmailAddress[];
  readonly cc: readonly EmailAddress[];
  /** They get it, and nobody sees that. */
  readonly bcc: readonly EmailAddress[];
  readonly replyTo: readonly EmailAddress[];
  readonly subject: string;
  /** At least one of both. */
  readonly text: string | null;
  readonly html: string | null;
  readonly attachments: readonly EmailAttachment[];
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** A whole mail of the author's making. */
export interface RawEmail {
  readonly kind: "raw";
  readonly from: string;
  readonly to: readonly string[];
  /** Its lines end with CR LF, and its header From is `from`. */
  readonly raw: Uint8Array;
}

export type Email = ComposedEmail | RawEmail;

/** A mail that the node has kept instead of sending it. */
export interface KeptMail {
  /** Sorts by time. */
  readonly id: string;
  readonly sentAt: string;
  readonly messageId: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly bytes: number;
}

export interface Outbox {
  /** Newest first. */
  list(limit: number): Promise<readonly KeptMail[]>;
  /** As it would have been sent; null: there is no such mail, or no more. */
  read(id: string): Promise<Uint8Array | null>;
}

export interface EmailBackend extends Backend {
  /** null: mails are sent, and nothing of them stays. */
  readonly outbox: Outbox | null;
  /**
   * Resolves to the Message-ID when every recipient's mail was taken. A rejection says which were not; whether any of
   * the others have got it stands in the message, and a mail that may have arrived is never sent again here.
   */
  send(email: Email, signal: AbortSignal): Promise<string>;
}
