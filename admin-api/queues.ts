// The queues of the node, of which nobody makes a list: those that endpoints' present versions send to, take from, or
// leave dead letters in; and how full each is.

import { bindingsOf } from "../control/services/bindings.ts";
import { EdgeError, errorData, type ErrorData } from "../sdk/errors.ts";
import type { RegistryReader } from "../sdk/node.ts";
import type { AdminDeps } from "./deps.ts";

export interface KnownQueue {
  readonly service: string;
  readonly queue: string;
  /** Names of endpoints. */
  readonly producers: readonly string[];
  readonly consumer: string | null;
  /** Queues of the same service whose consumers give up into it. */
  readonly deadLettersOf: readonly string[];
}

export interface Standing {
  readonly messages: number;
  readonly bytes: number;
  readonly oldestMs: number | null;
  /** These two are null where the queue is too long to count them. */
  readonly ready: number | null;
  readonly delayed: number | null;
  readonly taken: number;
}

/** A queue whose server is away is not waited for: whoever scrapes metrics has ten seconds for all of them. */
const STANDING_MS_MAX = 5_000;

export function queuesOf(registry: Pick<RegistryReader, "all">): readonly KnownQueue[] {
  const found = new Map<string, KnownQueue>();
  const change = (service: string, queue: string, more: (known: KnownQueue) => object): void => {
    const key = `${service} ${queue}`;
    const none = { service, queue, producers: [], consumer: null, deadLettersOf: [] };
    const known: KnownQueue = found.get(key) ?? none;
    found.set(key, { ...known, ...more(known) });
  };
  for (const { endpoint, versions } of registry.all()) {
    const manifest = versions[0]?.manifest;
    for (const binding of bindingsOf(endpoint, manifest)) {
      if (binding.kind !== "queue") continue;
      change(binding.service, binding.scope, ({ producers }) => ({
        producers: [...new Set([...producers, endpoint.name])],
      }));
    }
    for (const { service, queue, deadLetterQueue } of manifest?.consumers ?? []) {
      change(service, queue, () => ({ consumer: endpoint.name }));
      if (deadLetterQueue === null) continue;
      change(service, deadLetterQueue, ({ deadLettersOf }) => ({
        deadLettersOf: [...deadLettersOf, queue],
      }));
    }
  }
  return [...found.values()];
}

/** Rejects with an EdgeError, after five seconds at the latest. */
export async function standingOf(
  { callService }: Pick<AdminDeps, "callService">,
  { service, queue }: Pick<KnownQueue, "service" | "queue">,
): Promise<Standing> {
  const call = { kind: "queue", service, scope: queue, method: "standing" } as const;
  let timer: NodeJS.Timeout | null = null;
  const late = new Promise<never>((_resolve, reject) => {
    const text = `${service} did not answer within ${STANDING_MS_MAX} ms.`;
    timer = setTimeout(() => reject(new EdgeError("SERVICE_TIMEOUT", text)), STANDING_MS_MAX);
  });
  try {
    const answer = await Promise.race([callService(call, []), late]);
    const [messages, bytes, oldestMs = null, delayed = null, taken] = answer as readonly (
      | number
      | null
    )[];
    const counts = { messages: Number(messages), bytes: Number(bytes), taken: Number(taken) };
    const ready = delayed === null ? null : Math.max(0, counts.messages - delayed - counts.taken);
    return { ...counts, ready, delayed, oldestMs };
  } finally {
    if (timer !== null) clearTimeout(timer);
  }
}

/** Of all of them, side by side; an error where one could not be asked. */
export function standings(
  deps: Pick<AdminDeps, "callService">,
  queues: readonly KnownQueue[],
): Promise<readonly (readonly [KnownQueue, Standing | ErrorData])[]> {
  return Promise.all(
    queues.map(async (known) => {
      const standing = await standingOf(deps, known).catch((error: unknown) => errorData(error));
      return [known, standing] as const;
    }),
  );
}

/** By metric, then by labels; those that could not be asked are not there. */
export async function queueSamples(
  deps: Pick<AdminDeps, "callService" | "registry" | "clock">,
): Promise<Readonly<Record<string, Readonly<Record<string, number>>>>> {
  const messages: Record<string, number> = {};
  const bytes: Record<string, number> = {};
  const oldest: Record<string, number> = {};
  for (const [{ service, queue }, standing] of await standings(deps, queuesOf(deps.registry))) {
    if (!("messages" in standing)) continue;
    const labels = `service="${service}",queue="${queue}"`;
    const { ready, delayed, taken } = standing;
    for (const [state, count] of Object.entries({ ready, delayed, in_flight: taken })) {
      if (count !== null) messages[`${labels},state="${state}"`] = count;
    }
    bytes[labels] = standing.bytes;
    oldest[labels] = ageSeconds(standing, deps.clock.now()) ?? 0;
  }
  return {
    edge_queue_messages: messages,
    edge_queue_bytes: bytes,
    edge_queue_oldest_seconds: oldest,
  };
}

/** null: there is no message. */
export function ageSeconds({ oldestMs }: Standing, now: number): number | null {
  return oldestMs === null ? null : Math.max(0, Math.round((now - oldestMs) / 1_000));
}
