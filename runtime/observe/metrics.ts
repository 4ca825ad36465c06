// Counters of the data plane: plain numbers while requests run, text only when somebody asks. Names are API
// (docs/metrics); workers send samples, the supervisor sums them.

export type Samples = Record<string, Record<string, number>>;

interface MetricInfo {
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
}

export const METRICS: Readonly<Record<string, MetricInfo>> = {
  edge_http_requests_total: {
    type: "counter",
    help: "Requests by endpoint, outcome and status class.",
  },
  edge_http_request_duration_seconds: {
    type: "histogram",
    help: "Time from accept to the end of the reply.",
  },
  edge_http_response_bytes_total: { type: "counter", help: "Body bytes sent." },
  edge_http_inflight: { type: "gauge", help: "Requests that are open now." },
  edge_isolates: { type: "gauge", help: "Live isolates by endpoint." },
  edge_isolate_heap_bytes: { type: "gauge", help: "Heap and external memory of live isolates." },
  edge_isolate_terminations_total: { type: "counter", help: "Isolates that died, by reason." },
  edge_isolate_recycles_total: {
    type: "counter",
    help: "Isolates that a fresh one took the place of, by reason.",
  },
  edge_isolate_evictions_total: {
    type: "counter",
    help: "Isolates that were let go of until the next request, by reason.",
  },
  edge_binding_ops_total: {
    type: "counter",
    help: "Calls of services, by service, kind and outcome.",
  },
  edge_binding_seconds: {
    type: "histogram",
    help: "Time from a service's call to its answer, without streams and transactions.",
  },
  edge_binding_running: { type: "gauge", help: "Calls that services work on now." },
  edge_binding_queue_depth: { type: "gauge", help: "Calls that wait for their turn." },
  edge_binding_healthy: {
    type: "gauge",
    help: "Workers whose last call of the service found its server well.",
  },
  edge_binding_restarts_total: {
    type: "counter",
    help: "Backends that broke and were opened anew.",
  },
  edge_injected_faults_total: {
    type: "counter",
    help: "Calls that were made to wait or fail on purpose, by endpoint, binding and effect.",
  },
  edge_queue_messages: {
    type: "gauge",
    help: "Messages of a queue that endpoints name: ready, delayed, in_flight.",
  },
  edge_queue_bytes: { type: "gauge", help: "Bodies of a queue's messages together." },
  edge_queue_oldest_seconds: {
    type: "gauge",
    help: "Age of a queue's oldest message that is not acknowledged.",
  },
  edge_upstream_requests_total: { type: "counter", help: "Attempts at servers of upstreams." },
  edge_upstream_failures_total: { type: "counter", help: "Attempts that failed, by server." },
  edge_upstream_inflight: { type: "gauge", help: "Attempts that are open now, by server." },
  edge_upstream_healthy: {
    type: "gauge",
    help: "Workers that know the server to be well by its health checks.",
  },
  edge_breaker_state: {
    type: "gauge",
    help: "Workers that see the server's circuit breaker in the state.",
  },
  edge_retries_total: { type: "counter", help: "Requests sent to another server, by upstream." },
  edge_ratelimit_decisions_total: {
    type: "counter",
    help: "Requests allowed and refused by rate limits, and those whose store did not answer, by route.",
  },
  edge_auth_failures_total: {
    type: "counter",
    help: "Requests refused for their token, by route and reason.",
  },
  edge_mirror_requests_total: {
    type: "counter",
    help: "Requests sent to another upstream too, by route and result; skipped: too long or too many.",
  },
  edge_worker_restarts_total: { type: "counter", help: "Workers that were replaced, by reason." },
  edge_config_reload_total: {
    type: "counter",
    help: "Changes of the gateway's configuration file, by outcome.",
  },
  edge_config_revision: { type: "gauge", help: "Registry revision, summed over workers." },
};

/** From a cache hit to a client's patience. */
export const DURATION_BUCKETS_US: readonly number[] = [
  250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
  2_500_000, 5_000_000, 10_000_000, 30_000_000,
];

/** Requests by status class, 0 to 5, of one endpoint and outcome. */
type Classes = number[];

export class RequestMetrics {
  /** Endpoint, then outcome: both are strings that live long, so that no key is put together per request. */
  readonly #requests = new Map<string, Map<string, Classes>>();
  #lastEndpoint = "";
  #lastOutcome = "";
  #lastClasses: Classes = [];
  readonly #terminations = new Map<string, number>();
  readonly #recycles = new Map<string, number>();
  readonly #evictions = new Map<string, number>();
  readonly #buckets: number[] = DURATION_BUCKETS_US.map(() => 0);
  #count = 0;
  #us = 0;
  #bytes = 0;

