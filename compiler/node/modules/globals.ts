// What Node has without an import, for code that names it.

import { Buffer } from "node:buffer";
import process from "node:process";
import { clearImmediate, setImmediate } from "node:timers";

export { Buffer, clearImmediate, process, setImmediate };
export const global: typeof globalThis = globalThis;
