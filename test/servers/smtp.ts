// Mail servers for tests. nodemailer's smtp-server stands in for a mail server with TLS and AUTH, because Debian's
// OpenSMTPD cannot do TLS beside OpenSSL 3 ("EVP lib") and offers AUTH over TLS only; it runs in the test's process, so
// a test can also tell it what to refuse. OpenSMTPD itself takes plain mails and delivers them into a folder.

import {
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import PostalMime, { type Email as ParsedMail } from "postal-mime";
import { SMTPServer } from "smtp-server";
import { createCertificate } from "./certificate.ts";
import { findProgram } from "./install.ts";
import { startServer, type TestServer } from "./process.ts";

export interface Received {
  readonly from: string;
  readonly to: readonly string[];
  readonly raw: Buffer;
}

export interface SmtpOptions {
  readonly encryption?: "none" | "starttls" | "tls";
  /** Asks for AUTH, and takes this. */
  readonly user?: { readonly name: string; readonly password: string };
}

/** What the server says instead of taking it: a code and words. */
export interface Refusal {
  readonly code: number;
  readonly words: string;
}

export class TestSmtp implements AsyncDisposable {
  readonly host = "127.0.0.1";
  readonly port: number;
  /** PEM; "" without encryption. */
  readonly ca: string;
  readonly received: Received[] = [];
  /** Sessions that are open. */
  sessions = 0;
  /** Mails that were begun, whether taken or not. */
  begun = 0;
  refuseSender: () => Refusal | null = () => null;
  refuseRecipient: (address: string) => Refusal | null = () => null;
  refuseData: () => Refusal | null = () => null;
  readonly #server: SMTPServer;

  constructor(server: SMTPServer, port: number, ca: string) {
    this.#server = server;
    this.port = port;
    this.ca = ca;
  }

  async parsed(): Promise<ParsedMail[]> {
    return Promise.all(this.received.map(({ raw }) => PostalMime.parse(raw)));
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function refused(refusal: Refusal | null): Error | null {
  if (refusal === null) return null;
  return Object.assign(new Error(refusal.words), { responseCode: refusal.code });
}

export async function startSmtp({
  encryption = "none",
  user,
}: SmtpOptions = {}): Promise<TestSmtp> {
  const { key, cert } = encryption === "none" ? { key: "", cert: "" } : await certificate();
  let smtp: TestSmtp | null = null;
  const server: SMTPServer = new SMTPServer({
    banner: "Test mail",
    secure: encryption === "tls",
    ...(encryption === "none" ? {} : { key, cert }),
    disabledCommands: [
      ...(encryption === "starttls" ? [] : ["STARTTLS"]),
      ...(user === undefined ? ["AUTH"] : []),
    ],
    authOptional: user === undefined,
    closeTimeout: 50,
    onConnect(_session, done) {
      if (smtp !== null) smtp.sessions++;
      done();
    },
    onClose() {
      if (smtp !== null) smtp.sessions--;
    },
    onAuth({ username, password }, _session, done) {
      if (username === user?.name && password === user?.password) done(null, { user: username });
      else done(Object.assign(new Error("No such user here"), { responseCode: 535 }));
    },
    onMailFrom(_address, _session, done) {
      if (smtp !== null) smtp.begun++;
      done(refused(smtp?.refuseSender() ?? null));
    },
    onRcptTo: ({ address }, _session, done) =>
      done(refused(smtp?.refuseRecipient(address) ?? null)),
    onData(stream, { envelope }, done) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.once("end", () => {
        const refusal = refused(smtp?.refuseData() ?? null);
        if (refusal === null) {
          const { mailFrom, rcptTo } = envelope;
          smtp?.received.push({
            from: mailFrom === false ? "" : mailFrom.address,
            to: rcptTo.map(({ address }) => address),
            raw: Buffer.concat(chunks),
          });
        }
        done(refusal);
      });
    },
  });
  // Clients that break off are what some tests are about.
  server.on("error", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.server.address() as AddressInfo;
  smtp = new TestSmtp(server, port, cert);
  return smtp;
}

async function certificate(): Promise<{ readonly key: string; readonly cert: string }> {
  const folder = mkdtempSync(join(tmpdir(), "islet-certificate-"));
  const files = { key: join(folder, "key.pem"), cert: join(folder, "cert.pem") };
  await createCertificate(files);
  const pair = { key: readFileSync(files.key, "utf8"), cert: readFileSync(files.cert, "utf8") };
  rmSync(folder, { recursive: true, force: true });
  return pair;
}

export interface TestOpenSmtpd extends AsyncDisposable {
  readonly server: TestServer;
  readonly port: number;
  /** What has been delivered so far, in no order. */
  delivered(): Buffer[];
}

/** Takes mail for anybody at example.test. Needs root; its socket and its queue are in a mount namespace of its own. */
export async function startOpenSmtpd(): Promise<TestOpenSmtpd> {
  const program = findProgram("smtpd");
  if (program === null) throw new Error("smtpd is missing");
  const mails = mkdtempSync(join(tmpdir(), "islet-maildir-"));
  const folder = join(mails, "maildir");
  mkdirSync(folder);
  const nobody = 65_534;
  for (const path of [mails, folder]) chownSync(path, nobody, nobody);
  // Its own folder there is missing where it has never run.
  const spool = "mount -t tmpfs -o mode=755 tmpfs /var/spool && mkdir -m 711 /var/spool/smtpd";
  const mounts = `mount -t tmpfs tmpfs /run && ${spool}`;
  const server = await startServer({
    command: "unshare",
    args: (place) => {
      const conf = join(place.folder, "smtpd.conf");
      const run = `${mounts} && exec ${program} -d -f ${conf}`;
      return ["--mount", "--propagation", "private", "sh", "-c", run];
    },
    prepare: (place) =>
      writeFileSync(
        join(place.folder, "smtpd.conf"),
        [
          'table anybody { "@" = "nobody" }',
          `listen on ${place.host} port ${place.port}`,
          `action "keep" maildir "${folder}" virtual <anybody>`,
          'match from any for domain "example.test" action "keep"',
          "",
        ].join("\n"),
        { mode: 0o600 },
      ),
    isReady: ({ port }) => greets(port),
  });
  return {
    server,
    port: server.port,
    delivered: () => {
      const inbox = join(folder, "new");
      return list(inbox).map((name) => readFileSync(join(inbox, name)));
    },
    async [Symbol.asyncDispose]() {
      await server.stop();
      rmSync(mails, { recursive: true, force: true });
    },
  };
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // Made with the first mail.
    return [];
  }
}

function greets(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", reject);
    socket.once("data", (greeting) => {
      resolve(greeting.toString().startsWith("220"));
      socket.end("QUIT\r\n");
    });
  });
}
