// What every backend of mail does: the cases run on each, and what has arrived is read by a parser of somebody else's.

import PostalMime, { type Email as ParsedMail } from "postal-mime";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ComposedEmail, Email, EmailBackend } from "../../sdk/services/email.ts";

export interface EmailHarness {
  readonly backend: EmailBackend;
  /** What backend says as whom, where the mail does not. */
  readonly usualFrom: string;
  /** Whatever has arrived since the last call; at least `count` mails are on their way. */
  arrived(count: number): Promise<readonly Arrival[]>;
  close(): Promise<void>;
}

export interface Arrival {
  /** Of the envelope; null where the backend cannot tell any more. */
  readonly to: readonly string[] | null;
  readonly raw: Uint8Array;
}

export const PLAIN: ComposedEmail = {
  kind: "composed",
  from: { address: "ann@example.test", name: "" },
  to: [{ address: "bob@example.test", name: "" }],
  cc: [],
  bcc: [],
  replyTo: [],
  subject: "Hello",
  text: "Hello Bob",
  html: null,
  attachments: [],
  headers: [],
};

const FOREVER = new AbortController().signal;

export function describeEmailContract(name: string, open: () => Promise<EmailHarness>): void {
  describe(name, () => {
    let harness: EmailHarness;
    beforeAll(async () => {
      harness = await open();
    });
    beforeEach(async () => {
      await harness.arrived(0);
    });
    afterAll(() => harness.close());

    async function sent(
      email: Email,
    ): Promise<Arrival & { readonly mail: ParsedMail; id: string }> {
      const id = await harness.backend.send(email, FOREVER);
      const arrivals = await harness.arrived(1);
      expect(arrivals).toHaveLength(1);
      const [arrival] = arrivals;
      if (arrival === undefined) throw new Error("nothing has arrived");
      return { ...arrival, mail: await PostalMime.parse(arrival.raw), id };
    }

    test("a mail arrives with everything it was given", async () => {
      const pixel = Buffer.from("89504e470d0a1a0a00ff", "hex");
      const { to, mail, raw, id } = await sent({
        ...PLAIN,
        from: { address: "ann@example.test", name: 'Ann "the" Ärmel' },
        to: [{ address: "bob@example.test", name: "Bob, B." }],
        cc: [{ address: "cid@example.test", name: "" }],
        bcc: [{ address: "dan@example.test", name: "" }],
        replyTo: [{ address: "desk@example.test", name: "" }],
        subject: "Grüße 🌍 — a subject that is long enough to be folded when it crosses the wire",
        text: "plain\r\n.\r\n..dots\r\nline",
        html: '<p>Grün <img src="cid:pixel@example"></p>',
        attachments: [
          { content: pixel, filename: "", type: "image/png", contentId: "pixel@example" },
          {
            content: Buffer.from("a,b\n1,2\n"),
            filename: "Zahlen für 2030.csv",
            type: "text/csv",
            contentId: null,
          },
        ],
        headers: [
          ["X-Campaign", "spring"],
          ["List-Unsubscribe", "<https://example.test/out>"],
        ],
      });
      expect(mail.from).toMatchObject({ address: "ann@example.test", name: 'Ann "the" Ärmel' });
      expect(mail.to).toMatchObject([{ address: "bob@example.test", name: "Bob, B." }]);
      expect(mail.cc).toMatchObject([{ address: "cid@example.test" }]);
      expect(mail.replyTo).toMatchObject([{ address: "desk@example.test" }]);
      expect(mail.subject).toBe(
        "Grüße 🌍 — a subject that is long enough to be folded when it crosses the wire",
      );
      expect(mail.text?.trimEnd()).toBe("plain\n.\n..dots\nline");
      expect(mail.html?.trimEnd()).toBe('<p>Grün <img src="cid:pixel@example"></p>');
      expect(mail.messageId).toBe(id);
      const [inline, csv] = mail.attachments;
      expect(inline).toMatchObject({
        mimeType: "image/png",
        contentId: "<pixel@example>",
        disposition: "inline",
      });
      expect(Buffer.from(inline?.content as ArrayBuffer)).toEqual(pixel);
      expect(csv).toMatchObject({ mimeType: "text/csv", filename: "Zahlen für 2030.csv" });
      expect(Buffer.from(csv?.content as ArrayBuffer).toString()).toBe("a,b\n1,2\n");
      const headers = new Map(mail.headers.map(({ key, value }) => [key, value]));
      expect(headers.get("x-campaign")).toBe("spring");
      expect(headers.get("list-unsubscribe")).toBe("<https://example.test/out>");
      expect(Buffer.from(raw).toString("latin1")).not.toMatch(/^bcc:/im);
      if (to !== null) {
        expect(to).toEqual(["bob@example.test", "cid@example.test", "dan@example.test"]);
      }
    });

    test("text alone and HTML alone arrive as one part", async () => {
      const text = await sent(PLAIN);
      expect(text.mail.text?.trimEnd()).toBe("Hello Bob");
      expect(text.mail.html).toBeUndefined();
      const html = await sent({ ...PLAIN, text: null, html: "<b>Hello</b>" });
      expect(html.mail.html?.trimEnd()).toBe("<b>Hello</b>");
    });

    test("a mail without a sender is sent as the service", async () => {
      const { mail } = await sent({ ...PLAIN, from: null });
      expect(mail.from?.address).toBe(harness.usualFrom);
    });

    test("a raw mail arrives byte for byte behind what servers put before it", async () => {
      const lines = [
        "From: ann@example.test",
        "Message-ID: <raw@example.test>",
        "",
        "..",
        ".",
        "grün",
        "",
      ];
      const raw = Buffer.from(lines.join("\r\n"));
      const arrival = await sent({
        kind: "raw",
        from: "ann@example.test",
        to: ["bob@example.test"],
        raw,
      });
      const text = Buffer.from(arrival.raw).toString().replaceAll("\r\n", "\n");
      expect(text.endsWith("\n\n..\n.\ngrün\n")).toBe(true);
      expect(arrival.id).toBe("<raw@example.test>");
      expect(arrival.mail.messageId).toBe("<raw@example.test>");
    });

    test("lines longer than SMTP allows arrive whole", async () => {
      const long = "x".repeat(5_000);
      const { mail } = await sent({ ...PLAIN, text: long });
      expect(mail.text?.trimEnd()).toBe(long);
    });

    test("mails that are sent at once all arrive, each once", async () => {
      const subjects = Array.from({ length: 20 }, (_, index) => `mail ${index}`);
      await Promise.all(
        subjects.map((subject) => harness.backend.send({ ...PLAIN, subject }, FOREVER)),
      );
      const mails = await Promise.all(
        (await harness.arrived(20)).map(({ raw }) => PostalMime.parse(raw)),
      );
      expect(new Set(mails.map(({ subject }) => subject))).toEqual(new Set(subjects));
      expect(mails).toHaveLength(subjects.length);
    });

    test("nothing is sent for a call that is wanted no more", async () => {
      const reason = new Error("wanted no more");
      const gone = AbortSignal.abort(reason);
      await expect(harness.backend.send(PLAIN, gone)).rejects.toBe(reason);
      expect(await harness.arrived(0)).toEqual([]);
    });

    test("tells what it is when it is asked", async () => {
      const { version } = await harness.backend.probe(FOREVER);
      expect(version).toMatch(/^[\w][\w .:-]+$/);
    });
  });
}
