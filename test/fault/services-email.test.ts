// Mail when the server refuses, goes away, hangs or breaks off: what the caller is told, that nothing is sent twice, and
// that it works again by itself.

import { afterEach, beforeEach, expect, test } from "vitest";
import { EdgeError } from "../../sdk/errors.ts";
import type { EmailConfig } from "../../sdk/services/config.ts";
import type { EmailBackend } from "../../sdk/services/email.ts";
import { ServiceActor, type ActorLimits } from "../../services/actor.ts";
import { openSmtp } from "../../services/email/smtp.ts";
import { PLAIN } from "../contracts/email.ts";
import { waitFor } from "../servers/process.ts";
import { startProxy, type TestProxy } from "../servers/proxy.ts";
import { startSmtp, type SmtpOptions, type TestSmtp } from "../servers/smtp.ts";

const USER = { name: "mailer", password: "a secret word" };
const BUSY = { code: 451, words: "4.7.1 come back later" };
const NEVER = { code: 550, words: "5.1.1 nobody here" };

let smtp: TestSmtp;
let proxy: TestProxy;
const actors: ServiceActor<EmailBackend>[] = [];

beforeEach(async () => {
  smtp = await startSmtp();
  proxy = await startProxy(smtp);
});

/** Nothing may be left of a service that was stopped. */
afterEach(async () => {
  for (const actor of actors.splice(0)) await actor.stop();
  await waitFor(async () => proxy.connections === 0);
  await proxy[Symbol.asyncDispose]();
  await smtp.stop();
});

async function serve(options: SmtpOptions): Promise<void> {
  await proxy[Symbol.asyncDispose]();
  await smtp.stop();
  smtp = await startSmtp(options);
  proxy = await startProxy(smtp);
}

interface Mailer {
  send(subject?: string, to?: readonly string[]): Promise<string>;
  readonly actor: ServiceActor<EmailBackend>;
}

function createMailer(more: Partial<EmailConfig> = {}, limits: Partial<ActorLimits> = {}): Mailer {
  const config: EmailConfig = {
    host: proxy.host,
    port: proxy.port,
    encryption: "none",
    from_address: "service@example.test",
    timeout_seconds: 10,
    max_retries: 2,
    retry_delay_ms: 1,
    pool_size: 2,
    ...more,
  };
  const actor = new ServiceActor<EmailBackend>("mail", {
    now: () => performance.now(),
    onHealth: () => undefined,
    onPanic: (error) => {
      throw error;
    },
  });
  actor.start({
    limits: { concurrency: 2, queue: 10, timeoutMs: 20_000, ...limits },
    open: () => openSmtp(config),
  });
  actors.push(actor);
  return {
    actor,
    send(subject = "Hello", to = ["bob@example.test"]) {
      const recipients = to.map((address) => ({ address, name: "" }));
      return actor.run(
        (backend, signal) => backend.send({ ...PLAIN, subject, to: recipients }, signal),
        { caller: "endpoint", signal: new AbortController().signal },
      );
    },
  };
}

async function failure(work: Promise<unknown>): Promise<EdgeError> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof EdgeError) return error;
  throw new Error(`no EdgeError: ${String(error)}`);
}

test.each([
  ["password", { password: "another secret" }],
  ["user", { username: "nobody" }],
])("a wrong %s is refused in the server's words, without a secret", async (_what, wrong) => {
  await serve({ encryption: "starttls", user: USER });
  const { name: username, password } = USER;
  const good = { encryption: "starttls", username, password, tls_ca: smtp.ca } as const;
  const mailer = createMailer({ ...good, ...wrong });
  const error = await failure(mailer.send());
  expect(error.code).toBe("SERVICE_REFUSED");
  expect(error.message).toContain("No such user here");
  expect(error.message).not.toContain("secret");
  expect(mailer.actor.stats().health).toMatchObject({ ok: false, code: "SERVICE_REFUSED" });
  await createMailer(good).send();
  expect(smtp.received).toHaveLength(1);
});

test("no mail goes unencrypted to a server that does not encrypt, or to one that nobody vouches for", async () => {
  const clear = await failure(createMailer({ encryption: "starttls" }).send());
  expect(clear).toMatchObject({ code: "SERVICE_UNAVAILABLE" });
  await serve({ encryption: "tls" });
  const unknown = await failure(createMailer({ encryption: "tls" }).send());
  expect(unknown.code).toBe("SERVICE_UNAVAILABLE");
  expect(unknown.message).toMatch(/self-signed|certificate/);
  expect(smtp.received).toEqual([]);
});

test("a server that is away is told at once, and mail goes again when it is back", async () => {
  const mailer = createMailer();
  await mailer.send();
  proxy.refuse();
  expect(await failure(mailer.send())).toMatchObject({ code: "SERVICE_UNAVAILABLE" });
  proxy.heal();
  await mailer.send();
  expect(smtp.received).toHaveLength(2);
  expect(mailer.actor.stats().health.ok).toBe(true);
});

