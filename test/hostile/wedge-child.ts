// Runs a builtin that nothing stops on threads of the pool, in a slice and while an isolate is loaded, and tells what
// became of it. Has to be killed: a process with such a thread does not exit.

import { openWorkshop } from "../isolate/instances.ts";

const SOURCE = `export default { fetch(request) {
  if (new URL(request.url).pathname === "/wedge") [].lastIndexOf.call({ length: 2 ** 53 - 1 }, 1);
  return new Response("ok");
} };`;

const TOP_LEVEL = "[].lastIndexOf.call({ length: 2 ** 53 - 1 }, 1); export default {};";

const workshop = await openWorkshop();
const neighbour = workshop.open({ source: SOURCE });
const opened = workshop.open({ source: SOURCE, limits: { cpuMs: 100 } });
await neighbour.text("/ok");
await opened.text("/ok");
// It waits until the thread is given up, which takes long on a busy machine.
const unloadable = workshop.open({ source: TOP_LEVEL, limits: { wallMs: 60_000 } });
const lost = unloadable.death();
const unserved = unloadable.send("/ok");
const died = opened.death();
const sent = opened.send("/wedge");
const waiting = opened.send("/ok");
const outcomes = [await sent.ended(), await waiting.ended()];
const death = await died;
const near = await neighbour.text("/ok");
const fresh = await opened.text("/ok");
const load = [await lost, await unserved.ended(), unloadable.loaded()];
process.stdout.write(`${JSON.stringify({ outcomes, death, near, fresh, load })}\n`);
