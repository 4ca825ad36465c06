// node:stream/web: the platform's own.

type Global = typeof globalThis;

export const ReadableStream: Global["ReadableStream"] = globalThis.ReadableStream;
export const ReadableStreamDefaultReader: Global["ReadableStreamDefaultReader"] =
  globalThis.ReadableStreamDefaultReader;
export const ReadableStreamBYOBReader: Global["ReadableStreamBYOBReader"] =
  globalThis.ReadableStreamBYOBReader;
export const ReadableStreamBYOBRequest: Global["ReadableStreamBYOBRequest"] =
  globalThis.ReadableStreamBYOBRequest;
export const ReadableByteStreamController: Global["ReadableByteStreamController"] =
  globalThis.ReadableByteStreamController;
export const ReadableStreamDefaultController: Global["ReadableStreamDefaultController"] =
  globalThis.ReadableStreamDefaultController;
export const TransformStream: Global["TransformStream"] = globalThis.TransformStream;
export const TransformStreamDefaultController: Global["TransformStreamDefaultController"] =
  globalThis.TransformStreamDefaultController;
export const WritableStream: Global["WritableStream"] = globalThis.WritableStream;
export const WritableStreamDefaultController: Global["WritableStreamDefaultController"] =
  globalThis.WritableStreamDefaultController;
export const WritableStreamDefaultWriter: Global["WritableStreamDefaultWriter"] =
  globalThis.WritableStreamDefaultWriter;
export const ByteLengthQueuingStrategy: Global["ByteLengthQueuingStrategy"] =
  globalThis.ByteLengthQueuingStrategy;
export const CountQueuingStrategy: Global["CountQueuingStrategy"] = globalThis.CountQueuingStrategy;
export const TextEncoderStream: Global["TextEncoderStream"] = globalThis.TextEncoderStream;
export const TextDecoderStream: Global["TextDecoderStream"] = globalThis.TextDecoderStream;
export const CompressionStream: Global["CompressionStream"] = globalThis.CompressionStream;
export const DecompressionStream: Global["DecompressionStream"] = globalThis.DecompressionStream;
