// Who may ask, by the certificate that a client shows with TLS.

import { z } from "zod";
import type { MtlsPolicy, PolicyConfig } from "../../../sdk/gateway/policies.ts";
import { headerName, list, text } from "../fields.ts";

const IDENTITY = "CN:NAME, DNS:NAME, URI:URI, email:ADDRESS, IP:ADDRESS or SHA256:HEX";
const identity = text(
  IDENTITY,
  /^(?:(?:CN|DNS|URI|email|IP):[ -~]+|SHA256:(?:[0-9a-fA-F]{2}:?){32})$/,
);

/** As openssl prints it, or as it is compared. */
function normal(text: string): string {
  return text.startsWith("SHA256:")
    ? `SHA256:${text.slice("SHA256:".length).replaceAll(":", "").toLowerCase()}`
    : text;
}

export const mtls: z.ZodType<PolicyConfig, unknown> = z
  .strictObject({
    allow: list(identity, "identities").default([]),
    forward: z
      .strictObject({
        subject: headerName.optional(),
        names: headerName.optional(),
        fingerprint: headerName.optional(),
        xfcc: headerName.optional(),
      })
      .default({}),
  })
  .transform(({ allow, forward }): MtlsPolicy => {
    const { subject, names, fingerprint, xfcc } = forward;
    const pairs = Object.entries({ subject, names, fingerprint, xfcc }) as [
      MtlsPolicy["forward"][number][0],
      string | undefined,
    ][];
    return {
      kind: "mtls",
      allow: allow.map(normal),
      forward: pairs.flatMap(([what, header]) => (header === undefined ? [] : [[what, header]])),
    };
  });
