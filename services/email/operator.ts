// What an operator asks of mail (admin-api/routes/mail.ts), and no handler: the mails of an outbox are everybody's.
//
//   list  [limit]  -> [[id, sentAt, messageId, from, [to], bytes]]
//   read  [id]     -> bytes | null

import { EdgeError } from "../../sdk/errors.ts";
import type { EmailBackend, Outbox } from "../../sdk/services/email.ts";
import type { ServicePort } from "../../sdk/services/service.ts";
import type { ServiceActor } from "../actor.ts";
import { readInteger, readText } from "../arguments.ts";
import { createPort } from "../port.ts";

/** As many as are kept. */
const LIST_MAX = 1_000;

export function createOutboxPort({
  actor,
  caller,
}: {
  readonly actor: ServiceActor<EmailBackend>;
  readonly caller: string;
}): ServicePort {
  return createPort({
    methods: {
      async list([limit], { signal }) {
        const most = readInteger(limit, "limit", { min: 1, max: LIST_MAX });
        const mails = await actor.run((backend) => outboxOf(backend).list(most), {
          caller,
          signal,
        });
        return mails.map(({ id, sentAt, messageId, from, to, bytes }) => [
          id,
          sentAt,
          messageId,
          from,
          [...to],
          bytes,
        ]);
      },
      async read([id], context) {
        const { signal } = context;
        const name = readText(id, "id");
        const raw = await actor.run((backend) => outboxOf(backend).read(name), { caller, signal });
        context.hold(raw?.byteLength ?? 0);
        return raw;
      },
    },
  });
}

function outboxOf({ outbox }: EmailBackend): Outbox {
  if (outbox !== null) return outbox;
  const text = "The service sends its mails and keeps none; embedded ones do.";
  throw new EdgeError("SERVICE_INPUT", text);
}
