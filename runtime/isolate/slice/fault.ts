// What the engine tells of a slice that did not end by itself, or left rejected promises behind.

/** How a slice ended when it did not end by itself. */
export type SliceFault = "timeout" | "disposed" | "memory";

/** Of a slice on the pool. */
export interface SliceTrace {
  cut(frames: string): void;
  /** A promise was rejected with this, and nobody handled it. */
  rejected(reason: unknown): void;
}

export class SliceError extends Error {
  readonly fault: SliceFault;
  /** Where a slice was cut off, as far as the engine tells. */
  readonly frames: string;
  constructor(fault: SliceFault, message: string, frames = "") {
    super(message);
    this.name = "SliceError";
    this.fault = fault;
    this.frames = frames;
  }
}

/** isolated-vm puts the guest's frames before the host's, which are nobody's business. */
function guestFrames(stack: string): string {
  const lines = stack.split("\n").filter((line) => /^\s+at /.test(line));
  const end = lines.findIndex((line) => line.includes("(<isolated-vm boundary>)"));
  return lines.slice(0, end < 0 ? 0 : end).join("\n");
}

/** What a promise of the guest's was rejected with: the engine hands over errors as errors, and primitives. */
export function rejectionText(reason: unknown): string {
  if (!(reason instanceof Error))
    return typeof reason === "object" ? "an object" : `${reason as string}`;
  return rejectedError(reason).stack;
}

/** Without the host's frames. */
export function rejectedError(error: Error): { name: string; message: string; stack: string } {
  const { name, message } = error;
  const frames = guestFrames(error.stack ?? "");
  return { name, message, stack: `${name}: ${message}${frames === "" ? "" : `\n${frames}`}` };
}

/** isolated-vm tells its own failures apart by message only. What the guest threw passes unchanged. */
export function sliceFault(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error.message === "Script execution timed out.")
    return new SliceError("timeout", error.message, guestFrames(error.stack ?? ""));
  if (
    /^Isolate was disposed during execution due to memory limit|out of memory|Array buffer allocation failed/i.test(
      error.message,
    )
  ) {
    return new SliceError("memory", error.message);
  }
  if (
    /^Isolate (is|was) (already )?disposed|^Isolate was disposed|Isolate is disposed/i.test(
      error.message,
    )
  ) {
    return new SliceError("disposed", error.message);
  }
  return error;
}
