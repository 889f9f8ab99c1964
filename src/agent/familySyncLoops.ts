/**
 * The sync loops that serve one mode, one for each IP family.
 */
import type { Backend } from '../backend/backend.ts';
import { SyncError } from '../netfilter/errors.ts';
import type { IPFamily } from '../model/ipFamily.ts';
import type { ServiceState } from '../model/serviceState.ts';
import type { DesiredConfig } from './desiredConfig.ts';
import type { Store } from './store.ts';
import { SyncLoop, type SyncObserver, type SyncStatus } from './syncLoop.ts';

export interface FamilySyncLoopsOptions {
  readonly store: Pick<Store, 'node' | 'state'>;
  readonly observer: SyncObserver;
  readonly onSuccess: () => void;
}

export class FamilySyncLoops {
  readonly #options: FamilySyncLoopsOptions;
  readonly #loops = new Map<IPFamily, SyncLoop>();
  #desired: DesiredConfig;

  constructor(options: FamilySyncLoopsOptions, desired: DesiredConfig) {
    this.#options = options;
    this.#desired = desired;
  }

  get desired(): DesiredConfig {
    return this.#desired;
  }

  get statuses(): readonly SyncStatus[] {
    return [...this.#loops.values()].map(({ status }) => status);
  }

  get families(): readonly IPFamily[] {
    return [...this.#loops.keys()];
  }

  /** Whether every family's rules were completely made from the task. */
  get isDone(): boolean {
    return this.statuses.every(({ configInForce }) => configInForce === this.#desired.config);
  }

  loop(family: IPFamily): SyncLoop | undefined {
    return this.#loops.get(family);
  }

  backend(family: IPFamily): Backend | undefined {
    return this.#loops.get(family)?.backend;
  }

  /** Other settings of the same mode. */
  take(desired: DesiredConfig): void {
    this.#desired = desired;
    this.requestFull();
  }

  start(family: IPFamily, backend: Backend): void {
    const { observer, onSuccess } = this.#options;
    const watched: SyncObserver = {
      ...observer,
      onSuccess: (loop, run) => {
        onSuccess();
        observer.onSuccess(loop, run);
      },
    };
    const loop = new SyncLoop({ family, backend, state: () => this.#state(family), observer: watched });
    this.#loops.set(family, loop);
    loop.start();
  }

  requestFull(): void {
    for (const loop of this.#loops.values()) loop.requestFull();
  }

  /** When every family had its first sync, which is a full one that is read back: the first failure, or undefined. */
  async firstRuns(): Promise<SyncError | undefined> {
    const errors = await Promise.all(
      [...this.#loops].map(async ([family, loop]) => named(family, await loop.firstRun)),
    );
    return errors.find((error) => error !== undefined);
  }

  async stop(graceMs: number): Promise<void> {
    await Promise.all([...this.#loops.values()].map((loop) => loop.stop(graceMs)));
  }

  #state(family: IPFamily): ServiceState {
    const { node } = this.#options.store;
    if (node === undefined) throw new Error('a loop runs before its node is known');
    return this.#options.store.state(family, node, this.#desired.config);
  }
}

function named(family: IPFamily, error: SyncError | undefined): SyncError | undefined {
  return error && new SyncError(error.reason, `${family}: ${error.message}`, { cause: error });
}
