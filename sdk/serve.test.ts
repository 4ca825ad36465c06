import { expect, test } from "vitest";
import { listenFault } from "./serve.ts";

test.each([
  ["EADDRINUSE", "PORT_IN_USE", "Port 80 of 192.0.2.1 is in use"],
  ["EACCES", "PORT_PRIVILEGED", "Port 80 of 192.0.2.1 is for root"],
  ["ENOTFOUND", "HOST_UNUSABLE", "192.0.2.1 is no address, and no name that has one"],
  ["EAI_AGAIN", "HOST_UNUSABLE", "The name servers do not say what address 192.0.2.1 has"],
  ["EADDRNOTAVAIL", "HOST_UNUSABLE", "192.0.2.1 is not an address of this machine"],
  ["EAFNOSUPPORT", "HOST_UNUSABLE", "192.0.2.1: as the system says it"],
])("%s of a listener is %s: %s", (errno, code, message) => {
  const cause = Object.assign(new Error("as the system says it"), { code: errno });
  const fault = listenFault(cause, { host: "192.0.2.1", port: 80 });
  expect(fault).toMatchObject({ code, message, cause, detail: { host: "192.0.2.1", port: 80 } });
});
