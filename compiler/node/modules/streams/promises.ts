// node:stream/promises.

import Stream from "node:stream";

type Promises = typeof Stream.promises;

export const pipeline: Promises["pipeline"] = Stream.promises.pipeline;
export const finished: Promises["finished"] = Stream.promises.finished;
