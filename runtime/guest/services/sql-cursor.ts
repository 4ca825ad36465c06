// Rows of a query, one by one: pages of them cross, and the database waits meanwhile.

import type { Value } from "../../../sdk/services/values.ts";
import type { OpenAnswer, ServiceClient } from "./client.ts";
import { parseJson, toRow, type PackedStatement, type Row } from "./sql-values.ts";

/** Only what is made here has it. */
const INTERNAL = {};

interface Opened {
  readonly answer: OpenAnswer;
  readonly columns: readonly string[];
  readonly json: readonly number[];
}

export let createCursor: (
  client: ServiceClient,
  statement: PackedStatement,
  options: Value,
) => SqlCursor;

/** What `for await` takes. Nothing happens before the first row is asked for. */
export class SqlCursor {
  readonly #client: ServiceClient;
  readonly #args: readonly Value[];
  #opened: Opened | null = null;
  #rows: readonly (readonly Value[])[] = [];
  #at = 0;
  #done = false;
  #last: Promise<unknown> | null = null;

  constructor(internal: unknown, client: ServiceClient, args: readonly Value[]) {
    if (internal !== INTERNAL) throw new TypeError("Illegal constructor");
    this.#client = client;
    this.#args = args;
  }

  static {
    createCursor = (client, statement, options) => {
      return new SqlCursor(INTERNAL, client, [statement, options]);
    };
  }

  next(): Promise<{ done: boolean; value: Row | undefined }> {
    const next = this.#next(this.#last);
    this.#last = next;
    return next;
  }

  async return(value: unknown = undefined): Promise<{ done: boolean; value: unknown }> {
    this.#done = true;
    this.#opened?.answer.cancel();
    return { done: true, value };
  }

  async #next(before: Promise<unknown> | null): Promise<{ done: boolean; value: Row | undefined }> {
    try {
      await before;
    } catch {
      // Whoever asked for that row has been told.
    }
    while (!this.#done && this.#at >= this.#rows.length) await this.#turn();
    const row = this.#rows[this.#at];
    if (this.#done || row === undefined) return { done: true, value: undefined };
    this.#at++;
    return { done: false, value: toRow(this.#opened?.columns ?? [], row, "own") };
  }

  /** To the next page. */
  async #turn(): Promise<void> {
    try {
      this.#opened ??= await this.#open();
      const page = await this.#opened.answer.pull();
      if (page === undefined) {
        this.#done = true;
        return;
      }
      parseJson(page as Value[][], this.#opened.json);
      this.#rows = page as Value[][];
      this.#at = 0;
    } catch (error) {
      this.#done = true;
      throw error;
    }
  }

  async #open(): Promise<Opened> {
    const answer = await this.#client.open("open", this.#args);
    const head = answer.head as readonly Value[];
    const columns = head[0] as readonly string[];
    const json = head[1] as readonly number[];
    const opened: Opened & { readonly __proto__: null } = {
      __proto__: null,
      answer,
      columns,
      json,
    };
    // It was given up while it was opened.
    if (this.#done) answer.cancel();
    return opened;
  }
}

Object.defineProperty(SqlCursor.prototype, Symbol.asyncIterator, {
  value(this: SqlCursor): SqlCursor {
    return this;
  },
  writable: true,
  configurable: true,
});
