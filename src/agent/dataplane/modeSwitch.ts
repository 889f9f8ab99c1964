/**
 * Decides what is to happen with a desired configuration, from what the node runs. Pure: equal input gives the same
 * step, so that every way through a change of mode can be read and tested here. `dataplane.ts` executes the step.
 *
 *   Idle ──start──► Serving ──switch──► Probing ──its probe succeeded──► Serving
 *                      ▲                   │
 *                      └─────rollBack──────┘ its probe failed; so does a switch whose first sync or check fails
 *
 * Rules, the first that applies:
 *  1. A node that runs nothing starts.
 *  2. A new mode whose probe failed is given up for the one before, unless another configuration is desired by now.
 *  3. The same mode keeps its loops: nothing happens where the configuration is the same, else everything is synced
 *     anew under it. What the probe is to answer stays open.
 *  4. A switch that failed less than ten minutes ago is refused with the reason that it failed for.
 *  5. Anything else is a change of mode.
 *
 * The mode before is drained and removed only in Serving: until then there is a way back to it.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Refusal } from '../../backend/backend.ts';
import type { DesiredConfig } from '../config/desiredConfig.ts';

export type SwitchPhase =
  | { readonly phase: 'Idle' }
  | { readonly phase: 'Serving'; readonly config: DesiredConfig }
  /** A new mode serves and its probe is not over; the one before can come back. */
  | {
      readonly phase: 'Probing';
      readonly config: DesiredConfig;
      readonly before: DesiredConfig;
      /** Set when the probe failed, until the node is rolled back. */
      readonly probeFailure?: Refusal;
    };

/** The last change of mode that failed. It is not tried again at once: each try moves connections between the modes. */
export interface FailedSwitch {
  readonly config: DesiredConfig;
  readonly why: Refusal;
  /** In ms, as `performance.now()` counts. */
  readonly failedAt: number;
}

/** What `dataplane.ts` is to do. */
export type Step =
  | { readonly kind: 'start' | 'keep' | 'resync' }
  | { readonly kind: 'switch'; readonly from: DesiredConfig }
  | { readonly kind: 'rollBack'; readonly to: DesiredConfig; readonly why: Refusal }
  | { readonly kind: 'refuse'; readonly why: Refusal };

/** How long a change of mode that failed is refused. */
export const retryFailedSwitchMs = 600_000;

/** `failed.now`: in ms, as `performance.now()` counts. */
export function nextStep(
  now: SwitchPhase,
  desired: DesiredConfig,
  failed?: FailedSwitch & { readonly now: number },
): Step {
  if (now.phase === 'Idle') return { kind: 'start' };
  if (now.phase === 'Probing' && now.probeFailure !== undefined && isSame(now.config, desired))
    return { kind: 'rollBack', to: now.before, why: switchFailure(now.config, now.before, now.probeFailure) };
  if (now.config.config.mode === desired.config.mode)
    return { kind: isDeepStrictEqual(now.config, desired) ? 'keep' : 'resync' };
  if (failed !== undefined && isSame(failed.config, desired) && failed.now - failed.failedAt < retryFailedSwitchMs)
    return { kind: 'refuse', why: failed.why };
  return { kind: 'switch', from: now.config };
}

/** The reason and message of a failed switch for the status, with the reason and message of its cause. */
export function switchFailure(
  { config: { mode } }: DesiredConfig,
  { config: before }: DesiredConfig,
  { reason, message }: Refusal,
): Refusal {
  return {
    reason: 'ModeSwitchFailed',
    message: `mode ${mode} was tried and given up for mode ${before.mode} again (${reason}): ${message}`,
  };
}

/** The phase after other settings of the same mode: they do not answer whether a new mode works here. */
export function phaseAfterResync(now: SwitchPhase, config: DesiredConfig): SwitchPhase {
  return now.phase === 'Probing' ? { phase: 'Probing', config, before: now.before } : { phase: 'Serving', config };
}

function isSame(one: DesiredConfig, other: DesiredConfig): boolean {
  return one.revision === other.revision && isDeepStrictEqual(one.config, other.config);
}
