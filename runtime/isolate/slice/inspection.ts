// What can be asked of an isolate while its code runs on a thread of the pool: which lines burn the time, and to
// stop. Both go through V8's inspector, whose messages interrupt even an endless loop (builtins that never look
// up they do not). Speaks to a session that engine.ts opens.

/** isolated-vm's InspectorSession. */
export interface Session {
  onResponse: (id: number, message: string) => void;
  onNotification: (message: string) => void;
  dispatchProtocolMessage(message: string): void;
  dispose(): void;
}

/** Microseconds between two samples: a hundred of them between the soft limit and the hard one. */
const SAMPLE_US = 1_000;
/** Frames of the hottest stack that are told. */
const FRAMES_MAX = 10;

export interface ProfileNode {
  readonly id: number;
  readonly callFrame: {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
    readonly columnNumber: number;
  };
  readonly hitCount?: number;
  readonly children?: readonly number[];
  readonly positionTicks?: readonly { readonly line: number; readonly ticks: number }[];
}

export class Inspection {
  readonly #session: Session;
  #lastId = 0;
  #profiling = false;
  #stopId = 0;
  #stopped: ((stack: string) => void) | null = null;

  constructor(session: Session) {
    this.#session = session;
    session.onNotification = () => undefined;
    session.onResponse = (id, message) => {
      if (id === this.#stopId) this.#stopped?.(hottestStack(message));
    };
  }

  startProfile(): void {
    if (this.#profiling) return;
    this.#profiling = true;
    this.#send("Profiler.enable");
    this.#send("Profiler.setSamplingInterval", { interval: SAMPLE_US });
    this.#send("Profiler.start");
    // A loop that was compiled while it ran is unknown to the profiler. Coverage makes V8 compile everything anew.
    this.#send("Profiler.startPreciseCoverage", { callCount: false });
    this.#send("Profiler.stopPreciseCoverage");
  }

  /** The stack that was seen most often, in the words of an error's stack; "" when there was none. */
  endProfile(): Promise<string> {
    if (!this.#profiling) return Promise.resolve("");
    this.#profiling = false;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#stopped = resolve;
    this.#stopId = this.#send("Profiler.stop");
    this.#send("Profiler.disable");
    return promise;
  }

  /** Cuts off what runs now. The isolate stays usable. */
  terminate(): void {
    this.#send("Runtime.terminateExecution");
  }

  /** Before the isolate is disposed of. */
  close(): void {
    this.#stopped?.("");
    this.#session.dispose();
  }

  #send(method: string, params: object = {}): number {
    const id = ++this.#lastId;
    this.#session.dispatchProtocolMessage(JSON.stringify({ id, method, params }));
    return id;
  }
}

/** `response`: of Profiler.stop. */
export function hottestStack(response: string): string {
  const { result } = JSON.parse(response) as {
    result?: { profile?: { nodes: readonly ProfileNode[] } };
  };
  const nodes = result?.profile?.nodes ?? [];
  let hottest: ProfileNode | null = null;
  const parents = new Map<number, ProfileNode>();
  for (const node of nodes) {
    for (const child of node.children ?? []) parents.set(child, node);
    const isCode = node.callFrame.url !== "";
    if (isCode && (node.hitCount ?? 0) > (hottest?.hitCount ?? 0)) hottest = node;
  }
  const lines: string[] = [];
  for (let node: ProfileNode | null = hottest; node !== null && lines.length < FRAMES_MAX;) {
    if (node.callFrame.url !== "") lines.push(frameLine(node, node === hottest));
    node = parents.get(node.id) ?? null;
  }
  return lines.join("\n");
}

/** The leaf by the line that was met most often, its callers by where they begin: nobody tells more. */
function frameLine({ callFrame, positionTicks = [] }: ProfileNode, isLeaf: boolean): string {
  const { functionName, url, lineNumber, columnNumber } = callFrame;
  const busiest = positionTicks.toSorted((a, b) => b.ticks - a.ticks)[0];
  const [line, column] =
    isLeaf && busiest !== undefined ? [busiest.line, 1] : [lineNumber + 1, columnNumber + 1];
  return `    at ${functionName === "" ? "<anonymous>" : functionName} (${url}:${line}:${column})`;
}
