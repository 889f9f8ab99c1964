/**
 * @module Traffic from outside of the cluster that never stops: new connections all the time, and one that is kept,
 * counted.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster } from '../cluster/cluster.ts';

export interface Counts {
  readonly answered: number;
  readonly failed: number;
  /** From the first packet of a new connection to the answer of the other side. */
  readonly slowestHandshakeMs: number;
  readonly lastFailure: string;
  /** How many connections it took to keep one open. */
  readonly keptConnections: number;
}

export interface Traffic {
  /** Since its start. */
  counts(): Promise<Counts>;
  /** The same, as soon as so many were answered since the last of these calls, or any failed. */
  furtherCounts(answers: number): Promise<Counts>;
  stop(): Promise<void>;
}

export function startTraffic(cluster: Pick<Cluster, 'outside'>, url: string): Traffic {
  const program = spawn(
    'nsenter',
    [
      '--target',
      String(cluster.outside.pid),
      '--net',
      process.execPath,
      join(import.meta.dirname, 'newConnections.ts'),
      url,
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const ended = once(program, 'close');
  const lines = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
  const counts = async (): Promise<Counts> => {
    program.stdin.write('\n');
    const { value, done } = await lines.next();
    if (done === true) throw new Error('the traffic has ended by itself');
    return JSON.parse(value) as Counts;
  };
  let answeredSoFar = 0;
  return {
    counts,
    furtherCounts: async (answers) => {
      let now = await counts();
      while (now.answered < answeredSoFar + answers && now.failed === 0) {
        await pause(100);
        now = await counts();
      }
      answeredSoFar = now.answered;
      return now;
    },
    stop: async () => {
      program.stdin.end();
      await ended;
    },
  };
}
