// What authors see of a binding, by its kind.

import { createCache } from "./cache.ts";
import type { ServiceClient } from "./client.ts";
import { createDatabase } from "./database.ts";
import { createEmail } from "./email.ts";
import { createKv } from "./kv.ts";
import { createQueue } from "./queue.ts";
import { createRateLimit } from "./rate-limit.ts";
import { createStorage } from "./storage.ts";

type CreateFace = (client: ServiceClient) => object;

/** Without a prototype: a kind that is not here must not be found there. */
export const FACES: Readonly<Record<string, CreateFace>> = Object.freeze(
  Object.assign(Object.create(null) as Record<string, CreateFace>, {
    cache: createCache,
    database: createDatabase,
    email: createEmail,
    kv: createKv,
    queue: createQueue,
    ratelimit: createRateLimit,
    storage: createStorage,
  } satisfies Readonly<Record<string, CreateFace>>),
);
