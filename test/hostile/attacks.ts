// All attacks: what range/range.ts runs.

import { ESCAPES } from "./attacks/escapes.ts";
import { FLOODS } from "./attacks/floods.ts";
import { HANG_UPS } from "./attacks/hang-ups.ts";
import { LOOPS } from "./attacks/loops.ts";
import { MEMORY } from "./attacks/memory.ts";
import { PROTOCOL } from "./attacks/protocol.ts";
import { SMUGGLING } from "./attacks/smuggling.ts";
import { SOCKETS } from "./attacks/sockets.ts";
import type { Attack } from "./range/attack.ts";

export const ATTACKS: readonly Attack[] = [
  ...ESCAPES,
  ...PROTOCOL,
  ...HANG_UPS,
  ...SMUGGLING,
  ...FLOODS,
  ...LOOPS,
  ...MEMORY,
  ...SOCKETS,
];
