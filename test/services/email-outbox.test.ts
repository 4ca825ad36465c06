import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { ServicePlaces } from "../../sdk/services/config.ts";
import { listOutbox, openOutbox, readOutbox } from "../../services/email/outbox.ts";
import { describeEmailContract, PLAIN, type Arrival } from "../contracts/email.ts";

const CONFIG = { default_ttl_secs: 0, max_entries: 0 };
const FOREVER = new AbortController().signal;
const folders: string[] = [];

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function places(): ServicePlaces {
  const folder = mkdtempSync(join(tmpdir(), "islet-outbox-"));
  folders.push(folder);
  return { folder };
}

describeEmailContract("the embedded outbox", async () => {
  const where = places();
  const seen = new Set<string>();
  return {
    backend: await openOutbox(CONFIG, { places: where }),
    usualFrom: "outbox@localhost",
    async arrived() {
      const arrivals: Arrival[] = [];
      for (const { id, to } of await listOutbox(where, 1_000)) {
        const raw = await readOutbox(where, id);
        if (seen.has(id) || raw === null) continue;
        seen.add(id);
        arrivals.push({ to, raw });
      }
      return arrivals;
    },
    close: async () => undefined,
  };
});

test("the outbox lists what was sent, the newest first", async () => {
  const where = places();
  let time = Date.UTC(2030, 0, 1);
  const outbox = await openOutbox(CONFIG, { places: where, now: () => (time += 1_000) });
  const first = await outbox.send(PLAIN, FOREVER);
  const second = await outbox.send({ ...PLAIN, subject: "Again" }, FOREVER);
  const entries = await listOutbox(where, 10);
  expect(entries.map(({ messageId }) => messageId)).toEqual([second, first]);
  expect(entries[0]).toMatchObject({
    sentAt: "2030-01-01T00:00:02.000Z",
    from: "ann@example.test",
    to: ["bob@example.test"],
  });
  expect(await listOutbox(where, 1)).toHaveLength(1);
  expect((await readOutbox(where, entries[1]?.id ?? ""))?.byteLength).toBe(entries[1]?.bytes);
  expect(await readOutbox(where, "../../etc/passwd")).toBeNull();
});

test("the outbox keeps the newest mails within its limits", async () => {
  const probe = places();
  await (await openOutbox(CONFIG, { places: probe })).send(PLAIN, FOREVER);
  const bytes = (await listOutbox(probe, 1))[0]?.bytes ?? 0;
  for (const limit of [{ mailsMax: 3 }, { bytesMax: 3 * bytes }, { bytesMax: 4 * bytes - 1 }]) {
    const where = places();
    let time = 0;
    const outbox = await openOutbox(CONFIG, { places: where, now: () => ++time, ...limit });
    for (let mail = 1; mail <= 5; mail++) {
      await outbox.send(PLAIN, FOREVER);
      expect(await listOutbox(where, 10)).toHaveLength(Math.min(mail, 3));
    }
    expect(readdirSync(join(where.folder, "outbox"))).toHaveLength(6);
    expect((await listOutbox(where, 1))[0]?.id).toMatch(/^000000000000005-/);
  }
});

test("an outbox whose folder is lost says so, and works again when it is back", async () => {
  const where = places();
  const outbox = await openOutbox(CONFIG, { places: where });
  rmSync(where.folder, { recursive: true });
  await expect(outbox.send(PLAIN, FOREVER)).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
  await expect(outbox.probe(FOREVER)).rejects.toMatchObject({ code: "SERVICE_UNAVAILABLE" });
  await (await openOutbox(CONFIG, { places: where })).send(PLAIN, FOREVER);
  await outbox.send(PLAIN, FOREVER);
  expect(await listOutbox(where, 10)).toHaveLength(2);
});
