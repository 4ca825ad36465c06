// What a failed call of a service rejects with: an Error whose `code` is a row of the table of codes.

export class ServiceError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
// Not a field: it would be each error's own, and show whenever one is printed.
Object.defineProperty(ServiceError.prototype, "name", {
  value: "ServiceError",
  configurable: true,
});
