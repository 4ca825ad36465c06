// A connection's socket, from the first byte to the last: TLS as the mode says, and no message or answer that is
// larger than this process has room for. The driver gets a socket that is ready.

import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { EdgeError } from "../../../sdk/errors.ts";
import type { PostgresConfig } from "../../../sdk/services/config.ts";
import { SQL_RESULT_BYTES_MAX } from "../../../sdk/services/database.ts";

/** Within a network; a server that takes longer to shake hands is as good as away. */
export const CONNECT_MS_MAX = 5_000;
/** Bytes are hexadecimal on their way: twice as long as they are. */
const ANSWER_BYTES_MAX: number = 2 * SQL_RESULT_BYTES_MAX + 1_048_576;
/** An SSLRequest: its length, and the code that stands for it. */
const TLS_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
const CANCEL_REQUEST = 80_877_102;
const YES = 0x53;
const HEADER_BYTES = 5;

type Place = Pick<PostgresConfig, "host" | "port" | "ssl_mode" | "ssl_ca">;

/** Rejects with SERVICE_UNAVAILABLE. The socket is the caller's, also before it is connected (`onSocket`). */
export async function dial(place: Place, onSocket: (socket: Socket) => void): Promise<Socket> {
  const { host, port, ssl_mode: mode } = place;
  const isPath = host.startsWith("/");
  const plain = isPath ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
  plain.setNoDelay(true);
  own(plain, onSocket);
  const timer = setTimeout(() => {
    plain.destroy(unreachable(place, `no answer within ${CONNECT_MS_MAX} ms`));
  }, CONNECT_MS_MAX);
  try {
    await happens(plain, "connect");
    if (isPath || mode === "disable" || !(await offersTls(plain))) {
      if (isPath || mode === "disable" || mode === "prefer" || mode === "allow") return plain;
      throw unreachable(place, `it offers no TLS, and ssl_mode is ${mode}`);
    }
    const secured = connectTls({ socket: plain, ...tlsOptions(place) });
    own(secured, onSocket);
    await happens(secured, "secureConnect");
    return secured;
  } catch (error) {
    plain.destroy();
    if (error instanceof EdgeError) throw error;
    throw unreachable(place, error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
  }
}

function own(socket: Socket, onSocket: (socket: Socket) => void): void {
  // Whoever waits for it is told as well; at no moment may there be nobody who listens.
  socket.on("error", () => undefined);
  onSocket(socket);
}

function tlsOptions({ host, ssl_mode: mode, ssl_ca: ca }: Place): ConnectionOptions {
  const verifies = mode === "verify-ca" || mode === "verify-full";
  return {
    ...(isIP(host) === 0 ? { servername: host } : { host }),
    ...(ca === undefined ? {} : { ca }),
    rejectUnauthorized: verifies,
    ...(mode === "verify-full" ? {} : { checkServerIdentity: () => undefined }),
  };
}

async function offersTls(socket: Socket): Promise<boolean> {
  const answer = happens(socket, "data");
  socket.write(TLS_REQUEST);
  const bytes = await answer;
  // More than one byte would be something that somebody slipped in before the encryption.
  return bytes instanceof Buffer && bytes[0] === YES && bytes.length === 1;
}

function happens(socket: Socket, event: "connect" | "secureConnect" | "data"): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const settle = (end: () => void): void => {
      socket.off(event, onEvent).off("error", onError).off("close", onClose);
      end();
    };
    const onEvent = (what: unknown): void => settle(() => resolve(what));
    const onError = (error: Error): void => settle(() => reject(error));
    const onClose = (): void => {
      settle(() => reject(new EdgeError("SERVICE_UNAVAILABLE", "The database server hung up.")));
    };
    socket.on(event, onEvent).on("error", onError).on("close", onClose);
  });
}

export function unreachable({ host, port }: Place, why: string): EdgeError {
  const text = `The database server at ${host}:${port} cannot be reached: ${why}.`;
  return new EdgeError("SERVICE_UNAVAILABLE", text);
}

/** What a connection of its own says to end what runs on another one. */
export function cancelRequest(pid: number, secret: number): Buffer {
  const message = Buffer.alloc(16);
  for (const [at, value] of [message.length, CANCEL_REQUEST, pid, secret].entries()) {
    message.writeUInt32BE(value, 4 * at);
  }
  return message;
}

/** Watches what comes in, and cuts the connection off when an answer grows too large. */
export class AnswerGuard {
  readonly #socket: Socket;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  #skip = 0;
  #answerBytes = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
  }

  /** Another answer begins: a statement's, or a page's of a cursor. */
  begin(): void {
    this.#answerBytes = 0;
  }

  #take(chunk: Buffer): void {
    this.#answerBytes += chunk.length;
    if (this.#answerBytes > ANSWER_BYTES_MAX) this.#cut();
    for (let at = 0; at < chunk.length;) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, chunk.length - at);
        this.#skip -= step;
        at += step;
        continue;
      }
      this.#header[this.#headerBytes++] = chunk[at++] ?? 0;
      if (this.#headerBytes < HEADER_BYTES) continue;
      this.#headerBytes = 0;
      const length = this.#header.readUInt32BE(1);
      // The driver would keep all of it in memory before it looks.
      if (length > ANSWER_BYTES_MAX) return this.#cut();
      this.#skip = Math.max(0, length - 4);
    }
  }

  #cut(): void {
    this.#socket.destroy(tooLarge());
  }
}

export function tooLarge(): EdgeError {
  const text = `The rows take more than ${SQL_RESULT_BYTES_MAX} bytes. Ask for fewer, or use a cursor.`;
  return new EdgeError("SERVICE_TOO_LARGE", text);
}
