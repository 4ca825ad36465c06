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
  edge_config_revision: { type: "gauge", help: "Registry revision, summed over workers." },
};

/** Seconds; from a cache hit to a client's patience. */
export const DURATION_BUCKETS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

export class RequestMetrics {
  readonly #requests = new Map<string, number>();
  readonly #terminations = new Map<string, number>();
  readonly #buckets: number[] = DURATION_BUCKETS.map(() => 0);
  #count = 0;
  #seconds = 0;
  #bytes = 0;

  get total(): number {
    return this.#count;
  }

  ended(endpoint: string, outcome: string, status: number, ms: number, bytes: number): void {
    const key = `endpoint="${endpoint}",outcome="${outcome}",class="${Math.floor(status / 100)}xx"`;
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
    const seconds = ms / 1_000;
    let bucket = 0;
    while (bucket < DURATION_BUCKETS.length && seconds > (DURATION_BUCKETS[bucket] ?? 0)) bucket++;
    if (bucket < this.#buckets.length) this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
    this.#count++;
    this.#seconds += seconds;
    this.#bytes += bytes;
  }

  terminated(endpoint: string, reason: string): void {
    const key = `endpoint="${endpoint}",reason="${reason}"`;
    this.#terminations.set(key, (this.#terminations.get(key) ?? 0) + 1);
  }

  samples(): Samples {
    const duration: Record<string, number> = {};
    let below = 0;
    DURATION_BUCKETS.forEach((limit, index) => {
      below += this.#buckets[index] ?? 0;
      duration[`_bucket{le="${limit}"}`] = below;
    });
    duration['_bucket{le="+Inf"}'] = this.#count;
    duration["_sum"] = this.#seconds;
    duration["_count"] = this.#count;
    return {
      edge_http_requests_total: Object.fromEntries(this.#requests),
      edge_http_request_duration_seconds: duration,
      edge_http_response_bytes_total: { "": this.#bytes },
      edge_isolate_terminations_total: Object.fromEntries(this.#terminations),
    };
  }
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
