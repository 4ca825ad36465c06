import { expect, test } from "vitest";
import { InnerExchange } from "./inner-exchange.ts";

function request(method: string, headers = ""): InnerExchange {
  return new InnerExchange({
    method,
    url: new URL("http://a.example/b?c=d"),
    headers,
    body: null,
    requestId: "r",
    signal: new AbortController().signal,
    entrypoint: "default",
  });
}

test("a header's value that is another header's name is not taken for it", () => {
  const exchange = request("GET", "x-what\ncontent-type\naccept\ntext/plain\n");
  expect(exchange.header("content-type")).toBeUndefined();
  expect(exchange.header("accept")).toBe("text/plain");
  expect(exchange.header("host")).toBe("a.example");
});

test("a reply without a body takes what is written, and keeps none of it", async () => {
  const exchange = request("HEAD");
  exchange.begin(200, "");
  expect(exchange.write(new Uint8Array(1024 * 1024))).toBe(true);
  exchange.finish();
  expect(await exchange.replied).toEqual({ status: 200, headers: "x-request-id\nr\n", body: null });
  expect(exchange).toMatchObject({ state: "done", bytesOut: 0 });
});
