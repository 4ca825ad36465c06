// DOMException, with the legacy codes. A real Error (stack, Error.isError, `instanceof Error`), whose name and
// message are accessors on the prototype as Web IDL asks, while the class itself inherits from no other.

import { defineConstants, exposeInterface } from "./interface.ts";

/** Names in the order of their legacy codes; "" where the standard has dropped the name. */
const NAMES =
  ",IndexSizeError,,HierarchyRequestError,WrongDocumentError,InvalidCharacterError,," +
  "NoModificationAllowedError,NotFoundError,NotSupportedError,InUseAttributeError,InvalidStateError," +
  "SyntaxError,InvalidModificationError,NamespaceError,InvalidAccessError,,TypeMismatchError," +
  "SecurityError,NetworkError,AbortError,URLMismatchError,QuotaExceededError,TimeoutError," +
  "InvalidNodeTypeError,DataCloneError";

const CONSTANTS: Readonly<Record<string, number>> = {
  INDEX_SIZE_ERR: 1,
  DOMSTRING_SIZE_ERR: 2,
  HIERARCHY_REQUEST_ERR: 3,
  WRONG_DOCUMENT_ERR: 4,
  INVALID_CHARACTER_ERR: 5,
  NO_DATA_ALLOWED_ERR: 6,
  NO_MODIFICATION_ALLOWED_ERR: 7,
  NOT_FOUND_ERR: 8,
  NOT_SUPPORTED_ERR: 9,
  INUSE_ATTRIBUTE_ERR: 10,
  INVALID_STATE_ERR: 11,
  SYNTAX_ERR: 12,
  INVALID_MODIFICATION_ERR: 13,
  NAMESPACE_ERR: 14,
  INVALID_ACCESS_ERR: 15,
  VALIDATION_ERR: 16,
  TYPE_MISMATCH_ERR: 17,
  SECURITY_ERR: 18,
  NETWORK_ERR: 19,
  ABORT_ERR: 20,
  URL_MISMATCH_ERR: 21,
  QUOTA_EXCEEDED_ERR: 22,
  TIMEOUT_ERR: 23,
  INVALID_NODE_TYPE_ERR: 24,
  DATA_CLONE_ERR: 25,
};

const codes: Record<string, number> = Object.create(null) as Record<string, number>;
NAMES.split(",").forEach((name, code) => {
  if (name !== "") codes[name] = code;
});

interface Fields {
  readonly name: string;
  readonly message: string;
}

const construct = Reflect.construct;
const NativeError = Error;
/** By object and not in private fields: those would need Error as the class's parent, which Web IDL forbids. */
const fields = new WeakMap<object, Fields>();
const findFields = fields.get.bind(fields);
const keepFields = fields.set.bind(fields);

function fieldsOf(exception: object): Fields {
  const found = findFields(exception);
  if (found === undefined) throw new TypeError("Illegal invocation");
  return found;
}

class Exception {
  constructor(message: unknown = "", options: unknown = "Error") {
    const error = construct(NativeError, [], new.target) as Exception;
    const text = `${message as string}`;
    let name: string;
    if (typeof options === "object" && options !== null) {
      const given = options as { name?: unknown; cause?: unknown };
      name = given.name === undefined ? "Error" : `${given.name as string}`;
      if ("cause" in given) {
        Object.defineProperty(error, "cause", {
          value: given.cause,
          writable: true,
          configurable: true,
        });
      }
    } else name = `${options as string}`;
    keepFields(error, { name, message: text });
    // Instead of `this`: only Error makes what has a stack and passes for an error.
    return error;
  }

  get name(): string {
    return fieldsOf(this).name;
  }

  get message(): string {
    return fieldsOf(this).message;
  }

  get code(): number {
    return codes[fieldsOf(this).name] ?? 0;
  }
}
Object.setPrototypeOf(Exception.prototype, Error.prototype);
exposeInterface(Exception, "DOMException");
defineConstants(Exception, CONSTANTS);

export interface DOMException extends Error {
  readonly code: number;
}
export const DOMException: {
  new (message?: unknown, options?: unknown): DOMException;
  readonly prototype: DOMException;
} = Exception as never;

const isNumber = Number.isFinite;

function toAmount(value: unknown, what: string): number | null {
  if (value === undefined) return null;
  const amount = Number(value);
  if (!isNumber(amount)) throw new TypeError(`${what} must be a finite number`);
  if (amount < 0) throw new RangeError(`${what} must not be negative`);
  return amount;
}

/** Too much was asked for; says how much there is and how much was asked where whoever throws it knows. */
export class QuotaExceededError extends DOMException {
  readonly #quota: number | null;
  readonly #requested: number | null;

  constructor(message: unknown = "", options: unknown = undefined) {
    super(message, "QuotaExceededError");
    const { quota, requested } = (options ?? {}) as { quota?: unknown; requested?: unknown };
    this.#quota = toAmount(quota, "quota");
    this.#requested = toAmount(requested, "requested");
    if (this.#quota !== null && this.#requested !== null && this.#requested < this.#quota) {
      throw new RangeError("requested must not be below quota");
    }
  }

  get quota(): number | null {
    return this.#quota;
  }

  get requested(): number | null {
    return this.#requested;
  }
}
exposeInterface(QuotaExceededError, "QuotaExceededError");
