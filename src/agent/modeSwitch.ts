/**
 * What is to happen with a configuration, in view of what this node runs: pure, so that every way through a change of
 * mode can be read here.
 *
 *   Idle ──start──► Serving ──switch──► Proving ──its probe came through──► Serving
 *                      ▲                   │
 *                      └──────go back──────┘ its probe failed; so does a switch whose first sync or check fails
 *
 * A mode that was left drains and goes only while another one is Serving: until then there is a way back to it.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Refusal } from '../backend/backend.ts';
import type { DesiredConfig } from './desiredConfig.ts';

export type SwitchPhase =
  | { readonly phase: 'Idle' }
  | { readonly phase: 'Serving'; readonly config: DesiredConfig }
  /** Another mode is complete and serves; what it replaced can still come back. */
  | {
      readonly phase: 'Probing';
      readonly config: DesiredConfig;
      readonly before: DesiredConfig;
      readonly probeFailure?: Refusal;
    };

/** A mode that was tried in vain is not tried again at once: each try moves the node's connections to and fro. */
export interface FailedSwitch {
  readonly config: DesiredConfig;
  readonly why: Refusal;
  /** As `performance.now()` counts. */
  readonly at: number;
}

export type Step =
  | { readonly kind: 'start' | 'keep' | 'resync' }
  | { readonly kind: 'switch'; readonly from: DesiredConfig }
  | { readonly kind: 'goBack'; readonly to: DesiredConfig; readonly why: Refusal }
  | { readonly kind: 'refuse'; readonly why: Refusal };

export const retryFailedSwitchMs = 600_000;

export function nextStep(
  now: SwitchPhase,
  desired: DesiredConfig,
  failed?: FailedSwitch & { readonly now: number },
): Step {
  if (now.phase === 'Idle') return { kind: 'start' };
  if (now.phase === 'Probing' && now.probeFailure !== undefined && isSame(now.config, desired))
    return { kind: 'goBack', to: now.before, why: failure(now.config, now.before, now.probeFailure) };
  if (now.config.config.mode === desired.config.mode)
    return { kind: isDeepStrictEqual(now.config, desired) ? 'keep' : 'resync' };
  if (failed !== undefined && isSame(failed.config, desired) && failed.now - failed.at < retryFailedSwitchMs)
    return { kind: 'refuse', why: failed.why };
  return { kind: 'switch', from: now.config };
}

/** What a failed switch is called in the status; the sentence of the cause comes with it. */
export function failure(
  { config: { mode } }: DesiredConfig,
  { config: before }: DesiredConfig,
  { reason, message }: Refusal,
): Refusal {
  return {
    reason: 'ModeSwitchFailed',
    message: `mode ${mode} was tried and given up for mode ${before.mode} again (${reason}): ${message}`,
  };
}

/** Other settings in the same mode leave the question open whether the mode works here. */
export function resynced(now: SwitchPhase, config: DesiredConfig): SwitchPhase {
  return now.phase === 'Probing' ? { phase: 'Probing', config, before: now.before } : { phase: 'Serving', config };
}

function isSame(one: DesiredConfig, other: DesiredConfig): boolean {
  return one.revision === other.revision && isDeepStrictEqual(one.config, other.config);
}
