// A server of an upstream in a process of its own: answers every request after a few milliseconds with one kilobyte.
// Port 0 is any; the port it has stands on stdout.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const [, , port = "0"] = process.argv;
/** So that there is always something under way. */
const ANSWER_MS = 3;
const BODY = "x".repeat(1_024);

const server = createServer((request, response) => {
  request.resume();
  setTimeout(() => response.end(BODY), ANSWER_MS);
});
server.listen(Number(port), "127.0.0.1", () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
