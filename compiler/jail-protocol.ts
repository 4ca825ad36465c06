// What the checker and its children say to each other over Node's message channel: one job in, stages and one
// verdict out. The code of authors runs in the child; the child may die at any point instead of answering.

import type { Code } from "../sdk/errors.ts";
import type { BundleFormat } from "../sdk/records.ts";

/**
 * Each stage of a job is bounded by the CPU time that it uses; this only ends what does not get to use it: a child that
 * is stopped, or a machine that has no time for it. Honest stages take less than a second of a quiet one.
 */
export const JAIL_WALL_MS_MAX = 60_000;

export interface CheckJob {
  readonly kind: "check";
  readonly guestCode: string;
  /** File of the platform snapshot, made with writeChecked; null: run the guest script instead. */
  readonly platform: string | null;
  readonly format: BundleFormat;
  readonly code: string;
  /** What a module finds in `env` while it loads, as CheckInput has it. */
  readonly env: string;
  /** Where to write the full snapshot, when the dry run allows one. */
  readonly candidate: string;
  /** Where to write V8's code cache. */
  readonly codeCache: string;
}

export interface PlatformJob {
  readonly kind: "platform";
  readonly guestCode: string;
  readonly candidate: string;
}

/** Loads a snapshot as a worker will, and boots it. */
export interface ProbeJob {
  readonly kind: "probe";
  readonly snapshot: string;
  /** Whether it holds a bundle, whose handler must still be there. */
  readonly bundle: boolean;
}

export type JailJob = CheckJob | PlatformJob | ProbeJob;

/** What the guest tells about the module it has loaded. */
export interface Inspection {
  readonly handler: string;
  /** What the handler can be called for, where it is an object. */
  readonly methods: readonly string[];
  /** Calls that must not happen at top level, by name. */
  readonly io: readonly string[];
  /** What of the outside was read at top level, for people; [] when nothing was. */
  readonly reads: readonly string[];
}

export interface DryRun {
  readonly inspection: Inspection;
  /** There is one, of the whole script. */
  readonly hasCodeCache: boolean;
  /** To run the top level again, with the code cache, is quicker than any snapshot: none is made. */
  readonly isQuick: boolean;
}

export type JailVerdict =
  | {
      readonly kind: "checked";
      readonly inspection: Inspection;
      readonly snapshot: SnapshotVerdict;
    }
  | { readonly kind: "done" }
  /** The author's code threw. */
  | {
      readonly kind: "threw";
      readonly syntax: boolean;
      readonly name: string;
      readonly message: string;
      readonly stack: string;
      /** As in Inspection. */
      readonly io: readonly string[];
    }
  | { readonly kind: "timeout" }
  | { readonly kind: "memory" }
  | { readonly kind: "catastrophic"; readonly message: string }
  /** The job could not be done for a reason that is not the author's. */
  | { readonly kind: "failed"; readonly message: string; readonly code?: Code };

export type SnapshotVerdict =
  | { readonly made: true }
  | { readonly made: false; readonly reason: string };

export type JailReport =
  | { readonly type: "ready" }
  /** The dry run passed; what follows can at worst cost the snapshot. */
  | { readonly type: "stage"; readonly dryRun: DryRun }
  | { readonly type: "verdict"; readonly verdict: JailVerdict };
