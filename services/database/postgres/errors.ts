// Errors of Postgres and of its driver as answers to handlers: the server's own message, then its SQLSTATE.

import { EdgeError, type Code } from "../../../sdk/errors.ts";

/** By SQLSTATE. https://www.postgresql.org/docs/current/errcodes-appendix.html */
const BY_STATE: Readonly<Record<string, Code>> = {
  "3D000": "SERVICE_REFUSED",
  "28000": "SERVICE_REFUSED",
  "28P01": "SERVICE_REFUSED",
  "40001": "SERVICE_CONFLICT",
  "40P01": "SERVICE_CONFLICT",
  "55P03": "SERVICE_CONFLICT",
  "53300": "SERVICE_UNAVAILABLE",
  "57014": "SERVICE_TIMEOUT",
  "25P03": "SERVICE_TIMEOUT",
  "57P01": "SERVICE_UNAVAILABLE",
  "57P02": "SERVICE_UNAVAILABLE",
  "57P03": "SERVICE_UNAVAILABLE",
  "57P05": "SERVICE_UNAVAILABLE",
};
const STATE = /^[0-9A-Z]{5}$/;
/** Node's and the driver's, where the connection is the matter. */
const CONNECTION =
  /^(?:E[A-Z_]{3,}|CONNECT_TIMEOUT|CONNECTION_[A-Z]+|ERR_(?:SSL|TLS)_\w+|.*CERT.*)$/;

export function describePostgresError(error: unknown): EdgeError {
  if (error instanceof EdgeError) return error;
  const field = (name: string): string => {
    const value: unknown = Reflect.get(Object(error), name);
    return typeof value === "string" ? value : "";
  };
  const state = field("code");
  const message = error instanceof Error ? error.message : String(error);
  if (field("severity") !== "" && STATE.test(state)) {
    const code =
      BY_STATE[state] ?? (state.startsWith("08") ? "SERVICE_UNAVAILABLE" : "SERVICE_FAILED");
    const [constraint, detail] = [field("constraint_name"), field("detail")];
    return new EdgeError(code, `${message} (${state})`, {
      detail: {
        sqlstate: state,
        ...(constraint === "" ? {} : { constraint }),
        ...(detail === "" ? {} : { detail }),
      },
      cause: error,
    });
  }
  if (CONNECTION.test(state)) {
    const text = `The connection to the database server failed or was lost (${state}).`;
    return new EdgeError("SERVICE_UNAVAILABLE", text, { cause: error });
  }
  return new EdgeError("SERVICE_FAILED", message, { cause: error });
}
