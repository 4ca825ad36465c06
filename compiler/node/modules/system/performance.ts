// node:perf_hooks: the platform's clock.

type Platform = typeof globalThis.performance;

export const performance: Platform = globalThis.performance;
