import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  EMAIL_ADDRESS_BYTES_MAX,
  EMAIL_ATTACHMENTS_MAX,
  EMAIL_BYTES_MAX,
  EMAIL_HEADERS_MAX,
  EMAIL_LINE_BYTES_MAX,
  EMAIL_RECIPIENTS_MAX,
  type EmailBackend,
} from "../../sdk/services/email.ts";
import type { ServicePort } from "../../sdk/services/service.ts";
import type { Value } from "../../sdk/services/values.ts";
import { ACTOR_LIMITS, ServiceActor } from "../actor.ts";
import { listOutbox, openOutbox, readOutbox } from "./outbox.ts";
import { createEmailPort, type EmailRules } from "./port.ts";

const folder = mkdtempSync(join(tmpdir(), "islet-email-port-"));
const places = { folder };
const ANYBODY: EmailRules = { destination: null, destinations: null, senders: null };
const OK = { from: "ann@example.test", to: "bob@example.test", subject: "Hi", text: "Hello" };

let open: (rules?: EmailRules) => ServicePort;

beforeAll(() => {
  const actor = new ServiceActor<EmailBackend>("mail", {
    now: () => performance.now(),
    onHealth: () => undefined,
    onPanic: (error) => {
      throw error;
    },
  });
  actor.start({
    limits: ACTOR_LIMITS,
    open: () => openOutbox({ default_ttl_secs: 0, max_entries: 0 }, { places }),
  });
  open = (rules = ANYBODY) => createEmailPort({ actor, rules, caller: "endpoint" });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function call(method: string, args: readonly Value[], rules?: EmailRules): Promise<unknown> {
  const { signal } = new AbortController();
  return open(rules).call(method, args, { request: 1, signal, body: null, hold: () => true });
}

function send(fields: Readonly<Record<string, Value>>, rules?: EmailRules): Promise<unknown> {
  return call("send", [{ ...OK, ...fields }], rules);
}

async function last(): Promise<{ from: string; to: readonly string[]; text: string }> {
  const [entry] = await listOutbox(places, 1);
  const raw = await readOutbox(places, entry?.id ?? "");
  const { from = "", to = [] } = entry ?? {};
  return { from, to, text: Buffer.from(raw ?? []).toString() };
}

const REFUSED = { code: "SERVICE_INPUT" };
const TOO_LARGE = { code: "SERVICE_TOO_LARGE" };

test.each<[string, Value, string]>([
  ["plain", "ann@example.test", "ann@example.test"],
  ["named", "Ann <ann@example.test>", "ann@example.test"],
  ["in quotes", '"Ann, A." <ann@example.test>', "ann@example.test"],
  ["an object", { email: "ann@example.test", name: "Ann" }, "ann@example.test"],
  ["a domain beyond ASCII", "ann@grün.test", "ann@xn--grn-ioa.test"],
  ["a tag", "ann+tag@example.test", "ann+tag@example.test"],
])("an address may be %s", async (_how, from, expected) => {
  await send({ from });
  expect((await last()).from).toBe(expected);
});

const BREAKS = [
  "\r\nBcc: eve@example.test",
  "\nBcc: eve@example.test",
  "\rX: y",
  "\0",
  "\u2028x",
  "\u0085x",
];

test.each(BREAKS.map((text) => [JSON.stringify(text), text]))(
  "no field lets %s into a mail's head",
  async (_shown, text) => {
    for (const fields of [
      { subject: `Hi${text}` },
      { from: `ann@example.test${text}` },
      { from: { email: "ann@example.test", name: `Ann${text}` } },
      { to: `Bob${text} <bob@example.test>` },
      { to: `<bob@example.test${text}>` },
      { cc: [`cid@example.test${text}`] },
      { bcc: [`dan${text}@example.test`] },
      { replyTo: `desk@example.test${text}` },
      { headers: [["X-Note", `a${text}`]] },
      { headers: [[`X-Note${text}`, "a"]] },
      { attachments: [{ content: "a", filename: `a${text}.txt` }] },
      { attachments: [{ content: "a", type: `text/plain${text}` }] },
      { attachments: [{ content: "a", contentId: `a${text}` }] },
    ]) {
      await expect(send(fields)).rejects.toMatchObject(REFUSED);
    }
  },
);

test.each([
  "",
  "ann",
  "@example.test",
  "ann@",
  "ann@exa mple.test",
  "ann@-example.test",
  "ann..b@example.test",
  "ann@example.test, bob@example.test",
  "ann@example.test>",
  "<ann@example.test> x",
  "a b@example.test",
  "ann@example.test ",
])("%j is no address", async (address) => {
  await expect(send({ to: address })).rejects.toMatchObject(REFUSED);
});

test.each([
  "From",
  "to",
  "BCC",
  "Content-Type",
  "Message-ID",
  "DKIM-Signature",
  "Resent-To",
  "X Y",
  "",
  "Naïve",
])("the header %j is not the author's to set", async (name) => {
  await expect(send({ headers: [[name, "a"]] })).rejects.toMatchObject(REFUSED);
});

test.each<[string, Readonly<Record<string, Value>>]>([
  ["no text and no HTML", { text: null }],
  ["a number for a subject", { subject: 1 }],
  ["bytes for a text", { text: new Uint8Array(1) }],
  ["a text for attachments", { attachments: "a" }],
  ["an attachment without content", { attachments: [{ filename: "a" }] }],
  ["a list for a header", { headers: [1] }],
  ["a list for an address", { from: ["ann@example.test"] }],
])("%s is refused", async (_what, fields) => {
  await expect(send(fields)).rejects.toMatchObject(REFUSED);
});

test("a mail has 1 to 50 recipients, of all kinds together", async () => {
  const many = (count: number): string[] =>
    Array.from({ length: count }, (_, at) => `to-${at}@example.test`);
  await expect(send({ to: [] })).rejects.toMatchObject(REFUSED);
  const most = EMAIL_RECIPIENTS_MAX - 2;
  const others = { cc: "cid@example.test", bcc: "dan@example.test" };
  await send({ to: many(most), ...others });
  await expect(send({ to: many(most + 1), ...others })).rejects.toMatchObject(REFUSED);
});

test("lines, addresses, headers and attachments have their limits", async () => {
  const local = "a".repeat(64);
  const labels = "b".repeat(63);
  const domain = `${labels}.${labels}.${labels}.${"b".repeat(63)}`;
  await send({ to: `${local}@${domain}` });
  expect(`${local}@${domain}`).toHaveLength(EMAIL_ADDRESS_BYTES_MAX);
  await expect(send({ to: `${local}@${domain}.c` })).rejects.toMatchObject(REFUSED);
  await expect(send({ to: `${local}a@example.test` })).rejects.toMatchObject(REFUSED);
  await send({ subject: "x".repeat(EMAIL_LINE_BYTES_MAX) });
  await expect(send({ subject: "x".repeat(EMAIL_LINE_BYTES_MAX + 1) })).rejects.toMatchObject(
    TOO_LARGE,
  );
  const headers = Array.from({ length: EMAIL_HEADERS_MAX }, (_, at) => [`X-${at}`, "a"]);
  await send({ headers });
  await expect(send({ headers: [...headers, ["X-More", "a"]] })).rejects.toMatchObject(REFUSED);
  const attachments = Array.from({ length: EMAIL_ATTACHMENTS_MAX }, () => ({ content: "a" }));
  await send({ attachments });
  const more = [...attachments, { content: "a" }];
  await expect(send({ attachments: more })).rejects.toMatchObject(REFUSED);
});

test("a mail has at most 25 MB as it is sent", async () => {
  const head = Buffer.from("From: ann@example.test\r\n\r\n");
  const raw = (bytes: number): Uint8Array => Buffer.concat([head], bytes).fill("x", head.length);
  const sendRaw = (bytes: number): Promise<unknown> =>
    call("sendRaw", ["ann@example.test", ["bob@example.test"], raw(bytes)]);
  await sendRaw(EMAIL_BYTES_MAX);
  await expect(sendRaw(EMAIL_BYTES_MAX + 1)).rejects.toMatchObject(TOO_LARGE);
  const content = new Uint8Array(EMAIL_BYTES_MAX * 0.75);
  await expect(send({ attachments: [{ content }] })).rejects.toMatchObject(TOO_LARGE);
  const text = "x".repeat(EMAIL_BYTES_MAX);
  await expect(send({ text, html: "x" })).rejects.toMatchObject(TOO_LARGE);
});

test("a binding with a destination writes there only, also when nobody is named", async () => {
  const rules = { ...ANYBODY, destination: "desk@example.test" };
  await send({ to: [] }, rules);
  expect((await last()).to).toEqual(["desk@example.test"]);
  await send({ to: "Desk@Example.test" }, rules);
  for (const fields of [{}, { to: "desk@example.test", bcc: "eve@example.test" }]) {
    await expect(send(fields, rules)).rejects.toMatchObject(REFUSED);
  }
});

test("a binding with lists writes to and as those on them only", async () => {
  const destinations = ["bob@example.test", "cid@example.test"];
  const rules = { destination: null, destinations, senders: ["shop@example.test"] };
  await send({ from: null, cc: ["cid@example.test"] }, rules);
  expect((await last()).from).toBe("shop@example.test");
  await send({ from: "Shop <SHOP@example.test>" }, rules);
  await expect(send({}, rules)).rejects.toMatchObject(REFUSED);
  const shop = { from: "shop@example.test" };
  await expect(send({ ...shop, cc: "eve@example.test" }, rules)).rejects.toMatchObject(REFUSED);
  const raw = Buffer.from("From: shop@example.test\r\n\r\nHi");
  const sendRaw = (from: string, to: string): Promise<unknown> =>
    call("sendRaw", [from, [to], raw], rules);
  await sendRaw("shop@example.test", "bob@example.test");
  await expect(sendRaw("ann@example.test", "bob@example.test")).rejects.toMatchObject(REFUSED);
  await expect(sendRaw("shop@example.test", "eve@example.test")).rejects.toMatchObject(REFUSED);
});

test.each([
  ["says no sender", "Subject: a\r\n\r\nb"],
  ["says another sender", "From: eve@example.test\r\n\r\nb"],
  ["says two senders", "From: ann@example.test\r\nFrom: eve@example.test\r\n\r\nb"],
  ["hides a second one", "From: ann@example.test\r\nfrom : eve@example.test\r\n\r\nb"],
  ["folds another sender", "From: ann@example.test,\r\n <eve@example.test>\r\n\r\nb"],
  [
    "ends lines by LF, and so hides a header",
    "X: a\nFrom: eve@example.test\nFrom: ann@example.test\n\nb",
  ],
  ["has a Sender", "From: ann@example.test\r\nSender: eve@example.test\r\n\r\nb"],
  ["has a Bcc", "From: ann@example.test\r\nBcc: eve@example.test\r\n\r\nb"],
  ["has a head without end", `From: ann@example.test\r\n${"X: a\r\n".repeat(12_000)}\r\nb`],
])("a raw mail that %s is refused", async (_what, raw) => {
  const sent = call("sendRaw", ["ann@example.test", ["bob@example.test"], raw]);
  await expect(sent).rejects.toMatchObject(REFUSED);
});

test("lone line ends of a raw mail are made whole: none can end it on its way", async () => {
  const raw = "From: Ann <ann@example.test>\nX: y\n\na\n.\nMAIL FROM:<eve@x.test>\r.\rb\r\nc";
  await call("sendRaw", ["ann@example.test", ["bob@example.test"], raw]);
  const { text } = await last();
  expect(text).toBe(raw.replaceAll(/\r\n|\r|\n/g, "\r\n"));
});

test("a method that is not there is refused", async () => {
  for (const name of ["receive", "constructor", "__proto__"]) {
    await expect(call(name, [])).rejects.toMatchObject({ code: "CALL_INVALID" });
  }
});
