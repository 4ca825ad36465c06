// node:util/types, by what values say of themselves.

type Check = (value: unknown) => boolean;

function tagged(...tags: readonly string[]): Check {
  return (value) =>
    typeof value === "object" &&
    value !== null &&
    tags.includes(Object.prototype.toString.call(value).slice(8, -1));
}

function functionOf(...kinds: readonly string[]): Check {
  return (value) =>
    typeof value === "function" &&
    kinds.includes(Object.prototype.toString.call(value).slice(8, -1));
}

function arrayOf(name: string): Check {
  return (value) =>
    isTypedArray(value) && (value as { [Symbol.toStringTag]: string })[Symbol.toStringTag] === name;
}

export const isDate: Check = (value) => value instanceof Date;
export const isRegExp: Check = tagged("RegExp");
export const isPromise: Check = (value) => value instanceof Promise;
export const isMap: Check = (value) => value instanceof Map;
export const isSet: Check = (value) => value instanceof Set;
export const isWeakMap: Check = (value) => value instanceof WeakMap;
export const isWeakSet: Check = (value) => value instanceof WeakSet;
export const isNativeError: Check = (value) => value instanceof Error;
export const isArrayBuffer: Check = (value) => value instanceof ArrayBuffer;
export const isSharedArrayBuffer: Check = tagged("SharedArrayBuffer");
export const isAnyArrayBuffer: Check = (value) =>
  isArrayBuffer(value) || isSharedArrayBuffer(value);
export const isArrayBufferView: Check = (value) => ArrayBuffer.isView(value);
export const isDataView: Check = (value) => value instanceof DataView;
export const isTypedArray: Check = (value) => ArrayBuffer.isView(value) && !isDataView(value);
export const isUint8Array: Check = arrayOf("Uint8Array");
export const isUint8ClampedArray: Check = arrayOf("Uint8ClampedArray");
export const isUint16Array: Check = arrayOf("Uint16Array");
export const isUint32Array: Check = arrayOf("Uint32Array");
export const isInt8Array: Check = arrayOf("Int8Array");
export const isInt16Array: Check = arrayOf("Int16Array");
export const isInt32Array: Check = arrayOf("Int32Array");
export const isFloat32Array: Check = arrayOf("Float32Array");
export const isFloat64Array: Check = arrayOf("Float64Array");
export const isBigInt64Array: Check = arrayOf("BigInt64Array");
export const isBigUint64Array: Check = arrayOf("BigUint64Array");
export const isAsyncFunction: Check = functionOf("AsyncFunction", "AsyncGeneratorFunction");
export const isGeneratorFunction: Check = functionOf("GeneratorFunction", "AsyncGeneratorFunction");
export const isGeneratorObject: Check = tagged("Generator");
export const isBoxedPrimitive: Check = tagged("Number", "String", "Boolean", "BigInt", "Symbol");
/** Nothing tells. */
export const isProxy: Check = () => false;
