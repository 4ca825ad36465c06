// Lets through who brings a key of a consumer.

import type { ApiKeyPolicy } from "../../../../sdk/gateway/policies.ts";
import type { PolicyHost } from "../contract.ts";
import { admit, CONSUMER_HEADERS } from "./consumers.ts";
import { createReader } from "./credentials.ts";
import { ACCEPTED, type Method, type Verdict } from "./method.ts";

/** Hashing costs by length; no key of use is longer. */
export const KEY_CHARS_MAX = 1_024;

const CHALLENGE = "www-authenticate\nKey\n";
const ABSENT: Verdict = { kind: "absent", challenge: CHALLENGE };
const UNKNOWN: Verdict = {
  kind: "refused",
  code: "CREDENTIALS_INVALID",
  reason: "key",
  challenge: CHALLENGE,
};

export function createApiKey({ from, groups, hide }: ApiKeyPolicy, host: PolicyHost): Method {
  const readers = from.map((source) => createReader(source));
  return {
    owned: CONSUMER_HEADERS,
    ask(pass) {
      for (const reader of readers) {
        const key = reader.read(pass);
        if (key === "") continue;
        const consumer = key.length > KEY_CHARS_MAX ? undefined : host.consumers.withKey(key);
        if (consumer === undefined) return UNKNOWN;
        const verdict = admit(pass, consumer, groups);
        if (verdict === ACCEPTED && hide) reader.hide(pass);
        return verdict;
      }
      return ABSENT;
    },
  };
}
