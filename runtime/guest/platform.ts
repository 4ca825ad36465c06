// The web platform as one thing: evaluating this module puts every global in its place, createPlatform gives
// the bridge its side. What the author may see is exactly the table below; what the platform asks of the host
// goes through the port that `thaw` hands round.
//
// Each module captures the intrinsics it needs while it is evaluated, which is before any author code runs.

import { atob, btoa } from "./base64.ts";
import { Blob, copyBlob, File } from "./blob.ts";
import { GuestDate, thawClock, topLevelTimeReads } from "./clock.ts";
import { PerformanceEntry, PerformanceMark, PerformanceMeasure } from "./performance/entries.ts";
import { PerformanceObserver, PerformanceObserverEntryList } from "./performance/observer.ts";
import { Performance, performance } from "./performance/performance.ts";
import { console, thawConsole } from "./console.ts";
import { Cache, CacheStorage, caches, thawCaches, topLevelCacheCount } from "./caches.ts";
import { Crypto, crypto } from "./crypto.ts";
import { copyKey, CryptoKey } from "./crypto/crypto-key.ts";
import { thawCrypto, topLevelCryptoCount } from "./crypto/host.ts";
import { SubtleCrypto } from "./crypto/subtle-crypto.ts";
import { describeError } from "./describe-error.ts";
import { DOMException, QuotaExceededError } from "./dom-exception.ts";
import { TextDecoder, TextEncoder } from "./encoding.ts";
import { thawEncodings } from "./encodings/legacy.ts";
import * as events from "./events.ts";
import { EventSource } from "./event-source/event-source.ts";
import { createEvent } from "./events/incoming.ts";
import { fetch, thawFetch, topLevelFetchCount } from "./fetch.ts";
import { FormData, isFormData } from "./form-data.ts";
import { Headers, isHeaders } from "./headers.ts";
import { lockdown, thawLockdown } from "./lockdown.ts";
import type { ContextSignal, Platform } from "./port.ts";
import { random, seedRandom, topLevelRandomReads } from "./random.ts";
import { listensForRejections, reportRejection, thawRejections } from "./events/rejections.ts";
import { reportError, thawReport } from "./report.ts";
import { abortRequest, isRequest, Request, requestFromHost } from "./request.ts";
import { isResponse, Response, takeResponse } from "./response.ts";
import { MessageChannel, MessagePort } from "./messaging/message-channel.ts";
import { createEnvironment } from "./services/environment.ts";
import { thawDial, topLevelDialCount } from "./sockets/dial.ts";
import { CloseEvent, MessageEvent } from "./sockets/socket-events.ts";
import { WebSocket, WebSocketPair } from "./sockets/web-socket.ts";
import * as streams from "./streams.ts";
import { refuseToClone, registerCloner, structuredClone } from "./structured-clone.ts";
import {
  clearInterval,
  clearTimeout,
  fireTimer,
  queueMicrotask,
  setInterval,
  setTimeout,
  thawTimers,
} from "./timers.ts";
import {
  CompressionStream,
  DecompressionStream,
  thawCompression,
} from "./transforms/compression.ts";
import { FixedLengthStream, IdentityTransformStream } from "./transforms/identity.ts";
import { TextDecoderStream, TextEncoderStream } from "./transforms/text.ts";
import { URL, URLSearchParams } from "./url.ts";
import { createLoopback } from "./workers/loopback.ts";
import { previewModule, thawModule, topLevelEnvReads } from "./workers/module.ts";
import { URLPattern } from "./url-pattern/url-pattern.ts";
import { Cloudflare, Navigator, navigator, Scheduler, scheduler } from "./workers/navigator.ts";

