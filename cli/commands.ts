// All commands, in the order of the help. A new one: write commands/NAME.ts, add it here.

import type { Command, CommandGroup } from "./command.ts";
import { config } from "./commands/config.ts";
import { cron } from "./commands/crons.ts";
import { dev } from "./commands/dev.ts";
import { doctor } from "./commands/doctor.ts";
import { explain } from "./commands/explain.ts";
import { kv } from "./commands/kv.ts";
import { list, remove, resume, rollback, show, versions } from "./commands/endpoints.ts";
import { mail } from "./commands/messaging/mail.ts";
import { queue } from "./commands/messaging/queues.ts";
import { publish } from "./commands/publish.ts";
import { secret } from "./commands/secrets.ts";
import { route } from "./commands/route.ts";
import { serve } from "./commands/serve.ts";
import { services } from "./commands/services.ts";
import { sql } from "./commands/sql.ts";
import { storage } from "./commands/storage.ts";

export const COMMANDS: readonly (Command | CommandGroup)[] = [
  serve,
  dev,
  publish,
  list,
  show,
  versions,
  rollback,
  resume,
  remove,
  services,
  sql,
  kv,
  storage,
  queue,
  mail,
  secret,
  cron,
  explain,
  route,
  config,
  doctor,
];
