// Mail through an SMTP server. Connections are kept and shared. What failed for now is tried again, but only while it
// is sure that the server has taken nothing: a mail that may be on its way is never sent twice.

import { once } from "node:events";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { setTimeout as delay } from "node:timers/promises";
import { EdgeError } from "../../sdk/errors.ts";
import type { EmailConfig } from "../../sdk/services/config.ts";
import type { EmailBackend } from "../../sdk/services/email.ts";
import type { Probe } from "../../sdk/services/service.ts";
import {
  cleaned,
  explain,
  isSafeToRetry,
  wordsOf,
  type Attempt,
  type Failure,
} from "./smtp-failure.ts";
import { composeLetter, createTransport, type Letter, type Sender } from "./nodemailer.ts";

/** Connecting, and waiting for the greeting: servers that look who calls take some seconds. */
const CONNECT_MS_MAX = 10_000;
/** Servers close idle connections after minutes; ours go first. */
const IDLE_MS = 60_000;
/** After so many a server may well close the connection. */
const MAILS_PER_CONNECTION = 100;

export async function openSmtp(config: EmailConfig): Promise<EmailBackend> {
  const pool = createPool(config);
  const sender = senderOf(config);
  return {
    outbox: null,
    async send(email, signal) {
      const letter = await composeLetter(email, sender);
      await deliverPatiently(pool, letter, config, signal);
      return letter.messageId;
    },
    probe: (signal) => probe(config, signal),
    async close() {
      pool.close();
    },
  };
}

interface Pool {
  deliver(letter: Letter, attempt: Attempt, signal: AbortSignal): Promise<void>;
  close(): void;
}

function createPool(config: EmailConfig): Pool {
  const transport = createTransport({
    ...transportOptions(config),
    pool: true,
    maxConnections: config.pool_size,
    maxMessages: MAILS_PER_CONNECTION,
    // Tried again here, where it is known what is safe.
    maxRequeues: 0,
    idleTimeout: IDLE_MS,
  });
  const attempts = new WeakMap<object, Attempt>();
  transport.use("stream", (mail, done) => {
    const attempt = attempts.get(mail.data.envelope as object);
    const open = mail.message.createReadStream.bind(mail.message);
    mail.message.createReadStream = (...args) => {
      const stream = open(...args);
      if (attempt !== undefined) attempt.hasBegun = () => stream.readableDidRead;
      return stream;
    };
    done();
  });
  return {
    async deliver({ from, to, raw }, attempt, signal) {
      const envelope = { from, to: [...to] };
      attempts.set(envelope, attempt);
      const mail = { envelope, raw: Buffer.from(raw), signal };
      const { rejectedErrors = [] } = await transport.sendMail(mail);
      if (rejectedErrors.length === 0) return;
      const words = rejectedErrors.map((each) => `${each.recipient ?? ""}: ${wordsOf(each)}`);
      const text = `The server took the mail for the other recipients, but not for ${words.join("; ")}`;
      throw new EdgeError("SERVICE_FAILED", text);
    },
    close: () => transport.close({ force: true }),
  };
}

async function deliverPatiently(
  pool: Pool,
  letter: Letter,
  config: EmailConfig,
  signal: AbortSignal,
): Promise<void> {
  for (let retries = 0; ; retries++) {
    const attempt: Attempt = { hasBegun: () => false };
    try {
      await pool.deliver(letter, attempt, signal);
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof EdgeError) throw error;
      const failure = error as Failure;
      if (!isSafeToRetry(failure, attempt) || retries >= config.max_retries) {
        throw explain(failure, attempt, config);
      }
    }
    // It ends early with its signal, which is looked at next.
    await delay(config.retry_delay_ms * 2 ** retries, undefined, { signal }).catch(() => {});
    signal.throwIfAborted();
  }
}

async function probe(config: EmailConfig, signal: AbortSignal): Promise<Probe> {
  const single = createTransport(transportOptions(config));
  const stop = (): void => single.close();
  signal.addEventListener("abort", stop);
  try {
    await single.verify();
    return { version: await readGreeting(config, signal) };
  } catch (error) {
    signal.throwIfAborted();
    throw explain(error as Failure, null, config);
  } finally {
    signal.removeEventListener("abort", stop);
    single.close();
  }
}

function transportOptions(config: EmailConfig) {
  const { host, port, username, password, encryption, tls_ca: ca } = config;
  const timeoutMs = 1_000 * config.timeout_seconds;
  return {
    host,
    port,
    secure: encryption === "tls",
    requireTLS: encryption === "starttls",
    ignoreTLS: encryption === "none",
    tls: ca === undefined ? {} : { ca },
    ...(username === undefined ? {} : { auth: { user: username, pass: password ?? "" } }),
    connectionTimeout: Math.min(timeoutMs, CONNECT_MS_MAX),
    greetingTimeout: Math.min(timeoutMs, CONNECT_MS_MAX),
    dnsTimeout: Math.min(timeoutMs, CONNECT_MS_MAX),
    socketTimeout: timeoutMs,
    allowInternalNetworkInterfaces: true,
    disableFileAccess: true,
    disableUrlAccess: true,
  } as const;
}

function senderOf({ from_address, from_name, reply_to }: EmailConfig): Sender {
  return {
    from: { address: from_address, name: from_name ?? "" },
    replyTo: reply_to === undefined ? null : { address: reply_to, name: "" },
  };
}

/** "OpenSMTPD" and the like: what the server says of itself before anything else. */
async function readGreeting(config: EmailConfig, signal: AbortSignal): Promise<string> {
  const { host, port, encryption, tls_ca: ca } = config;
  const socket =
    encryption === "tls"
      ? connectTls({ host, port, ...(ca === undefined ? {} : { ca }) })
      : connect({ host, port });
  socket.setTimeout(CONNECT_MS_MAX, () => socket.destroy());
  try {
    const [line] = (await once(socket.setEncoding("utf8"), "data", { signal })) as [string];
    return cleaned(line.replace(/^\d{3}[ -]/, ""));
  } finally {
    socket.destroy();
  }
}
