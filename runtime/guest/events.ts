// The door to events and abort signals for the rest of the platform.

export {
  AbortController,
  AbortSignal,
  abortSignal,
  createSignal,
  isAbortSignal,
  onSignalAbort,
} from "./abort.ts";
export {
  CustomEvent,
  ErrorEvent,
  type ErrorEventInit,
  Event,
  type EventInit,
  PromiseRejectionEvent,
} from "./event.ts";
export {
  defineHandlerAttribute,
  dispatchTrusted,
  EventTarget,
  globalTarget,
  hasListeners,
} from "./event-target.ts";
