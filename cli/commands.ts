// All commands, in the order of the help. A new one: write commands/NAME.ts, add it here.

import type { Command } from "./command.ts";
import { config } from "./commands/config.ts";
import { dev } from "./commands/dev.ts";
import { doctor } from "./commands/doctor.ts";
import { explain } from "./commands/explain.ts";
import { list, remove, resume, rollback, show, versions } from "./commands/endpoints.ts";
import { publish } from "./commands/publish.ts";
import { serve } from "./commands/serve.ts";

export const COMMANDS: readonly Command[] = [
  serve,
  dev,
  publish,
  list,
  show,
  versions,
  rollback,
  resume,
  remove,
  explain,
  config,
  doctor,
];
