// Queues and mail as an author meets them, on a real node with two workers, on what is embedded.

import { afterAll, beforeAll, expect, test } from "vitest";
import PostalMime from "postal-mime";
import { join } from "node:path";
import { listOutbox, readOutbox } from "../../services/email/outbox.ts";
import { startNode, TOKEN, type TestNode } from "../node.ts";
import { until } from "../waiting.ts";

let node: TestNode;

beforeAll(async () => {
  node = await startNode({ workers: 2 });
  await publish();
});

afterAll(() => node.stop());

const PRODUCER = `
  import { EmailMessage } from "cloudflare:email";
  export default {
    async fetch(request, env) {
      const { pathname } = new URL(request.url);
      const act = actions[pathname.split("/").at(-1)];
      try {
        return Response.json((await act(env, request)) ?? null);
      } catch (error) {
        return Response.json({ name: error.name, code: error.code, message: error.message }, { status: 500 });
      }
    },
  };
  const actions = {
    send: (env) => env.JOBS.send({ n: 1 }),
    kinds: (env) => env.JOBS.sendBatch([
      { body: { a: [1], text: "grün" } },
      { body: "text", contentType: "text" },
      { body: new Uint8Array([0, 255]), contentType: "bytes" },
      { body: { at: new Date(5), big: 12n, none: undefined, bytes: new Uint8Array([1, 2]) }, contentType: "v8" },
    ]),
    fail: (env) => env.JOBS.send({ fail: true }),
    metrics: (env) => env.DEAD.metrics(),
    wrong: (env) => env.JOBS.send(new Map(), { contentType: "v8" }),
    large: (env) => env.JOBS.send("x".repeat(200_000)),
    mail: (env) => env.MAIL.send({
      from: { email: "shop@example.test", name: "The Shop" },
      to: ["bob@example.test"],
      subject: "Order",
      text: "Thanks",
      html: "<b>Thanks</b>",
      attachments: [{ content: btoa("a,b"), filename: "a.csv", type: "text/csv", disposition: "attachment" }],
      headers: { "X-Order": "7" },
    }),
    raw: (env) => env.MAIL.send(new EmailMessage(
      "shop@example.test", "bob@example.test", "From: shop@example.test\\r\\nSubject: Raw\\r\\n\\r\\nhi")),
    short: (env) => env.MAIL.send("bob@example.test", "Short", "body"),
    stranger: (env) => env.MAIL.send("eve@example.test", "Short", "body"),
    inject: (env) => env.MAIL.send("bob@example.test", "Short\\r\\nBcc: eve@example.test", "body"),
  };
`;

const CONSUMER = `
  const seen = [];
  export default {
    async fetch(request, env) {
      return Response.json(seen);
    },
    async queue(batch, env) {
      for (const message of batch.messages) {
        const { body, attempts } = message;
        if (body?.fail) throw new Error("cannot do this one");
        const shown = body?.at instanceof Date
          ? ["v8", body.at.getTime(), typeof body.big, "none" in body, [...body.bytes]]
          : body instanceof Uint8Array ? ["bytes", ...body] : body;
        await env.SEEN.send({ queue: batch.queue, shown, attempts });
        message.ack();
      }
    },
  };
`;

const queue = (name: string, scope: string) => ({ kind: "queue", name, scope }) as const;

async function publish(): Promise<void> {
  await node.publish("producer", PRODUCER, {
    routes: [{ host: "*", path: "/produce/*", methods: [] }],
    bindings: [
      queue("JOBS", "jobs"),
      queue("DEAD", "jobs-dead"),
      {
        kind: "email",
        name: "MAIL",
        options: {
          allowed_destination_addresses: ["bob@example.test"],
          allowed_sender_addresses: ["shop@example.test"],
        },
      },
    ],
  });
  await node.publish("consumer", CONSUMER, {
    routes: [],
    bindings: [queue("SEEN", "seen")],
    consumers: [
      { queue: "jobs", maxBatchTimeoutMs: 0, maxRetries: 2, deadLetterQueue: "jobs-dead" },
    ],
  });
  // What another endpoint makes of it, in a process of its own: it has no fetch.
  await node.publish(
    "witness",
    "export default { queue(batch) { for (const { body } of batch.messages) console.log(JSON.stringify(body)); } };",
    { isolation: "dedicated", consumers: [{ queue: "seen", maxBatchTimeoutMs: 0 }] },
  );
}

async function act(name: string): Promise<unknown> {
  const { text } = await node.get(`/produce/${name}`);
  return JSON.parse(text) as unknown;
}

function logged(text: string): Promise<void> {
  return until(`${text} is logged`, () => node.output.replaceAll("\\", "").includes(text));
}

test("messages of every kind reach the consumer of another endpoint, and what it sends the next", async () => {
  expect(await act("kinds")).toBeNull();
  for (const shown of [
    '{"queue":"jobs","shown":{"a":[1],"text":"grün"},"attempts":1}',
    '{"queue":"jobs","shown":"text","attempts":1}',
    '{"queue":"jobs","shown":["bytes",0,255],"attempts":1}',
    '{"queue":"jobs","shown":["v8",5,"bigint",true,[1,2]],"attempts":1}',
  ]) {
    await logged(shown);
  }
});

