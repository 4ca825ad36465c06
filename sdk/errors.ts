// Every failure a caller can meet is one row of CODES. `fault` says who has to act and decides the log
// level; `status` is what HTTP says; `fix` is the way out that every surface prints below the message.
// Across isolate, process, HTTP and CLI an error is data: { code, message, detail }. Match by code.

export interface CodeInfo {
  readonly fault: "client" | "handler" | "author" | "operator" | "platform";
  readonly status: number;
  /** Whether the same request may succeed later without anyone changing anything. */
  readonly retry: boolean;
  readonly title: string;
  readonly fix?: string;
}

// oxfmt-ignore
export const CODES = {
  // Requests on the gateway port.
  NO_ROUTE: { fault: "client", status: 404, retry: false, title: "No endpoint answers this address" },
  METHOD_NOT_ALLOWED: { fault: "client", status: 405, retry: false, title: "This address does not take this method" },
  BAD_REQUEST: { fault: "client", status: 400, retry: false, title: "The request is not valid HTTP" },
  REQUEST_TIMEOUT: { fault: "client", status: 408, retry: true, title: "The request did not arrive in time" },
  BODY_TOO_LARGE: { fault: "client", status: 413, retry: false, title: "The request body is larger than the limit" },
  URI_TOO_LONG: { fault: "client", status: 414, retry: false, title: "The address is longer than the limit" },
  HEADERS_TOO_LARGE: { fault: "client", status: 431, retry: false, title: "The request headers are larger than the limit" },
  ADDRESS_DENIED: { fault: "client", status: 403, retry: false, title: "This address may not use this route" },
  TOKEN_INVALID: { fault: "client", status: 401, retry: false, title: "The request has no valid token" },
  CREDENTIALS_INVALID: { fault: "client", status: 401, retry: false, title: "The request has no valid credentials" },
  ADDRESS_UNSIGNED: { fault: "client", status: 403, retry: false, title: "This address is not signed by the node, has expired, or is for another method", fix: "Ask for a new one: presign of a storage binding makes them." },
  CONSUMER_DENIED: { fault: "client", status: 403, retry: false, title: "This consumer may not use this route" },
  AUTH_UNAVAILABLE: { fault: "operator", status: 503, retry: true, title: "The server that decides who may pass does not answer", fix: "See the node's log; is the address of forwardAuth right, and does it answer this node in time?" },
  TOKEN_KEYS_UNAVAILABLE: { fault: "operator", status: 503, retry: true, title: "The keys that verify tokens cannot be fetched", fix: "See the node's log; is the address of jwks right, and does it answer this node?" },
  LIMIT_UNAVAILABLE: { fault: "operator", status: 503, retry: true, title: "The store that counts requests does not answer", fix: "See the node's log; is the url of the store right, and does it answer this node in time? With onFailure: open or local requests pass meanwhile." },
  CONCURRENCY_LIMITED: { fault: "client", status: 429, retry: true, title: "Too many requests at once" },
  RATE_LIMITED: { fault: "client", status: 429, retry: true, title: "Too many requests" },
  MAINTENANCE: { fault: "operator", status: 503, retry: true, title: "Closed for maintenance" },
  REQUEST_INVALID: { fault: "client", status: 422, retry: false, title: "The request does not fit the route's schema" },
  IDEMPOTENCY_KEY_INVALID: { fault: "client", status: 400, retry: false, title: "The request's idempotency key is missing or not usable", fix: "Send 1 to 255 printable characters, a UUID for example." },
  IDEMPOTENCY_MISMATCH: { fault: "client", status: 422, retry: false, title: "Another request was sent under this idempotency key", fix: "Take a new key for each new request; send the same one only with the same request." },
  IDEMPOTENCY_CONFLICT: { fault: "client", status: 409, retry: true, title: "A request under this idempotency key is under way, or its reply was too long to be kept" },
  UPSTREAM_FAILED: { fault: "platform", status: 502, retry: true, title: "The upstream did not give a whole, valid reply", fix: "The node's log says why; GET /api/upstreams on the admin API shows the servers." },
  UPSTREAM_TIMEOUT: { fault: "platform", status: 504, retry: true, title: "The upstream did not reply in time", fix: "See the server's load; raise the upstream's timeout where replies take that long." },
  NO_HEALTHY_UPSTREAM: { fault: "platform", status: 503, retry: true, title: "No server of the upstream can be used now", fix: "All are down or failed too often; GET /api/upstreams on the admin API shows each." },
  NOT_DEPLOYED: { fault: "author", status: 503, retry: false, title: "The endpoint has no deployed version", fix: "Publish it: edge publish." },
  STOPPED: { fault: "author", status: 503, retry: false, title: "The endpoint is stopped", fix: "Start it: POST /api/endpoints/{id}/start." },
  QUARANTINED: { fault: "author", status: 503, retry: false, title: "The endpoint's version is out of service because it brought down workers", fix: "See why: edge show NAME. Publish a corrected version, or let this one run again: edge resume NAME." },
  OVERLOADED: { fault: "platform", status: 503, retry: true, title: "The node is too busy to take this request" },
  SHUTTING_DOWN: { fault: "platform", status: 503, retry: true, title: "The node is shutting down" },
  // What a handler can do to its own request.
  HANDLER_EXCEPTION: { fault: "handler", status: 500, retry: false, title: "The handler threw an exception" },
  HANDLER_BAD_RESPONSE: { fault: "handler", status: 500, retry: false, title: "The handler did not return a Response" },
  HANDLER_TIMEOUT: { fault: "handler", status: 504, retry: false, title: "The handler did not answer in time", fix: "Answer sooner, or raise the limit wallMs (of a streamed reply: streamMs)." },
  RESPONSE_TOO_LARGE: { fault: "handler", status: 500, retry: false, title: "The handler's reply is larger than the limit", fix: "Send less, or raise the limit responseBytes." },
  NO_RESPONSE: { fault: "handler", status: 500, retry: false, title: "The handler waits for something that can never happen" },
  CPU_LIMIT: { fault: "handler", status: 503, retry: false, title: "The handler used too much CPU time", fix: "See which lines with edge explain ID. Do less, or raise the limit cpuMs." },
  MEMORY_LIMIT: { fault: "handler", status: 503, retry: false, title: "The handler used too much memory", fix: "Keep less, stream what is large, or raise the limit memoryMb." },
  WORKER_CRASH: { fault: "platform", status: 502, retry: true, title: "The endpoint's own process ended before it answered", fix: "GET, HEAD and OPTIONS were tried twice. The node's log says why the process ended, edge show NAME whether the version is blamed." },
  ISOLATE_FAILED: { fault: "platform", status: 503, retry: true, title: "The handler's isolate failed and is being replaced" },
  // What a handler can ask of the host.
  SUBREQUEST_LIMIT: { fault: "handler", status: 500, retry: false, title: "The handler made too many subrequests", fix: "Make fewer, or raise the limit subrequests." },
  EGRESS_DENIED: { fault: "handler", status: 500, retry: false, title: "The handler may not reach this address", fix: "Private addresses are refused unless the operator starts the node with --allow-private-egress, or with --egress-may-be-private and the endpoint names the host (egress)." },
  LOOP_DETECTED: { fault: "author", status: 508, retry: false, title: "Endpoints of this node call each other without end", fix: "Let the call end somewhere: an endpoint that calls itself, or is called by what it calls, must answer by itself at last." },
  FETCH_FAILED: { fault: "handler", status: 500, retry: true, title: "The subrequest failed" },
  CALL_INVALID: { fault: "handler", status: 500, retry: false, title: "The handler made a call that the host does not know" },
  // Services (sdk/services/): to the handler as a ServiceError, to the operator in the log and in health.
  SERVICE_OVERLOADED: { fault: "platform", status: 503, retry: true, title: "Too many calls wait for the service", fix: "Make fewer at once, or raise the service's concurrency or queue." },
  SERVICE_TIMEOUT: { fault: "platform", status: 503, retry: true, title: "The service did not answer in time", fix: "Look at the server's load; raise the service's timeout where calls take that long." },
  SERVICE_UNAVAILABLE: { fault: "operator", status: 503, retry: true, title: "The service cannot be reached", fix: "Is the server running, and do host and port fit? Try: edge services test NAME." },
  SERVICE_REFUSED: { fault: "operator", status: 503, retry: false, title: "The service refuses the node's credentials", fix: "Correct user, password or key of the service: edge services set NAME." },
  SERVICE_STOPPED: { fault: "operator", status: 503, retry: false, title: "The service is not activated", fix: "Activate it: edge services activate NAME." },
  SERVICE_INPUT: { fault: "handler", status: 500, retry: false, title: "The service does not take this argument" },
  SERVICE_FAILED: { fault: "handler", status: 500, retry: false, title: "The service could not do what it was asked" },
  SERVICE_CONFLICT: { fault: "handler", status: 500, retry: true, title: "Another call changed the same data at the same time", fix: "Try the whole transaction again." },
  SERVICE_TOO_LARGE: { fault: "handler", status: 500, retry: false, title: "A value is larger than the service takes" },
  // Publishing.
  SOURCE_INVALID: { fault: "author", status: 422, retry: false, title: "The source does not compile", fix: "Correct the places named above and publish again." },
  NO_DEFAULT_EXPORT: { fault: "author", status: 422, retry: false, title: "The module has no usable default export", fix: "Write: export default { fetch(request, env, ctx) { return new Response('hi') } }" },
  HANDLER_MISSING: { fault: "author", status: 422, retry: false, title: "The handler lacks a method that its configuration needs", fix: "Crons need scheduled(controller, env, ctx), queue consumers need queue(batch, env, ctx): add the method beside fetch, or take the entry out of edge.jsonc." },
  TOP_LEVEL_THROW: { fault: "author", status: 422, retry: false, title: "The module throws while it loads" },
  TOP_LEVEL_IO: { fault: "author", status: 422, retry: false, title: "The module does I/O while it loads", fix: "Move the call into the handler; modules may not do I/O at top level." },
  STARTUP_CPU: { fault: "author", status: 422, retry: false, title: "The module takes too long to load", fix: "Move work out of the top level or load it on first use." },
  STARTUP_MEMORY: { fault: "author", status: 422, retry: false, title: "The module needs too much memory to load" },
  STARTUP_CRASH: { fault: "author", status: 422, retry: false, title: "The module crashes the engine while it loads" },
  BUNDLE_TOO_LARGE: { fault: "author", status: 413, retry: false, title: "The bundle is larger than the limit", fix: "Find what makes it large with: edge publish --dry-run --json." },
  UPLOAD_CORRUPT: { fault: "client", status: 400, retry: true, title: "The upload did not arrive whole", fix: "Publish again." },
  NAME_INVALID: { fault: "author", status: 422, retry: false, title: "The name is not valid", fix: "Use 1 to 63 of a-z, 0-9 and -, beginning with a letter and not ending with -." },
  ROUTE_INVALID: { fault: "author", status: 422, retry: false, title: "The route pattern is not valid", fix: "Patterns look like /a/:id, /a/{id}, /a/{id:[0-9]+}, /files/* or /files/{*rest}." },
  ROUTE_CONFLICT: { fault: "author", status: 409, retry: false, title: "Two routes answer the same requests", fix: "Change one of the two patterns, its host or its methods." },
  MANIFEST_INVALID: { fault: "author", status: 422, retry: false, title: "edge.jsonc is not valid", fix: "Correct the field named above and publish again." },
  GATEWAY_CONFIG_INVALID: { fault: "operator", status: 422, retry: false, title: "The gateway's configuration is not valid", fix: "Correct the places named above; edge config validate FILE checks them again. A running node keeps what it has." },
  CONFIG_NOT_FOUND: { fault: "author", status: 404, retry: false, title: "Nothing to publish was found", fix: "Name a file (edge publish hello.ts) or a folder with an edge.jsonc." },
  EGRESS_NOT_ALLOWED: { fault: "author", status: 422, retry: false, title: "This node lets no endpoint name private hosts", fix: "Ask its operator to start it with --egress-may-be-private, or leave egress out." },
  LIMIT_NOT_ALLOWED: { fault: "author", status: 422, retry: false, title: "A limit is above what this node allows", fix: "Lower the limit named above, or ask the node's operator to raise --limit-max." },
  BINDING_INVALID: { fault: "author", status: 422, retry: false, title: "A binding is not valid", fix: "See what there is: edge services list." },
  CORDON_LIMIT: { fault: "author", status: 422, retry: false, title: "The node has as many groups and dedicated endpoints as it can keep", fix: "Put the endpoint into a group that is there already (isolation: group:NAME), or leave it shared." },
  PREPARE_FAILED: { fault: "author", status: 422, retry: false, title: "A worker could not load the new version; the old one goes on serving" },
  PUBLISH_TIMEOUT: { fault: "platform", status: 503, retry: true, title: "Not every worker took the new version in time; the old one goes on serving" },
  // Admin API.
  UNAUTHORIZED: { fault: "client", status: 401, retry: false, title: "The admin token is missing or wrong", fix: "Pass --token, or set EDGE_ADMIN_TOKEN; the token is in the node's data folder, file admin-token." },
  HOST_REFUSED: {
    fault: "client",
    status: 421,
    retry: false,
    title: "The admin API does not answer under this host name",
    fix: "Use the address that edge serve printed.",
  },
  INPUT_INVALID: { fault: "client", status: 422, retry: false, title: "The request's fields are not valid" },
  ENDPOINT_NOT_FOUND: { fault: "client", status: 404, retry: false, title: "Endpoint not found", fix: "List what there is: edge list." },
  ENDPOINT_EXISTS: { fault: "client", status: 409, retry: false, title: "An endpoint of this name exists" },
  VERSION_NOT_FOUND: { fault: "client", status: 404, retry: false, title: "Version not found", fix: "List them: edge versions NAME." },
  REQUEST_UNKNOWN: { fault: "client", status: 404, retry: false, title: "The request is not known", fix: "Only requests that came near a limit or were ended at one are remembered, the newest few hundred of each worker; find the others by their id in the access log." },
  SERVICE_NOT_FOUND: { fault: "client", status: 404, retry: false, title: "Service not found", fix: "List them: edge services list." },
  SERVICE_EXISTS: { fault: "client", status: 409, retry: false, title: "A service of this name exists" },
  SERVICE_IN_USE: { fault: "client", status: 409, retry: false, title: "Endpoints use the service", fix: "Publish those named above without it, or unbind it, then try again." },
  SERVICE_OF_FILE: { fault: "client", status: 409, retry: false, title: "The service stands in the configuration file", fix: "Change it there; the node takes the file again when it changes." },
  UPSTREAM_NOT_FOUND: { fault: "client", status: 404, retry: false, title: "Upstream not found", fix: "Upstreams are made in the configuration file (edge serve --config); GET /api/upstreams lists them." },
  SERVER_NOT_FOUND: { fault: "client", status: 404, retry: false, title: "The upstream has no such server", fix: "List them: GET /api/upstreams/{name}/targets." },
  SERVER_OF_FILE: { fault: "client", status: 409, retry: false, title: "The server stands in the configuration file", fix: "Change it there; the node takes the file again when it changes." },
  SECRET_NOT_FOUND: { fault: "client", status: 404, retry: false, title: "Secret not found", fix: "List their names: edge secret list." },
  SECRET_IN_USE: { fault: "client", status: 409, retry: false, title: "Services use the secret", fix: "Change the configuration of those named above first: edge services set NAME." },
  NOT_COMPILED: {
    fault: "client",
    status: 409,
    retry: false,
    title: "Endpoint not compiled",
    fix: "Compile it: POST /api/endpoints/{id}/compile.",
  },
  NO_CODE: { fault: "client", status: 422, retry: false, title: "No code to compile" },
  MAIL_NOT_FOUND: { fault: "client", status: 404, retry: false, title: "The outbox has no such mail", fix: "The newest thousand are kept; list them: edge mail list." },
  KEY_NOT_FOUND: { fault: "client", status: 404, retry: false, title: "The namespace has no such key", fix: "List what there is: edge kv list NAMESPACE." },
  OBJECT_NOT_FOUND: { fault: "client", status: 404, retry: false, title: "There is no object under this key", fix: "List what there is: edge storage list SERVICE." },
  NOT_FOUND: { fault: "client", status: 404, retry: false, title: "The admin API has nothing at this address" },
  // The node itself.
  PORT_IN_USE: { fault: "operator", status: 500, retry: false, title: "The port is in use", fix: "Stop the process that uses it, or pick another with --port / --admin-port (0 takes a free one)." },
  HOST_UNUSABLE: { fault: "operator", status: 500, retry: false, title: "The node cannot listen on this address", fix: "Name an address of this machine with --host / --admin-host; 0.0.0.0 is all of them, 127.0.0.1 is for this machine only." },
  DATA_IN_USE: { fault: "operator", status: 500, retry: false, title: "Another node uses this data folder", fix: "Stop it, or pick another folder with --data." },
  WORKERS_ORPHANED: { fault: "operator", status: 500, retry: false, title: "Workers of this data folder run without a supervisor", fix: "Run edge serve on the same folder: it takes them over, and ends them when it is stopped. Or end them: kill (SIGTERM) the processes named above." },
  DATA_UNWRITABLE: { fault: "operator", status: 500, retry: false, title: "The data folder cannot be written", fix: "Give this user the right to write there, make room if its disk is full, or pick another folder with --data." },
  FILE_UNWRITABLE: { fault: "client", status: 500, retry: false, title: "A file cannot be written", fix: "Give this user the right to write there, or name another file." },
  FILE_UNREADABLE: { fault: "client", status: 500, retry: false, title: "A file cannot be read", fix: "Is it there, and has this user the right to read it?" },
  USER_UNKNOWN: { fault: "operator", status: 500, retry: false, title: "The system user does not exist", fix: "Make it (useradd --system NAME), or name another with --user." },
  USER_NOT_ROOT: { fault: "operator", status: 500, retry: false, title: "Only root can start processes as another user", fix: "Leave --user out and start the node as that user, or start it as root." },
  USER_UNUSABLE: { fault: "operator", status: 500, retry: false, title: "The node's processes cannot run as this user", fix: "Keep the installation and the data folder where that user may read, the data folder owned by root; or name another user." },
  RUNS_AS_ROOT: { fault: "operator", status: 500, retry: false, title: "Processes that run authors' code run as root", fix: "Start the node with --user NAME, or as an ordinary user." },
  NO_NEW_PRIVS_MISSING: { fault: "operator", status: 500, retry: false, title: "Workers are not kept from gaining rights", fix: "Install setpriv (package util-linux)." },
  PORT_PRIVILEGED: { fault: "operator", status: 500, retry: false, title: "This user may not listen on this port", fix: "Take a port from 1024 on, lower net.ipv4.ip_unprivileged_port_start, or start as root with --user NAME, which needs setpriv (package util-linux)." },
  REGISTRY_CORRUPT: { fault: "operator", status: 500, retry: false, title: "The registry cannot be read", fix: "Restore a backup, or move the registry file away and publish again." },
  REGISTRY_TOO_NEW: { fault: "operator", status: 500, retry: false, title: "The registry was written by a newer release", fix: "Run that release, or newer." },
  SECRET_KEY_INVALID: { fault: "operator", status: 500, retry: false, title: "The node's secret key is not usable", fix: "It is 32 bytes as base64 or as 64 hex digits. Correct EDGE_SECRET_KEY or the file named above, or restore that from a backup. What was sealed with a lost key has to be set again: make a new one (docs/services.md)." },
  SECRET_UNREADABLE: { fault: "operator", status: 503, retry: false, title: "A secret was sealed with another key", fix: "Start the node with the key it was sealed with (EDGE_SECRET_KEY, or secret-key in the data folder), or set it again: edge secret put, edge services set." },
  BLOB_CORRUPT: { fault: "operator", status: 500, retry: false, title: "A stored file does not have the content its name promises", fix: "Publish the endpoint again." },
  ENGINE_MISSING: { fault: "operator", status: 500, retry: false, title: "Node 24 was not found", fix: "Run npm ci; where optional dependencies were left out, install Node 24." },
  SETUP_FAILED: { fault: "operator", status: 500, retry: true, title: "The dependencies could not be installed", fix: "See npm's output above; then run npm ci in the clone." },
  ENGINE_UNSAFE: { fault: "operator", status: 500, retry: false, title: "The engine has a known way out of the isolate", fix: "Install the version of the lockfile, or a newer one: npm ci in a clone, npm install in a project." },
  INSTALL_BROKEN: { fault: "operator", status: 500, retry: false, title: "A part of the installation is missing or does not work", fix: "Install again: npm ci in a clone, npm install in a project." },
  ADDON_UNLOADABLE: { fault: "operator", status: 500, retry: false, title: "The HTTP addon does not load on this system", fix: "See edge doctor; meanwhile: edge serve --listener node." },
  USAGE: { fault: "client", status: 400, retry: false, title: "The command was not understood", fix: "See edge --help." },
  NODE_UNREACHABLE: { fault: "client", status: 503, retry: true, title: "The node does not answer", fix: "Is it running (edge serve)? Pick another with --admin URL." },
  CANCELLED: { fault: "client", status: 499, retry: false, title: "The client went away" },
  INTERNAL: { fault: "platform", status: 500, retry: false, title: "Something broke inside the node" },
} as const;

export type Code = keyof typeof CODES;

export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** An error as data: what crosses every boundary. */
export interface ErrorData {
  readonly code: Code;
  readonly message: string;
  readonly detail?: JsonObject;
}

export class EdgeError extends Error {
  readonly code: Code;
  /** Safe to show to whoever caused the error. The cause never is. */
  readonly detail: JsonObject | undefined;

  constructor(code: Code, message?: string, options?: { detail?: JsonObject; cause?: unknown }) {
    super(
      message ?? CODES[code].title,
      options?.cause === undefined ? undefined : { cause: options.cause },
    );
    this.name = "EdgeError";
    this.code = code;
    this.detail = options?.detail;
  }
}

const TABLE: Readonly<Record<Code, CodeInfo>> = CODES;

export function infoOf(code: Code): CodeInfo {
  return TABLE[code];
}

export function isCode(value: unknown): value is Code {
  return typeof value === "string" && Object.hasOwn(CODES, value);
}

export function errorData(error: unknown): ErrorData {
  if (error instanceof EdgeError) {
    const data = { code: error.code, message: error.message };
    return error.detail === undefined ? data : { ...data, detail: error.detail };
  }
  return { code: "INTERNAL", message: CODES.INTERNAL.title };
}
