// The door to events and abort signals for the rest of the platform.

export {
  AbortController,
  AbortSignal,
  abortSignal,
  createSignal,
  dependOn,
  isAbortSignal,
  onSignalAbort,
} from "./abort.ts";
export { CustomEvent, ErrorEvent, Event, PromiseRejectionEvent } from "./event.ts";
export { defineGlobalHandlers, EventTarget, globalTarget } from "./event-target.ts";
