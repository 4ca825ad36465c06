// Faults on purpose, as authors write them in a manifest and operators in the configuration file: the same form, of
// which sdk/services/faults.ts is the normal one.

import { z } from "zod";
import type { RegistryReader } from "../../sdk/node.ts";
import {
  FAULT_DELAY_MS_MAX,
  FETCH,
  FETCH_FAULT_CODES,
  SERVICE_FAULT_CODES,
  type BindingFault,
  type BindingFaults,
} from "../../sdk/services/faults.ts";
import {
  BINDING_NAME,
  BINDINGS_PER_ENDPOINT_MAX,
  type Binding,
} from "../../sdk/services/service.ts";
import type { Finding } from "../gateway/faults.ts";
import { duration, oneOf, share, text } from "../gateway/fields.ts";
import { nearest } from "../gateway/suggestion.ts";

const A_FAULT = "{ delay: { share, for }, fail: { share, code } }, or one of the two";

const delay = z.strictObject({
  share: share(0).default(1),
  for: duration().refine((ms) => ms <= FAULT_DELAY_MS_MAX, {
    error: `a duration of at most ${FAULT_DELAY_MS_MAX / 1_000}s`,
  }),
});

const fail = z.strictObject({
  share: share(0).default(1),
  code: oneOf([...SERVICE_FAULT_CODES, ...FETCH_FAULT_CODES]).optional(),
});

const bindingFault: z.ZodType<BindingFault, unknown> = z
  .strictObject({ delay: delay.optional(), fail: fail.optional() }, { error: A_FAULT })
  .refine((fault) => fault.delay !== undefined || fault.fail !== undefined, { error: A_FAULT })
  .transform((fault) => ({
    delayShare: fault.delay?.share ?? 0,
    delayMs: fault.delay?.for ?? 0,
    failShare: fault.fail?.share ?? 0,
    code: fault.fail?.code ?? null,
  }));

export const faultsSchema: z.ZodType<BindingFaults, unknown> = z
  .record(text(`a binding's name, or ${FETCH}`, BINDING_NAME), bindingFault, {
    error: "bindings by name",
  })
  .refine((all) => Object.keys(all).length <= BINDINGS_PER_ENDPOINT_MAX + 1, {
    error: `at most ${BINDINGS_PER_ENDPOINT_MAX} bindings and ${FETCH}`,
  });

/** What an endpoint with these bindings cannot have of them; paths begin with the binding's name. */
export function faultFindings(faults: BindingFaults, bindings: readonly Binding[]): Finding[] {
  const names = [...bindings.map(({ name }) => name), FETCH];
  return Object.entries(faults).flatMap(([name, { code }]): Finding[] => {
    const binding = bindings.find((each) => each.name === name);
    if (binding === undefined && name !== FETCH) {
      const problem = `there is no binding "${name}"`;
      const suggestion = nearest(name, names) ?? "";
      const expected = `one of ${names.join(", ")}`;
      return [{ path: [name], isKey: true, expected, problem, suggestion }];
    }
    const codes = codesOf(binding);
    if (code === null || codes.includes(code)) return [];
    const problem = `calls of ${name} never fail with ${code}`;
    return [{ path: [name, "fail", "code"], expected: `one of ${codes.join(", ")}`, problem }];
  });
}

/** Of the file: against the endpoints that are there. Of others nobody knows what they will bind. */
export function fileFaultFindings(
  registry: RegistryReader,
  byEndpoint: Readonly<Record<string, BindingFaults>>,
): Finding[] {
  return Object.entries(byEndpoint).flatMap(([name, faults]) => {
    const found = registry.get(name);
    const [version] = found?.versions ?? [];
    if (found === null || version === undefined) return [];
    const bindings = [...(version.manifest.bindings ?? []), ...(found.endpoint.bindings ?? [])];
    return faultFindings(faults, bindings).map((finding) => ({
      ...finding,
      path: ["faults", name, ...finding.path],
    }));
  });
}

function codesOf(binding: Binding | undefined): readonly string[] {
  const isFetch = binding === undefined || binding.kind === "endpoint";
  return isFetch ? FETCH_FAULT_CODES : SERVICE_FAULT_CODES;
}