test("a connection that the server has closed meanwhile costs no mail", async () => {
  const mailer = createMailer();
  await mailer.send();
  proxy.cut();
  await mailer.send();
  expect(smtp.received).toHaveLength(2);
});

test("a refusal for now is tried again, and the mail arrives once", async () => {
  let refusals = 0;
  smtp.refuseSender = () => (++refusals === 1 ? BUSY : null);
  smtp.refuseData = () => (++refusals === 3 ? BUSY : null);
  await createMailer().send();
  expect(refusals).toBe(5);
  expect(smtp.received).toHaveLength(1);
});

test("a refusal for now that stays is told after max_retries", async () => {
  smtp.refuseSender = () => BUSY;
  const error = await failure(createMailer({ max_retries: 3 }).send());
  expect(error.code).toBe("SERVICE_FAILED");
  expect(error.message).toContain("451 4.7.1 come back later");
  expect(smtp.begun).toBe(4);
});

test.each<["refuseSender" | "refuseRecipient" | "refuseData"]>([
  ["refuseSender"],
  ["refuseRecipient"],
  ["refuseData"],
])("a refusal for ever (%s) is told at once in the server's words", async (where) => {
  smtp[where] = () => NEVER;
  const mailer = createMailer();
  const error = await failure(mailer.send());
  expect(error.code).toBe("SERVICE_FAILED");
  expect(error.message).toContain("550 5.1.1 nobody here");
  expect(smtp.begun).toBe(1);
  expect(mailer.actor.stats().health.ok).toBe(true);
});

test("a mail that only some recipients' server takes says for whom it failed, and is not sent again", async () => {
  smtp.refuseRecipient = (address) => (address.startsWith("eve@") ? BUSY : null);
  const error = await failure(
    createMailer().send("Hello", ["bob@example.test", "eve@example.test"]),
  );
  expect(error.code).toBe("SERVICE_FAILED");
  expect(error.message).toMatch(/took the mail for the other recipients.*eve@example\.test: 451/);
  expect(smtp.received.map(({ to }) => to)).toEqual([["bob@example.test"]]);
});

test("a connection reset at any step: an acknowledged mail has arrived, and none arrives twice", async () => {
  // Greeting, EHLO, MAIL, RCPT, DATA, the mail, QUIT: more steps than there are, and a mail after each.
  for (const kind of ["request", "reply"] as const) {
    for (let step = 1; step <= 8; step++) {
      const mailer = createMailer();
      if (kind === "request") proxy.cutAtRequest(step);
      else proxy.cutAfterReplyBytes(25 * step);
      const subject = `${kind} ${step}`;
      const error = await mailer.send(subject).then(
        () => null,
        (reason: unknown) => reason as EdgeError,
      );
      proxy.heal();
      await mailer.actor.stop();
      const arrived = smtp.received.filter(({ raw }) => raw.includes(`Subject: ${subject}\r\n`));
      expect({ subject, arrived: arrived.length }).toEqual({
        subject,
        arrived: error === null ? 1 : arrived.length === 0 ? 0 : 1,
      });
      if (error === null) continue;
      expect(error.code).toBe("SERVICE_FAILED");
      expect(error.message).toContain("it may have arrived");
    }
  }
});

test("a server that says nothing any more: the call ends by its time, and the next ones work", async () => {
  // The first mail has to arrive within it, on a busy machine too.
  const mailer = createMailer({}, { timeoutMs: 1_000 });
  await mailer.send();
  proxy.blackhole();
  expect(await failure(mailer.send())).toMatchObject({ code: "SERVICE_TIMEOUT" });
  proxy.heal();
  const again = createMailer();
  await again.send();
  await waitFor(() =>
    mailer.send().then(
      () => true,
      () => false,
    ),
  );
  expect(mailer.actor.stats().running).toBe(0);
});

test("a slow server is waited for", async () => {
  proxy.slow(20);
  await createMailer().send();
  expect(smtp.received).toHaveLength(1);
});

test("more mails than may wait are refused, those that wait are sent over the pool's connections", async () => {
  proxy.blackhole();
  const mailer = createMailer({}, { queue: 4 });
  const sends = Array.from({ length: 10 }, (_, at) => mailer.send(`mail ${at}`));
  // Two run, four wait; one caller may fill half of the queue.
  const ends = await Promise.allSettled(sends.slice(4));
  for (const end of ends) {
    expect(end).toMatchObject({ status: "rejected", reason: { code: "SERVICE_OVERLOADED" } });
  }
  proxy.heal();
  await Promise.all(sends.slice(0, 4));
  expect(smtp.received).toHaveLength(4);
});
