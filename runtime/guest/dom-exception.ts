// DOMException, with the legacy codes. A real Error (stack, Error.isError, `instanceof Error`), whose name and
// message are accessors on the prototype as Web IDL asks.

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

export class DOMException extends Error {
  readonly #name: string;
  readonly #message: string;

  constructor(message: unknown = "", options: unknown = "Error") {
    super();
    const text = `${message as string}`;
    if (typeof options === "object" && options !== null) {
      const { name = "Error" } = options as { name?: unknown };
      this.#name = `${name as string}`;
      if ("cause" in options) {
        Object.defineProperty(this, "cause", {
          value: options.cause,
          writable: true,
          configurable: true,
        });
      }
    } else this.#name = `${options as string}`;
    this.#message = text;
  }

  override get name(): string {
    return this.#name;
  }

  override get message(): string {
    return this.#message;
  }

  get code(): number {
    return codes[this.#name] ?? 0;
  }
}
exposeInterface(DOMException, "DOMException");
defineConstants(DOMException, CONSTANTS);
