import { describe, expect, test } from "vitest";
import { MemoryExchange } from "../../test/isolate/memory-exchange.ts";
import { Held } from "./held.ts";
import { RequestBody, type BodyReceiver, exactBuffer } from "./request-body.ts";

const WINDOW = 256 * 1024;

interface Fixture {
  readonly exchange: MemoryExchange;
  readonly body: RequestBody;
  readonly events: string[];
}

function open(whole: Uint8Array | null = null, held: Held = new Held(Infinity)): Fixture {
  const exchange = new MemoryExchange({ method: "POST", streamed: true });
  const events: string[] = [];
  const receiver: BodyReceiver = {
    chunk: (bytes) => events.push(`chunk ${Buffer.from(bytes).toString("latin1")}`),
    text: (text) => events.push(`text ${text}`),
    end: () => events.push("end"),
    fail: (message) => events.push(`fail ${message}`),
    refused: () => events.push("refused"),
  };
  const body = new RequestBody(exchange, whole, receiver, held);
  return { exchange, body, events };
}

describe("a request body", () => {
  test("holds what the guest has not taken, and refuses what is too much", () => {
    const held = new Held(10);
    const { exchange, body, events } = open(null, held);
    body.pullText();
    for (const chunk of ["0123", "45678"]) exchange.upload(chunk);
    expect(held.bytes).toBe(9);
    exchange.upload("9");
    expect(events).toEqual([]);
    exchange.upload("!");
    expect(events.map((event) => event.split(" ")[0])).toEqual(["fail", "refused"]);
    expect(held.bytes).toBe(0);
    body.fail("again");
    expect(held.bytes).toBe(0);
  });

  test("gives back what the guest takes, cancels or loses", () => {
    const held = new Held(100);
    const taken = open(Buffer.from("whole"), held);
    expect(held.bytes).toBe(5);
    taken.body.pull();
    expect(held.bytes).toBe(0);
    for (const end of ["cancel", "fail"] as const) {
      const { body } = open(Buffer.from("whole"), held);
      body[end]("over");
      expect(held.bytes).toBe(0);
    }
  });

  test("is not read before it is wanted", () => {
    const { exchange, body, events } = open();
    exchange.upload("a");
    expect(exchange.bodyRead).toBe(false);
    body.pull();
    expect(exchange.bodyRead).toBe(true);
    expect(events).toEqual(["chunk a"]);
  });

  test("answers one pull with all that is there, and the one after the last with the end", () => {
    const { exchange, body, events } = open();
    body.pull();
    exchange.upload("a");
    exchange.upload("b");
    exchange.upload("c");
    expect(events).toEqual(["chunk a"]);
    body.pull();
    expect(events).toEqual(["chunk a", "chunk bc"]);
    body.pull();
    exchange.upload(null);
    expect(events).toEqual(["chunk a", "chunk bc", "end"]);
    body.pull();
    expect(events.at(-1)).toBe("end");
  });

  test("that arrived whole is given without reading", () => {
    const { exchange, body, events } = open(new Uint8Array([65]));
    body.pull();
    body.pull();
    expect(events).toEqual(["chunk A", "end"]);
    expect(exchange.bodyRead).toBe(false);
  });

  test("as text waits for its end and is decoded as one, its BOM kept", () => {
    const { exchange, body, events } = open();
    body.pullText();
    exchange.upload(new Uint8Array([0xef, 0xbb, 0xbf, 0xc3]));
    expect(events).toEqual([]);
    exchange.upload(new Uint8Array([0xbc]));
    exchange.upload(null);
    expect(events).toEqual(["text \ufeffü"]);
  });

  test("as text after a pull is the rest of it", () => {
    const { exchange, body, events } = open();
    body.pull();
    exchange.upload("a");
    exchange.upload("b");
    body.pullText();
    exchange.upload("c");
    exchange.upload(null);
    expect(events).toEqual(["chunk a", "text bc"]);
  });

  test("pauses the client above the window, not at it, and lets it go on when pulled", () => {
    const { exchange, body, events } = open();
    body.pull();
    exchange.upload("first");
    exchange.upload(new Uint8Array(WINDOW));
    expect(exchange.bodyPaused).toBe(false);
    exchange.upload("x");
    expect(exchange.bodyPaused).toBe(true);
    body.pull();
    expect(exchange.bodyPaused).toBe(false);
    expect(events[1]?.length).toBe("chunk ".length + WINDOW + 1);
  });

  test("does not pause while everything is wanted as text, and goes on if it was", () => {
    const { exchange, body } = open();
    body.pull();
    exchange.upload("first");
    exchange.upload(new Uint8Array(WINDOW + 1));
    expect(exchange.bodyPaused).toBe(true);
    body.pullText();
    expect(exchange.bodyPaused).toBe(false);
    exchange.upload(new Uint8Array(2 * WINDOW));
    expect(exchange.bodyPaused).toBe(false);
  });

  test("that is cancelled is read to its end and thrown away", () => {
    const { exchange, body, events } = open();
    body.cancel();
    expect(exchange.bodyRead).toBe(true);
    exchange.upload(new Uint8Array(2 * WINDOW));
    exchange.upload(null);
    expect(exchange.bodyPaused).toBe(false);
    expect(events).toEqual([]);
    body.pull();
    expect(events).toEqual(["fail The body was cancelled."]);
  });

  test("that is cancelled while paused goes on", () => {
    const { exchange, body } = open();
    body.pull();
    exchange.upload("first");
    exchange.upload(new Uint8Array(WINDOW + 1));
    body.cancel();
    expect(exchange.bodyPaused).toBe(false);
  });

  test("that nobody wants any more because its request is over does not hold the client", () => {
    const { exchange, body } = open();
    body.pull();
    exchange.upload("first");
    exchange.upload(new Uint8Array(WINDOW + 1));
    expect(exchange.bodyPaused).toBe(true);
    body.fail("The request is over.");
    expect(exchange.bodyPaused).toBe(false);
    exchange.upload(new Uint8Array(2 * WINDOW));
    expect(exchange.bodyPaused).toBe(false);
  });

  test("that fails tells who waits, and whoever asks later", () => {
    const { exchange, body, events } = open();
    body.pull();
    exchange.failUpload("The client broke off.");
    expect(events).toEqual(["fail The client broke off."]);
    body.pullText();
    expect(events).toEqual(["fail The client broke off.", "fail The client broke off."]);
  });
});

describe("exactBuffer", () => {
  test("takes a whole buffer as it is and copies out of a shared one", () => {
    const whole = new Uint8Array([1, 2]);
    expect(exactBuffer(whole)).toBe(whole.buffer);
    const part = new Uint8Array([1, 2, 3]).subarray(1);
    expect([...new Uint8Array(exactBuffer(part))]).toEqual([2, 3]);
  });
});
