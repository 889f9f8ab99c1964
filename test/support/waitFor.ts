import { setTimeout as pause } from 'node:timers/promises';

export interface WaitOptions {
  readonly timeoutMs: number;
  /** Between two questions; default 100. */
  readonly everyMs?: number;
  /** Where a question takes long, the pause is twice as long as that, up to this; without it always `everyMs`. */
  readonly maxPauseMs?: number;
  /** Says more when the time is over or the wait has become pointless, such as the last lines of a log. */
  readonly explain?: () => string | Promise<string>;
  /** Ends the wait early: what is waited for cannot happen any more. */
  readonly isHopeless?: () => boolean;
}

/** Waits until `condition` gives a value other than undefined and false; the time it may take is bounded. */
export async function waitFor<T>(
  what: string,
  condition: () => Promise<T | undefined | false>,
  options: WaitOptions,
): Promise<T> {
  const deadline = performance.now() + options.timeoutMs;
  while (performance.now() < deadline && !options.isHopeless?.()) {
    const asked = performance.now();
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    await pause(pauseMs(options, performance.now() - asked));
  }
  const reason = options.isHopeless?.() ? 'it cannot happen any more' : `waited ${options.timeoutMs / 1000} s`;
  const explanation = (await options.explain?.()) ?? '';
  throw new Error([`${what}: ${reason}`, explanation].filter(Boolean).join('\n'));
}

function pauseMs({ everyMs = 100, maxPauseMs = everyMs }: WaitOptions, tookMs: number): number {
  return Math.min(maxPauseMs, Math.max(everyMs, 2 * tookMs));
}
