/**
 * The sync loops of one mode, one for each IP family that it serves. They share one desired configuration.
 */
import type { Backend } from '../../backend/backend.ts';
import { SyncError } from '../../netfilter/errors.ts';
import type { IPFamily } from '../../model/ipFamily.ts';
import type { ServiceState } from '../../model/serviceState.ts';
import type { Logger } from '../../observability/logger.ts';
import type { DesiredConfig } from '../config/desiredConfig.ts';
import type { Store } from '../watch/store.ts';
import { SyncLoop } from './syncLoop.ts';
import type { SyncListener } from './syncListener.ts';
import type { SyncStatus } from './syncStatus.ts';

export interface FamilySyncLoopsOptions {
  readonly store: Pick<Store, 'node' | 'state'>;
  readonly listeners: readonly SyncListener[];
  readonly logger: Logger;
}

/** For the running step of a loop that ends; each tool has a time-out of its own. */
const maxEndMs = 30_000;

export class FamilySyncLoops {
  readonly #options: FamilySyncLoopsOptions;
  readonly #loops = new Map<IPFamily, SyncLoop>();
  #desired: DesiredConfig;

  constructor(options: FamilySyncLoopsOptions, desired: DesiredConfig) {
    this.#options = options;
    this.#desired = desired;
  }

  /** What the loops work towards. */
  get desired(): DesiredConfig {
    return this.#desired;
  }

  get statuses(): readonly SyncStatus[] {
    return [...this.#loops.values()].map(({ status }) => status);
  }

  get families(): readonly IPFamily[] {
    return [...this.#loops.keys()];
  }

  /**
   * Whether the rules of those of these families that have a loop were completely made from the desired configuration.
   */
  isInForce(families: readonly IPFamily[]): boolean {
    const statuses = this.statuses.filter(({ family }) => families.includes(family));
    return statuses.length > 0 && statuses.every(({ configInForce }) => configInForce === this.#desired.config);
  }

  loop(family: IPFamily): SyncLoop | undefined {
    return this.#loops.get(family);
  }

  /** By family, what its loop runs. */
  get backends(): ReadonlyMap<IPFamily, Backend> {
    return new Map([...this.#loops].map(([family, { backend }]) => [family, backend]));
  }

  backend(family: IPFamily): Backend | undefined {
    return this.#loops.get(family)?.backend;
  }

  /** Replaces the configuration by another of the same mode; a full run of each loop follows. */
  assign(desired: DesiredConfig): void {
    this.#desired = desired;
    this.requestFull();
  }

  /** Starts the loop of a family; there must be none of it yet. */
  start(family: IPFamily, backend: Backend): void {
    const { listeners, logger } = this.#options;
    const loop = new SyncLoop({ family, backend, state: () => this.#state(family), listeners, logger });
    this.#loops.set(family, loop);
    loop.start();
  }

  /** Stops the loop of a family for good; resolves when its running step has ended. The rules stay. */
  async end(family: IPFamily): Promise<void> {
    await this.#loops.get(family)?.stop(maxEndMs);
    this.#loops.delete(family);
  }

  /** A full run of each loop is due. */
  requestFull(): void {
    for (const loop of this.#loops.values()) loop.requestFull();
  }

  /** A full run of each loop is due after its pause. */
  enqueueFull(): void {
    for (const loop of this.#loops.values()) loop.enqueueFull();
  }

  /**
   * Resolves after the first run of every family, which is a full one that is read back: to the first failure, its
   * message with the family before it, or to undefined.
   */
  async firstRuns(): Promise<SyncError | undefined> {
    const errors = await Promise.all(
      [...this.#loops].map(async ([family, loop]) => withFamily(family, await loop.firstRun)),
    );
    return errors.find((error) => error !== undefined);
  }

  /** Stops each loop: running syncs end, or are canceled after `graceMs`. The rules stay. */
  async stop(graceMs: number): Promise<void> {
    await Promise.all([...this.#loops.values()].map((loop) => loop.stop(graceMs)));
  }

  #state(family: IPFamily): ServiceState {
    const { node } = this.#options.store;
    if (node === undefined) throw new Error('a loop runs before its node is known');
    return this.#options.store.state(family, node, this.#desired.config);
  }
}

function withFamily(family: IPFamily, error: SyncError | undefined): SyncError | undefined {
  return error && new SyncError(error.reason, `${family}: ${error.message}`, { cause: error });
}
