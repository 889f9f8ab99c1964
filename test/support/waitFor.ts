import { setTimeout as pause } from 'node:timers/promises';

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly everyMs?: number;
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
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    await pause(options.everyMs ?? 100);
  }
  const reason = options.isHopeless?.() ? 'it cannot happen any more' : `waited ${options.timeoutMs / 1000} s`;
  const explanation = (await options.explain?.()) ?? '';
  throw new Error([`${what}: ${reason}`, explanation].filter(Boolean).join('\n'));
}
