// Lets through by the certificate that a client has shown with TLS. Headers that tell those behind of it are taken from
// the request first, whoever is let through: nobody else may write them.

import type { ClientCertificate } from "../../../../sdk/exchange.ts";
import type { MtlsPolicy } from "../../../../sdk/gateway/policies.ts";
import { withoutHeaders } from "../../../../sdk/gateway/header-list.ts";
import type { Policy } from "../../chain.ts";
import type { PolicyHost } from "../contract.ts";

/** Envoy's, which others write and believe; never a client's here. */
const XFCC = "x-forwarded-client-cert";
/** What may stand in a header on the wire. */
const PLAIN = /^[ -~]*$/;

export function createMtls({ allow, forward }: MtlsPolicy, host: PolicyHost): Policy {
  const owned = new Set([XFCC, ...forward.map(([, header]) => header)]);
  const allowed = new Set(allow);
  return {
    onRequest(pass) {
      pass.headers = withoutHeaders(pass.headers, owned);
      const certificate = pass.exchange.clientCertificate?.() ?? null;
      if (certificate === null) {
        host.counted("edge_auth_failures_total", "certificate_missing");
        pass.ticket.fail("CREDENTIALS_INVALID");
        return false;
      }
      if (allowed.size > 0 && !identities(certificate).some((name) => allowed.has(name))) {
        host.counted("edge_auth_failures_total", "certificate_denied");
        pass.ticket.fail("CONSUMER_DENIED");
        return false;
      }
      pass.isKnown = true;
      for (const [what, header] of forward) {
        pass.headers += `${header}\n${valueOf(certificate, what)}\n`;
      }
      return true;
    },
  };
}

function identities({ commonName, names, fingerprint }: ClientCertificate): string[] {
  return [`CN:${commonName}`, ...names, `SHA256:${fingerprint}`];
}

function valueOf(certificate: ClientCertificate, what: MtlsPolicy["forward"][number][0]): string {
  const { subject, names, fingerprint } = certificate;
  switch (what) {
    case "subject":
      return plain(subject);
    case "names":
      return names.map(plain).join(", ");
    case "fingerprint":
      return fingerprint;
    case "xfcc": {
      const quoted = subject.replace(/["\\]/g, String.raw`\$&`);
      return [
        `Hash=${fingerprint}`,
        `Subject="${plain(quoted)}"`,
        ...names.filter((name) => /^(?:URI|DNS):[^;,"=]*$/.test(name)).map(xfccName),
      ].join(";");
    }
  }
}

function xfccName(name: string): string {
  return plain(name.replace(":", "="));
}

/** What an authority has signed may hold anything; what cannot stand in a header is written as in an address. */
function plain(text: string): string {
  return PLAIN.test(text) ? text : encodeURIComponent(text.toWellFormed());
}
