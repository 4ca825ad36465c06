// Whether a port is served without a gap: many short connections, one after the other.

import { request } from "node:http";

/** Asks on a new connection each time until it is stopped; tells what went wrong. */
export function asking(port: number, path: string): { stop(): Promise<string[]> } {
  const failures: string[] = [];
  let stopped = false;
  const loop = (async () => {
    while (!stopped) {
      const answer = await askOnce(port, path).catch(codeOf);
      if (answer !== "200") failures.push(answer);
    }
  })();
  return {
    async stop() {
      stopped = true;
      await loop;
      return failures;
    },
  };
}

/** Its text may be "socket hang up" for the same. */
function codeOf(error: unknown): string {
  return String(Reflect.get(Object(error), "code") ?? error);
}

function askOnce(port: number, path: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const call = request({ host: "127.0.0.1", port, path, agent: false }, (response) => {
    response.resume();
    response.on("end", () => resolve(`${response.statusCode}`));
  });
  call.on("error", reject);
  call.end();
  return promise;
}
