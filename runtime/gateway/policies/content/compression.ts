// Compresses replies for clients that take it. What is compressed already, is a part, or must not be changed goes on
// as it is; so does what is too short to gain.

import type { CompressionPolicy } from "../../../../sdk/gateway/policies.ts";
import { headerOf } from "../../../../sdk/gateway/header-list.ts";
import type { Policy } from "../../chain.ts";
import type { ReplyHead } from "../../filtered-exchange.ts";
import { CompressedReply } from "./compressed-reply.ts";
import { Encoders } from "./encoder.ts";
import { createEncodingChoice } from "./encoding-choice.ts";

/** One for all routes of this worker. */
const encoders: Encoders = new Encoders();

const NO_CONTENT = 204;
const PARTIAL = 206;
const NOT_MODIFIED = 304;

export function createCompression(policy: CompressionPolicy): Policy {
  const choose = createEncodingChoice(policy.encodings);
  const isOfType = createTypeTest(policy.types);
  const { bytesMin } = policy;
  const isFor = (head: ReplyHead): boolean => isWhole(head) && isOfType(head.headers);
  return {
    onRequest(pass) {
      const { ticket } = pass;
      const encoding = choose(ticket.exchange.header("accept-encoding"));
      ticket.exchange = new CompressedReply(ticket.exchange, {
        encoding,
        isFor,
        bytesMin,
        encoders,
      });
      return true;
    },
  };
}

function isWhole({ status, headers }: ReplyHead): boolean {
  if (status === NO_CONTENT || status === PARTIAL || status === NOT_MODIFIED) return false;
  const coding = headerOf(headers, "content-encoding");
  if (coding !== undefined && coding !== "" && coding !== "identity") return false;
  return !/(?:^|[\s,])no-transform(?:[\s,]|$)/i.test(headerOf(headers, "cache-control") ?? "");
}

/** By media types such as text/* and application/json. */
function createTypeTest(types: readonly string[]): (headers: string) => boolean {
  const exact = new Set(types.filter((type) => !type.includes("*")));
  const families = types.filter((type) => type.endsWith("/*")).map((type) => type.slice(0, -1));
  const suffixes = types.filter((type) => type.startsWith("*+")).map((type) => type.slice(1));
  return (headers) => {
    const value = headerOf(headers, "content-type");
    if (value === undefined) return false;
    const type = (value.split(";", 1)[0] ?? "").trim().toLowerCase();
    return (
      exact.has(type) ||
      families.some((family) => type.startsWith(family)) ||
      suffixes.some((suffix) => type.endsWith(suffix))
    );
  };
}
