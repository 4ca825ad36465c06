// node:perf_hooks: the platform's clock and timeline.

type Platform = typeof globalThis;

export const performance: Platform["performance"] = globalThis.performance;
export const PerformanceEntry: Platform["PerformanceEntry"] = globalThis.PerformanceEntry;
export const PerformanceMark: Platform["PerformanceMark"] = globalThis.PerformanceMark;
export const PerformanceMeasure: Platform["PerformanceMeasure"] = globalThis.PerformanceMeasure;
export const PerformanceObserver: Platform["PerformanceObserver"] = globalThis.PerformanceObserver;
export const PerformanceObserverEntryList: Platform["PerformanceObserverEntryList"] =
  globalThis.PerformanceObserverEntryList;
