// The calls of an email binding (runtime/guest/services/email.ts makes them): checks what they say and who may be
// written to in whose name, and asks the backend.
//
//   send     [{ from, to, cc, bcc, replyTo, subject, text, html, attachments, headers }]  -> Message-ID
//   sendRaw  [from, [to], bytes]                                                          -> Message-ID

import { EdgeError, type JsonObject } from "../../sdk/errors.ts";
import type { ComposedEmail, Email, EmailBackend } from "../../sdk/services/email.ts";
import type { CallContext, ServicePort } from "../../sdk/services/service.ts";
import type { ServiceActor } from "../actor.ts";
import { readBytes, readList } from "../arguments.ts";
import { createPort } from "../port.ts";
import { isAmong, readAddress } from "./addresses.ts";
import { limitRecipients, readMessage } from "./message.ts";
import { checkRaw } from "./raw.ts";

/** As wrangler's send_email; null: whoever the server takes. */
export interface EmailRules {
  /** All mail goes there, and nowhere else. */
  readonly destination: string | null;
  readonly destinations: readonly string[] | null;
  readonly senders: readonly string[] | null;
}

/** Of a binding's options. An empty list allows nobody. */
export function rulesOf(options: JsonObject): EmailRules {
  const list = (name: string): readonly string[] | null => {
    const value = options[name];
    return Array.isArray(value) ? value.map(String) : null;
  };
  const destination = options["destination_address"];
  return {
    destination: typeof destination === "string" ? destination : null,
    destinations: list("allowed_destination_addresses"),
    senders: list("allowed_sender_addresses"),
  };
}

export interface EmailPortOptions {
  readonly actor: ServiceActor<EmailBackend>;
  readonly rules: EmailRules;
  /** The endpoint. */
  readonly caller: string;
}

export function createEmailPort({ actor, rules, caller }: EmailPortOptions): ServicePort {
  const send = (email: Email, { signal }: CallContext): Promise<string> =>
    actor.run((backend, ends) => backend.send(email, ends), { caller, signal });

  return createPort({
    methods: {
      async send([message], context) {
        const email = withDefaults(readMessage(message), rules);
        const recipients = [...email.to, ...email.cc, ...email.bcc].map(({ address }) => address);
        checkRecipients(recipients, rules);
        if (email.from !== null) checkSender(email.from.address, rules);
        return send(email, context);
      },
      async sendRaw([from, to, raw], context) {
        const sender = readAddress(from, "from");
        const recipients = readList(to, "to").map((each) => readAddress(each, "to"));
        checkRecipients(recipients, rules);
        checkSender(sender, rules);
        const checked = checkRaw(readBytes(raw, "the raw mail"), sender);
        return send({ kind: "raw", from: sender, to: recipients, raw: checked }, context);
      },
    },
  });
}

function withDefaults(email: ComposedEmail, { destination, senders }: EmailRules): ComposedEmail {
  const { from, to, cc, bcc } = email;
  const [usual] = senders ?? [];
  const hasNobody = to.length + cc.length + bcc.length === 0;
  return {
    ...email,
    from: from === null && usual !== undefined ? { address: usual, name: "" } : from,
    to: hasNobody && destination !== null ? [{ address: destination, name: "" }] : to,
  };
}

function checkRecipients(
  recipients: readonly string[],
  { destination, destinations }: EmailRules,
): void {
  limitRecipients(recipients.length);
  const allowed = destination === null ? destinations : [destination];
  const stranger = allowed === null ? undefined : recipients.find((to) => !isAmong(to, allowed));
  if (stranger === undefined) return;
  const text = `This binding may not write to ${stranger} (send_email of edge.jsonc).`;
  throw new EdgeError("SERVICE_INPUT", text);
}

function checkSender(sender: string, { senders }: EmailRules): void {
  if (senders === null || isAmong(sender, senders)) return;
  const text = `This binding may not write as ${sender} (send_email of edge.jsonc).`;
  throw new EdgeError("SERVICE_INPUT", text);
}
