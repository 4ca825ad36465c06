// Sends a share of requests to another upstream too. The request itself knows nothing of it: it is not held back, and
// whatever becomes of the copy, its reply stays. What would cost too much (a long body, too many at once) is not
// copied.

import type { BodySink, Exchange } from "../../../../sdk/exchange.ts";
import type { MirrorPolicy } from "../../../../sdk/gateway/policies.ts";
import type { Policy } from "../../chain.ts";
import { ExchangeLayer } from "../../exchange-layer.ts";
import type { Pass } from "../../pass.ts";
import { ownPass } from "../../upstream/own-request.ts";
import type { PolicyHost } from "../contract.ts";

/** Of copied bodies, over all routes of a worker. */
export const HELD_BYTES_MAX: number = 64 * 1024 * 1024;
/** Of a reply that nobody sees: as much is read for the sake of the connection, then it is cut. */
const REPLY_BYTES_MAX: number = 1024 * 1024;
/** Tells a copy from what it is a copy of. */
const MARK = "x-edge-mirror\n1\n";

let held = 0;

export function createMirror(policy: MirrorPolicy, host: PolicyHost): Policy {
  const { share, openMax } = policy;
  let open = 0;
  const counted = (result: "sent" | "failed" | "skipped"): void =>
    host.counted("edge_mirror_requests_total", result);
  const send = (pass: Pass, body: Uint8Array | null, over: () => void): void => {
    const { pass: copy, reply } = ownPass(pass, {
      method: pass.exchange.method,
      url: pass.url,
      headers: pass.headers + MARK,
      body,
      totalMs: policy.timeoutMs,
      replyBytesMax: REPLY_BYTES_MAX,
    });
    host.proxy(policy.upstream, copy);
    void reply.then((answer) => {
      counted(answer.kind === "failed" ? "failed" : "sent");
      over();
    });
  };
  return {
    onRequest(pass) {
      const { exchange } = pass.ticket;
      if (share < 1 && host.random() >= share) return true;
      if (exchange.upgrade !== null || open >= openMax) {
        counted("skipped");
        return true;
      }
      open++;
      // Asked for while it is known: the socket tells no more once the reply is out.
      pass.exchange.remoteAddress();
      const over = (): void => void open--;
      // Later: so that the request itself is on its way first, and its path is the target's.
      if (!exchange.hasBody) setImmediate(send, pass, null, over);
      else {
        const copied = new CopiedBody(exchange, policy.bodyBytesMax, (body) => {
          if (body !== null) return send(pass, body, over);
          counted("skipped");
          over();
        });
        pass.ticket.exchange = copied;
        pass.ticket.whenDone(() => copied.drop());
      }
      return true;
    },
  };
}

/** A body is written down on its way to the target, which may leave it unread: then there is no copy. */
class CopiedBody extends ExchangeLayer {
  readonly #bytesMax: number;
  readonly #onEnd: (body: Uint8Array | null) => void;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #isOver = false;

  /** `onEnd`: once; null when there is no copy. */
  constructor(inner: Exchange, bytesMax: number, onEnd: (body: Uint8Array | null) => void) {
    super(inner);
    this.#bytesMax = bytesMax;
    this.#onEnd = onEnd;
  }

  override takeWholeBody(): Uint8Array | null {
    const bytes = super.takeWholeBody();
    if (bytes !== null) {
      this.#keep(bytes);
      this.#end();
    }
    return bytes;
  }

  override readBody(sink: BodySink): void {
    super.readBody({
      chunk: (bytes) => {
        this.#keep(bytes);
        sink.chunk(bytes);
      },
      end: () => {
        sink.end();
        this.#end();
      },
      fail: (message) => {
        this.drop();
        sink.fail(message);
      },
    });
  }

  drop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#letGo();
    this.#onEnd(null);
  }

  #keep(bytes: Uint8Array): void {
    if (this.#isOver) return;
    this.#bytes += bytes.byteLength;
    held += bytes.byteLength;
    // Copied: a chunk belongs to whoever it is handed to.
    if (this.#bytes <= this.#bytesMax && held <= HELD_BYTES_MAX) {
      this.#pieces.push(Buffer.from(bytes));
    } else this.drop();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const body = Buffer.concat(this.#pieces);
    this.#letGo();
    setImmediate(this.#onEnd, body);
  }

  #letGo(): void {
    held -= this.#bytes;
    this.#pieces = [];
  }
}
