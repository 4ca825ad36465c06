// Lets through who brings a consumer's name and password: HTTP's Basic scheme (RFC 7617).

import type { BasicPolicy } from "../../../../sdk/gateway/policies.ts";
import type { PolicyHost } from "../contract.ts";
import { admit, CONSUMER_HEADERS } from "./consumers.ts";
import { createReader } from "./credentials.ts";
import { ACCEPTED, type Method, type Verdict } from "./method.ts";
import { passwords } from "./passwords.ts";

/** Of the header's field; no name and password of use are longer. */
export const CREDENTIALS_CHARS_MAX = 1_024;

const BASIC = /^Basic +([A-Za-z0-9+/_-]+=*) *$/i;
const { hide: hideHeader } = createReader({ kind: "header", name: "authorization" });

export function createBasic({ realm, groups, hide }: BasicPolicy, host: PolicyHost): Method {
  const challenge = `www-authenticate\nBasic realm="${realm}", charset="UTF-8"\n`;
  const absent: Verdict = { kind: "absent", challenge };
  const refused = (reason: string): Verdict => ({
    kind: "refused",
    code: "CREDENTIALS_INVALID",
    reason,
    challenge,
  });
  return {
    owned: CONSUMER_HEADERS,
    async ask(pass) {
      const header = pass.exchange.header("authorization");
      // Another scheme is for another method.
      if (header === undefined || !/^Basic(?: |$)/i.test(header)) return absent;
      const encoded = header.length > CREDENTIALS_CHARS_MAX ? null : BASIC.exec(header);
      const text = Buffer.from(encoded?.[1] ?? "", "base64").toString();
      const colon = text.indexOf(":");
      if (colon < 0) return refused("malformed");
      const consumer = host.consumers.named(text.slice(0, colon));
      // Who asks for a name that is not there waits as long: names are nobody's business.
      const stored = consumer?.password ?? host.consumers.decoy;
      const isRight = await passwords.verify(text.slice(colon + 1), stored);
      if (isRight === "busy") {
        return { kind: "refused", code: "OVERLOADED", reason: "busy", challenge: "" };
      }
      if (!isRight || consumer === undefined || consumer.password === null)
        return refused("password");
      const verdict = admit(pass, consumer, groups);
      if (verdict === ACCEPTED && hide) hideHeader(pass);
      return verdict;
    },
  };
}
