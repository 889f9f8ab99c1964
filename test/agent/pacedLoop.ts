/**
 * @module What happens to a SyncLoop and its RecordingBackend, in the time of jest's fake timers.
 */
import { expect, jest } from '@jest/globals';
import type { SyncLoop } from '../../src/agent/dataplane/syncLoop.ts';
import type { RecordingBackend } from './recordingBackend.ts';

interface PacedLoop {
  readonly pass: (ms: number) => Promise<void>;
  /** The Service `default/NAME` changes. */
  readonly change: (name: string) => void;
  /** When the backend was asked for what. */
  readonly runs: () => unknown[];
  /** Starts the loop; its first run is over and forgotten. */
  readonly started: () => Promise<void>;
}

const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);

/** `made`: those of the present test. */
export function pacedLoop(made: () => { readonly loop: SyncLoop; readonly backend: RecordingBackend }): PacedLoop {
  const runs = (): unknown[] => made().backend.syncs.map(({ at, changed }) => [at, changed]);
  return {
    pass,
    runs,
    change: (name) => made().loop.enqueue({ family: 'ipv4', service: `default/${name}`, kind: 'service' }),
    started: async () => {
      made().loop.start();
      await pass(5000);
      expect(runs()).toEqual([[0, 'all']]);
      made().backend.syncs.length = 0;
    },
  };
}