  get total(): number {
    return this.#count;
  }

  ended(endpoint: string, outcome: string, status: number, us: number, bytes: number): void {
    const classes = this.#classes(endpoint, outcome);
    const index = (status / 100) | 0;
    classes[index] = (classes[index] ?? 0) + 1;
    let bucket = 0;
    while (bucket < DURATION_BUCKETS_US.length && us > (DURATION_BUCKETS_US[bucket] ?? 0)) bucket++;
    if (bucket < this.#buckets.length) this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
    this.#count++;
    this.#us += us;
    this.#bytes += bytes;
  }

  #classes(endpoint: string, outcome: string): Classes {
    if (endpoint === this.#lastEndpoint && outcome === this.#lastOutcome) return this.#lastClasses;
    this.#lastEndpoint = endpoint;
    this.#lastOutcome = outcome;
    this.#lastClasses = this.#find(endpoint, outcome);
    return this.#lastClasses;
  }

  #find(endpoint: string, outcome: string): Classes {
    let outcomes = this.#requests.get(endpoint);
    if (outcomes === undefined)
      this.#requests.set(endpoint, (outcomes = new Map<string, Classes>()));
    let classes = outcomes.get(outcome);
    if (classes === undefined) outcomes.set(outcome, (classes = [0, 0, 0, 0, 0, 0]));
    return classes;
  }

  terminated(endpoint: string, reason: string): void {
    count(this.#terminations, endpoint, reason);
  }

  recycled(endpoint: string, reason: string): void {
    count(this.#recycles, endpoint, reason);
  }

  evicted(endpoint: string, reason: string): void {
    count(this.#evictions, endpoint, reason);
  }

  /** The endpoint is gone: the series of names that come and go must not stay for ever. */
  forget(endpoint: string): void {
    this.#requests.delete(endpoint);
    this.#lastEndpoint = "";
    this.#lastOutcome = "";
    for (const counts of [this.#terminations, this.#recycles, this.#evictions]) {
      for (const key of counts.keys()) {
        if (key.startsWith(`endpoint="${endpoint}",`)) counts.delete(key);
      }
    }
  }

  #requestSamples(): Record<string, number> {
    const samples: Record<string, number> = {};
    for (const [endpoint, outcomes] of this.#requests) {
      for (const [outcome, classes] of outcomes) {
        classes.forEach((count, index) => {
          if (count === 0) return;
          samples[`endpoint="${endpoint}",outcome="${outcome}",class="${index}xx"`] = count;
        });
      }
    }
    return samples;
  }

  samples(): Samples {
    const duration: Record<string, number> = {};
    let below = 0;
    DURATION_BUCKETS_US.forEach((limitUs, index) => {
      below += this.#buckets[index] ?? 0;
      duration[`_bucket{le="${limitUs / 1_000_000}"}`] = below;
    });
    duration['_bucket{le="+Inf"}'] = this.#count;
    duration["_sum"] = this.#us / 1_000_000;
    duration["_count"] = this.#count;
    return {
      edge_http_requests_total: this.#requestSamples(),
      edge_http_request_duration_seconds: duration,
      edge_http_response_bytes_total: { "": this.#bytes },
      edge_isolate_terminations_total: Object.fromEntries(this.#terminations),
      edge_isolate_recycles_total: Object.fromEntries(this.#recycles),
      edge_isolate_evictions_total: Object.fromEntries(this.#evictions),
    };
  }
}

function count(counts: Map<string, number>, endpoint: string, reason: string): void {
  const key = `endpoint="${endpoint}",reason="${reason}"`;
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/** Adds `more` into `sum`. */
export function addSamples(
  sum: Samples,
  more: Readonly<Record<string, Readonly<Record<string, number>>>>,
): void {
  for (const [name, values] of Object.entries(more)) {
    const into = (sum[name] ??= {});
    for (const [labels, value] of Object.entries(values))
      into[labels] = (into[labels] ?? 0) + value;
  }
}

/** Prometheus text exposition. */
export function metricsText(samples: Samples): string {
  let text = "";
  for (const [name, { type, help }] of Object.entries(METRICS)) {
    const values = Object.entries(samples[name] ?? {});
    if (values.length === 0) continue;
    text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
    for (const [labels, value] of values) text += `${name}${labelText(type, labels)} ${value}\n`;
  }
  return text;
}

/** Histogram samples bring their own suffix and braces. */
function labelText(type: MetricInfo["type"], labels: string): string {
  if (type === "histogram" || labels === "") return labels;
  return `{${labels}}`;
}