const GLOBALS: Readonly<Record<string, unknown>> = {
  AbortController: events.AbortController,
  AbortSignal: events.AbortSignal,
  Blob,
  ByteLengthQueuingStrategy: streams.ByteLengthQueuingStrategy,
  Cache,
  CacheStorage,
  CloseEvent,
  Cloudflare,
  CompressionStream,
  CountQueuingStrategy: streams.CountQueuingStrategy,
  Crypto,
  CryptoKey,
  CustomEvent: events.CustomEvent,
  DOMException,
  Date: GuestDate,
  DecompressionStream,
  ErrorEvent: events.ErrorEvent,
  Event: events.Event,
  EventSource,
  EventTarget: events.EventTarget,
  File,
  FixedLengthStream,
  FormData,
  Headers,
  IdentityTransformStream,
  MessageChannel,
  MessageEvent,
  MessagePort,
  Navigator,
  Performance,
  PerformanceEntry,
  PerformanceMark,
  PerformanceMeasure,
  PerformanceObserver,
  PerformanceObserverEntryList,
  PromiseRejectionEvent: events.PromiseRejectionEvent,
  QuotaExceededError,
  ReadableByteStreamController: streams.ReadableByteStreamController,
  ReadableStream: streams.ReadableStream,
  ReadableStreamBYOBReader: streams.ReadableStreamBYOBReader,
  ReadableStreamBYOBRequest: streams.ReadableStreamBYOBRequest,
  ReadableStreamDefaultController: streams.ReadableStreamDefaultController,
  ReadableStreamDefaultReader: streams.ReadableStreamDefaultReader,
  Request,
  Response,
  Scheduler,
  SubtleCrypto,
  TextDecoder,
  TextDecoderStream,
  TextEncoder,
  TextEncoderStream,
  TransformStream: streams.TransformStream,
  TransformStreamDefaultController: streams.TransformStreamDefaultController,
  URL,
  URLPattern,
  URLSearchParams,
  WebSocket,
  WebSocketPair,
  WritableStream: streams.WritableStream,
  WritableStreamDefaultController: streams.WritableStreamDefaultController,
  WritableStreamDefaultWriter: streams.WritableStreamDefaultWriter,
  atob,
  btoa,
  caches,
  console,
  clearInterval,
  clearTimeout,
  crypto,
  fetch,
  navigator,
  performance,
  queueMicrotask,
  reportError,
  scheduler,
  self: globalThis,
  setInterval,
  setTimeout,
  structuredClone,
};

function install(): void {
  for (const name of Object.keys(GLOBALS)) define(globalThis, name, GLOBALS[name]);
  define(Math, "random", random);
  const { globalTarget } = events;
  define(globalThis, "addEventListener", globalTarget.addEventListener.bind(globalTarget));
  define(globalThis, "removeEventListener", globalTarget.removeEventListener.bind(globalTarget));
  define(globalThis, "dispatchEvent", globalTarget.dispatchEvent.bind(globalTarget));
  events.defineGlobalHandlers();
}

function define(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, {
    value,
    writable: true,
    enumerable: false,
    configurable: true,
  });
}

install();
lockdown();

registerCloner(copyBlob);
registerCloner(copyKey);
for (const isKind of [isFormData, isHeaders, isRequest, isResponse, streams.isStream]) {
  refuseToClone(isKind);
}

/**
 * What author code did before thaw: `io` names calls that cannot work there, `reads` what of the outside it
 * looked at, which a snapshot would hand to every isolate.
 */
export function topLevelReads(): { io: string[]; reads: string[] } {
  const reads: string[] = [];
  if (topLevelTimeReads() > 0) reads[0] = "time";
  if (topLevelRandomReads() > 0) reads[reads.length] = "randomness";
  if (topLevelEnvReads() > 0) reads[reads.length] = "environment";
  const io: string[] = topLevelFetchCount() > 0 ? ["fetch"] : [];
  if (topLevelDialCount() > 0) io[io.length] = "WebSocket";
  if (topLevelCryptoCount() > 0) io[io.length] = "crypto";
  if (topLevelCacheCount() > 0) io[io.length] = "caches";
  return { io, reads };
}

/** For a module that is only checked: what `env` holds is there, and takes no calls. */
export function previewEnvironment(text: string): void {
  previewModule(createEnvironment(text, { begin: refuse, cancel: refuse }).env);
}

function refuse(): never {
  throw new TypeError("Services work in handlers, not at top level.");
}

function createContextSignal(): ContextSignal {
  const signal = events.createSignal();
  return {
    signal,
    abort: (message, name) => events.abortSignal(signal, new DOMException(message, name)),
  };
}

export function createPlatform(): Platform {
  return {
    thaw(port, seed, encodings) {
      thawLockdown(port.memoryBytes);
      seedRandom(seed);
      thawEncodings(encodings);
      thawClock(port);
      thawReport(port);
      thawRejections(port);
      thawConsole(port);
      thawCrypto(port);
      thawFetch(port);
      thawDial(port);
      thawCaches(port);
      thawCompression(port);
      // Last: starts what top-level code has set.
      thawTimers(port);
    },
    createEnvironment(text, port) {
      const environment = createEnvironment(text, port);
      thawModule(port, environment.env);
      return environment;
    },
    createRequest: requestFromHost,
    createEvent,
    abortRequest,
    createSignal: createContextSignal,
    createLoopback,
    takeResponse,
    fireTimer,
    listensForRejections,
    reportRejection,
    describeError,
  };
}
