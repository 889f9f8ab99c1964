/**
 * What connections must not notice of what was done meanwhile.
 */
import { expect } from '@jest/globals';
import type { Outcome } from './traffic.ts';

/** Linux sends a lost SYN again after a second: a connection that took less never met a missing rule. */
const firstRetransmissionMs = 1000;

/** New connections may have failed; the one that was open was never silent for a retransmission. */
export function expectFlowUnharmed(outcome: Outcome): void {
  process.stdout.write(`${expect.getState().currentTestName}: ${JSON.stringify(outcome)}\n`);
  expect(outcome.ok).toBeGreaterThan(0);
  expect(outcome.flow.broken).toBeUndefined();
  expect(outcome.flow.exchanges).toBeGreaterThan(0);
  expect(outcome.flow.maxSilenceMs).toBeLessThan(firstRetransmissionMs);
}

/** No connection failed or was slow. */
export function expectUnharmed(outcome: Outcome): void {
  expectFlowUnharmed(outcome);
  expect(outcome.reasons).toEqual({});
  expect(outcome.slowestMs).toBeLessThan(firstRetransmissionMs);
}
