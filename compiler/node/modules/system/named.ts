// Node's modules that a bundle asks for by name while it runs. The compiler writes this file for each bundle
// (compiler/node/builtins.ts).

export const offered: readonly string[] = [];
export const named: Readonly<Record<string, () => unknown>> = {};
