/**
 * Traffic on a node while an action runs, and what must be true of it.
 */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentNode } from '../agent/agentNode.ts';
import { until } from '../support/until.ts';

export interface FlowReport {
  /** Requests that were answered. */
  readonly exchanges: number;
  readonly maxSilenceMs: number;
  /** Why the connection ended. */
  readonly broken?: string;
}

export interface Outcome {
  readonly ok: number;
  readonly failed: number;
  /** Numbers of failures, by Service address and error. */
  readonly reasons: Readonly<Record<string, number>>;
  readonly slowestMs: number;
  readonly perSecond: number;
  readonly flow: FlowReport;
}

export interface TrafficPlan {
  /** The address of the Service that a connection stays open to. */
  readonly flow: string;
  /** The addresses of the Services that new connections are made to, in turn; port 80, or that of `ADDRESS:PORT`. */
  readonly connectTo: readonly string[];
  readonly perSecond?: number;
}

/** How long the measuring process may take to end. */
const maxEndMs = 10_000;

/** Runs the action while traffic goes through the node, and half a second before and after it. */
export async function underTraffic(
  host: AgentNode,
  { flow, connectTo, perSecond = 100 }: TrafficPlan,
  action: () => Promise<void>,
): Promise<Outcome> {
  // Connection tracking keeps a connection that met no rule for two minutes, untranslated, and its port is used again.
  await host.run(['conntrack', '-F']);
  // The measuring process has priority; else a busy machine would show as a slow connection.
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
    // One whose first connection is never answered does not read its input.
    const deadline = setTimeout(() => worker.kill('SIGKILL'), maxEndMs);
    await ended;
    clearTimeout(deadline);
  }
  return JSON.parse(output.split('\n')[1] ?? '') as Outcome;
}