test("a message that always fails ends among the dead letters", async () => {
  expect(await act("metrics")).toMatchObject({ backlogCount: 0 });
  await act("fail");
  await until("it is among the dead", async () => {
    const metrics = (await act("metrics")) as { backlogCount: number };
    return metrics.backlogCount === 1;
  });
  await logged("went to jobs-dead after 2 retries");
  await until("each try is logged", () => {
    return (node.output.match(/cannot do this one/g)?.length ?? 0) >= 3;
  });
});

test("an operator sees queues and dead letters, drives these back, and drops them", async () => {
  const dead = async (): Promise<unknown> => (await node.api("GET", "/api/queues/jobs-dead")).data;
  expect((await node.api("GET", "/api/queues")).data).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        queue: "jobs",
        service: "embedded",
        producers: ["producer"],
        consumer: "consumer",
        messages: 0,
        error: null,
      }),
      expect.objectContaining({ queue: "jobs-dead", dead_letters_of: ["jobs"], ready: 1 }),
    ]),
  );
  const looked = await node.edge("queue", "messages", "jobs-dead");
  expect(looked.stdout).toMatch(/ready +0 +\{"fail":true\}/);

  const redriven = await node.edge("queue", "redrive", "jobs-dead");
  expect(redriven.stdout).toBe("Moved 1 messages to jobs\n");
  await until("it was tried thrice more", () => {
    return (node.output.match(/cannot do this one/g)?.length ?? 0) >= 6;
  });
  const full = { messages: 1, ready: 1, delayed: 0, in_flight: 0 };
  await until("it is among the dead again", async () =>
    JSON.stringify(await dead()).includes('"ready":1'),
  );
  expect(await dead()).toMatchObject({ ...full, bytes: 13, consumer: null });

  const headers = { authorization: `Bearer ${TOKEN}` };
  const metrics = await fetch(`http://127.0.0.1:${node.adminPort}/metrics`, { headers });
  expect(await metrics.text()).toContain(
    'edge_queue_messages{service="embedded",queue="jobs-dead",state="ready"} 1\n',
  );
  const wrong = await node.api("POST", "/api/queues/jobs/redrive", {});
  expect(wrong).toMatchObject({ status: 422, code: "INPUT_INVALID" });
  const itself = await node.api("POST", "/api/queues/jobs-dead/redrive", { to: "jobs-dead" });
  expect(itself.code).toBe("SERVICE_INPUT");
  expect((await node.api("GET", "/api/queues/none")).code).toBe("SERVICE_NOT_FOUND");

  const purged = await node.api("DELETE", "/api/queues/jobs-dead/messages");
  expect(purged.data).toEqual({ service: "embedded", queue: "jobs-dead", purged: 1 });
  expect(await dead()).toMatchObject({ messages: 0, oldest_seconds: null });
});

test("what a queue does not take is an error of the producer's", async () => {
  expect(await act("wrong")).toMatchObject({ name: "DataCloneError" });
  expect(await act("large")).toMatchObject({ code: "SERVICE_TOO_LARGE" });
});

test("a mail of each form lies in the outbox", async () => {
  const places = { folder: join(node.data, "services/embedded") };
  const { messageId } = (await act("mail")) as { messageId: string };
  const [entry] = await listOutbox(places, 1);
  expect(entry).toMatchObject({ messageId, from: "shop@example.test", to: ["bob@example.test"] });
  const mail = await PostalMime.parse((await readOutbox(places, entry?.id ?? "")) ?? "");
  expect(mail).toMatchObject({ subject: "Order", from: { name: "The Shop" } });
  expect(mail.html).toContain("<b>Thanks</b>");
  expect(mail.attachments).toMatchObject([{ filename: "a.csv", mimeType: "text/csv" }]);
  expect(Buffer.from(mail.attachments[0]?.content as ArrayBuffer).toString()).toBe("a,b");
  await act("raw");
  await act("short");
  const subjects = [];
  for (const { id } of await listOutbox(places, 10)) {
    subjects.push((await PostalMime.parse((await readOutbox(places, id)) ?? "")).subject);
  }
  expect(subjects).toEqual(["Short", "Raw", "Order"]);

  const listed = await node.api("GET", "/api/outbox?limit=3");
  expect(listed.data).toMatchObject([{}, {}, { message_id: messageId }]);
  const shown = await node.edge("mail", "show", entry?.id ?? "");
  expect(shown.stdout).toContain("Subject: Order\n");
  expect((await node.edge("mail", "list")).stdout).toContain(entry?.id);
  expect((await node.api("GET", "/api/outbox/none")).code).toBe("MAIL_NOT_FOUND");
  const postgres = await node.api("GET", "/api/outbox?service=embedded-postgres");
  expect(postgres).toMatchObject({ status: 422, code: "INPUT_INVALID" });
});

test("a mail that the binding does not allow is an error with a code", async () => {
  const stranger = { name: "ServiceError", code: "SERVICE_INPUT" };
  expect(await act("stranger")).toMatchObject(stranger);
  expect(await act("inject")).toMatchObject({ code: "SERVICE_INPUT" });
});
