// The streams library looks for DOMException on globalThis while it is evaluated, so it must stand there first.

import { DOMException } from "./dom-exception.ts";

Object.defineProperty(globalThis, "DOMException", {
  value: DOMException,
  writable: true,
  enumerable: false,
  configurable: true,
});
