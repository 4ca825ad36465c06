import { expect, test } from "vitest";
import type { Exchange } from "../../sdk/exchange.ts";
import { createNetworkTest } from "../../sdk/gateway/cidr.ts";
import { addressedHeaders } from "./client-address.ts";

const asked = (headers: string, address = "10.0.0.1"): Exchange =>
  ({ headers, remoteAddress: () => address }) as unknown as Exchange;
const nobody = createNetworkTest([]);
const proxies = createNetworkTest(["10.0.0.0/8"]);

test("the peer's address comes first, and what the client wrote in its place is dropped", () => {
  const headers = "host\na.test\ncf-connecting-ip\n1.1.1.1\nx-a\n1\ncf-connecting-ip\n2.2.2.2\n";
  expect(addressedHeaders(asked(headers), nobody)).toBe(
    "cf-connecting-ip\n10.0.0.1\nhost\na.test\nx-a\n1\n",
  );
  expect(addressedHeaders(asked("x-a\ncf-connecting-ip\n"), nobody)).toBe(
    "cf-connecting-ip\n10.0.0.1\nx-a\ncf-connecting-ip\n",
  );
});

test("a trusted proxy tells whose request it is, another does not", () => {
  const headers = "x-forwarded-for\n9.9.9.9, 5.5.5.5\n";
  const addressOf = (list: string): string | undefined => list.split("\n")[1];
  expect(addressOf(addressedHeaders(asked(headers), proxies))).toBe("5.5.5.5");
  expect(addressOf(addressedHeaders(asked(headers, "7.7.7.7"), proxies))).toBe("7.7.7.7");
});

test("a request without a client, from endpoint to endpoint, has none", () => {
  expect(addressedHeaders(asked("cf-connecting-ip\n1.1.1.1\n", ""), nobody)).toBe("");
});
