// SMTP against servers: nodemailer's with TLS and AUTH, OpenSMTPD without (test/servers/smtp.ts says why).

import { describe } from "vitest";
import type { EmailConfig } from "../../sdk/services/config.ts";
import { openSmtp } from "../../services/email/smtp.ts";
import { describeEmailContract, type EmailHarness } from "../contracts/email.ts";
import { hasProgram } from "../servers/install.ts";
import { waitFor } from "../servers/process.ts";
import { startOpenSmtpd, startSmtp, type SmtpOptions } from "../servers/smtp.ts";

const USER = { name: "mailer", password: "secret word" };

function configOf(port: number, more: Partial<EmailConfig> = {}): EmailConfig {
  return {
    host: "127.0.0.1",
    port,
    encryption: "none",
    from_address: "service@example.test",
    timeout_seconds: 10,
    max_retries: 0,
    retry_delay_ms: 1,
    pool_size: 2,
    ...more,
  };
}

async function openTested(
  options: SmtpOptions,
  more: Partial<EmailConfig> = {},
): Promise<EmailHarness> {
  const smtp = await startSmtp(options);
  const { encryption = "none" } = options;
  const tls = encryption === "none" ? {} : { tls_ca: smtp.ca };
  const backend = await openSmtp(configOf(smtp.port, { encryption, ...tls, ...more }));
  return {
    backend,
    usualFrom: "service@example.test",
    arrived: async () => smtp.received.splice(0),
    async close() {
      await backend.close();
      await waitFor(async () => smtp.sessions === 0);
      await smtp.stop();
    },
  };
}

describeEmailContract("SMTP in the clear", () => openTested({}));
describeEmailContract("SMTP with STARTTLS and AUTH", () =>
  openTested(
    { encryption: "starttls", user: USER },
    { username: USER.name, password: USER.password },
  ),
);
describeEmailContract("SMTP over TLS with AUTH", () =>
  openTested({ encryption: "tls", user: USER }, { username: USER.name, password: USER.password }),
);

describe.runIf(process.getuid?.() === 0 && hasProgram("smtpd"))("OpenSMTPD", () => {
  describeEmailContract("with mail folders", async () => {
    const server = await startOpenSmtpd();
    const backend = await openSmtp(configOf(server.port));
    const seen = new Set<string>();
    return {
      backend,
      usualFrom: "service@example.test",
      async arrived(count) {
        // One copy for each recipient, some of them later.
        const fresh = new Map<string, Buffer>();
        await waitFor(async () => {
          for (const raw of server.delivered()) {
            const id = /^message-id: (.*)$/im.exec(raw.toString("latin1"))?.[1] ?? "";
            if (!seen.has(id)) fresh.set(id, raw);
          }
          return fresh.size >= count;
        });
        for (const id of fresh.keys()) seen.add(id);
        return [...fresh.values()].map((raw) => ({ to: null, raw }));
      },
      async close() {
        await backend.close();
        await server[Symbol.asyncDispose]();
      },
    };
  });
});
