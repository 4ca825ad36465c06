import { expect, test } from "vitest";
import { hostField } from "./fields.ts";

test("what servers see as Host is a name or an address, with a port that can be one", () => {
  const taken = ["upstream", "api.example.com", "my_host:0", "h:9", "h:59999", "h:65535", "h:"];
  const addresses = ["10.0.0.1:80", "[::1]", "[2001:DB8::1]:443"];
  for (const host of [...taken, ...addresses]) expect(hostField.parse(host)).toBe(host);
  const refused = ["", "h:65536", "h:66000", "h:99999", "h:100000", "h:1:2", "h:x", ":80", "[::1"];
  for (const host of [...refused, "::1", "a b", "a/b", "h\n", "u@h"]) {
    expect(hostField.safeParse(host).success, host).toBe(false);
  }
});
