/**
 * Traffic on a node while something happens to it, and what is promised of it.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';
import type { AgentNode } from '../agent/agentNode.ts';
import { until } from '../support/until.ts';

export interface FlowReport {
  readonly exchanges: number;
  readonly longestSilenceMs: number;
  readonly broken?: string;
}

export interface Outcome {
  readonly ok: number;
  readonly failed: number;
  /** How many, by Service address and what happened. */
  readonly reasons: Readonly<Record<string, number>>;
  readonly slowestMs: number;
  readonly perSecond: number;
  readonly flow: FlowReport;
}

export interface TrafficPlan {
  /** Of the Service that a flow stays open to. */
  readonly flow: string;
  /** Of the Services that new connections are made to, one after the other. */
  readonly connectTo: readonly string[];
  readonly perSecond?: number;
}

/** Linux sends a lost SYN again after so long: a connection that took less never met a missing rule. */
const firstRetransmissionMs = 1000;

export async function underTraffic(
  host: AgentNode,
  { flow, connectTo, perSecond = 100 }: TrafficPlan,
  action: () => Promise<void>,
): Promise<Outcome> {
  // A connection that met no rule is remembered untranslated for two minutes, and its port would be used again.
  await host.run(['conntrack', '-F']);
  // What measures goes before what is measured; else a busy machine shows as a slow connection.
  const worker = host.spawn([
    'nice',
    '-n',
    '-10',
    process.execPath,
    'test/faults/trafficWorker.ts',
    flow,
    String(perSecond),
    ...connectTo,
  ]);
  let output = '';
  worker.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  worker.stderr.on('data', (text: Buffer) => process.stderr.write(text));
  const ended = once(worker, 'close');
  try {
    await until('the traffic flows', () => output.includes('ready'), 30_000);
    await sleep(500);
    await action();
    await sleep(500);
  } finally {
    worker.stdin.end();
    await ended;
  }
  return JSON.parse(output.split('\n')[1] ?? '') as Outcome;
}

/** New connections may have failed; the one that was open has not noticed anything. */
export function expectFlowUnharmed(outcome: Outcome): void {
  process.stdout.write(`${expect.getState().currentTestName}: ${JSON.stringify(outcome)}\n`);
  expect(outcome.ok).toBeGreaterThan(0);
  expect(outcome.flow.broken).toBeUndefined();
  expect(outcome.flow.exchanges).toBeGreaterThan(0);
  expect(outcome.flow.longestSilenceMs).toBeLessThan(firstRetransmissionMs);
}

/** Nobody has noticed anything. */
export function expectUnharmed(outcome: Outcome): void {
  expectFlowUnharmed(outcome);
  expect(outcome.reasons).toEqual({});
  expect(outcome.slowestMs).toBeLessThan(firstRetransmissionMs);
}
