/**
 * Who serves this node, and one crew for another: the one that serves stops, its mode steps aside or goes, the next one
 * begins. When that one is to stay, what other modes have left retires.
 */
import type { ConditionNow } from '../api/conditions.ts';
import { type ProxyMode, proxyModes } from '../api/nodeConfig.ts';
import type { Backend, Refusal } from '../backend/backend.ts';
import { ipFamilies, type IPFamily } from '../model/ipFamily.ts';
import type { Logger } from '../observability/logger.ts';
import { FamilySyncLoops, type FamilySyncLoopsOptions } from './familySyncLoops.ts';
import type { DesiredConfig } from './desiredConfig.ts';
import { type OtherMode, OtherModesRemoval, type RemovalTiming } from './otherModesRemoval.ts';
import { asSyncError } from './syncLoop.ts';

/** Makes the backend of a mode; a Refusal for a mode that this program does not have. */
export type MakeBackend = (mode: ProxyMode, family: IPFamily) => Backend | Refusal;

export type Backends = ReadonlyMap<IPFamily, Backend>;

export interface ModeReplacementOptions extends Pick<FamilySyncLoopsOptions, 'store' | 'observer'> {
  readonly makeBackend: MakeBackend;
  readonly logger: Logger;
  /** A sync of the crew that serves succeeded. */
  readonly onSuccess: () => void;
  /** Something that a report may have to say is different now, without a sync. */
  readonly onStatusChange: () => void;
  readonly timing?: Partial<RemovalTiming>;
}

/** A tool that is killed in its work leaves the kernel as it was, but the work would have to be done again. */
const stopGraceMs = 30_000;
/**
 * For all the tools that make room for a mode, each of which has a time-out of its own; on a busy node they are slow.
 */
const prepareTimeoutMs = 120_000;

export class ModeReplacement {
  readonly #options: ModeReplacementOptions;
  readonly #removal: OtherModesRemoval;
  #syncLoops: FamilySyncLoops | undefined;
  /** Of a mode that is about to take over. */
  #next: FamilySyncLoops | undefined;
  /** The mode beside which all others were told to go. */
  #removedFor: ProxyMode | undefined;
  #isStopped = false;

  constructor(options: ModeReplacementOptions) {
    this.#options = options;
    const { logger, onStatusChange, timing } = options;
    this.#removal = new OtherModesRemoval({ logger, onStatusChange, ...(timing && { timing }) });
  }

  /** Who serves. */
  get syncLoops(): FamilySyncLoops | undefined {
    return this.#syncLoops;
  }

  /** Also the one that is about to take over. */
  get allSyncLoops(): readonly FamilySyncLoops[] {
    return [this.#syncLoops, this.#next].filter((syncLoops) => syncLoops !== undefined);
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Whether nothing is left of other modes. */
  get othersRemoved(): boolean {
    return this.#removedFor !== undefined && this.#removal.isDone;
  }

  /** What is left of a mode that serves no longer. */
  get conditions(): readonly ConditionNow[] {
    return this.#removal.conditions;
  }

  /** The one that runs, where it is of that mode: a backend knows what it has put into the kernel. */
  backendFor(mode: ProxyMode, family: IPFamily): Backend | Refusal {
    const running = this.#syncLoops?.desired.config.mode === mode ? this.#syncLoops.backend(family) : undefined;
    return running ?? this.#options.makeBackend(mode, family);
  }

  /** The first crew; another mode may have served here before this agent started. */
  async start(desired: DesiredConfig, backends: Backends): Promise<void> {
    await this.#prepareTakeover(desired.config.mode).catch((error: unknown) =>
      this.#options.logger.warn('what another mode left could not be looked after', { error }),
    );
    this.#syncLoops = this.#createSyncLoops(desired, backends);
  }

  /**
   * One crew for the other. Gives why the new one failed, and then nobody serves, unless it was hired for good: that
   * one goes on trying.
   */
  async replace(desired: DesiredConfig, backends: Backends, terms?: 'for good'): Promise<Refusal | undefined> {
    await this.#syncLoops?.stop(stopGraceMs);
    await this.#removal.stop();
    this.#removedFor = undefined;
    const unready = await this.#prepare(desired);
    if (unready !== undefined && terms === undefined) return unready;
    if (this.#isStopped) return undefined;
    const next = this.#createSyncLoops(desired, backends);
    this.#next = next;
    const failed = await next.firstRuns();
    this.#next = undefined;
    if (failed === undefined || terms === 'for good') this.#syncLoops = next;
    else await next.stop(stopGraceMs);
    return failed;
  }

  /** There is no way back to whoever served before. */
  drainAndRemoveOthers({ config: { mode, migration } }: DesiredConfig): void {
    if (this.#removedFor === mode || this.#isStopped) return;
    this.#removedFor = mode;
    this.#removal.start(this.#others(mode), migration);
  }

  /** Lets running syncs end and leaves the rules in place. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopped = true;
    await Promise.all([this.#removal.stop(), ...this.allSyncLoops.map((syncLoops) => syncLoops.stop(graceMs))]);
  }

  async #prepare({ config: { mode, migration } }: DesiredConfig): Promise<Refusal | undefined> {
    try {
      if (migration.strategy === 'Replace') await this.#removeOthers(mode);
      else await this.#prepareTakeover(mode);
      return undefined;
    } catch (error) {
      this.#options.logger.error('the mode that serves could not make room', { error });
      return asSyncError(error);
    }
  }

  async #prepareTakeover(mode: ProxyMode): Promise<void> {
    for (const { backend } of this.#others(mode))
      await backend.prepareTakeover?.(AbortSignal.timeout(prepareTimeoutMs));
  }

  async #removeOthers(mode: ProxyMode): Promise<void> {
    for (const { backend } of this.#others(mode))
      await backend.drainAndRemove?.({ drains: false, signal: AbortSignal.timeout(prepareTimeoutMs) });
  }

  /** Also in families that the node does not have any more. */
  #others(mode: ProxyMode): readonly OtherMode[] {
    return proxyModes
      .filter((other) => other !== mode)
      .flatMap((other) =>
        ipFamilies.flatMap((family) => {
          const backend = this.#options.makeBackend(other, family);
          return 'reason' in backend ? [] : [{ mode: other, family, backend }];
        }),
      );
  }

  #createSyncLoops(desired: DesiredConfig, backends: Backends): FamilySyncLoops {
    const { store, observer } = this.#options;
    const onSuccess = (): void => {
      if (syncLoops === this.#syncLoops) this.#options.onSuccess();
    };
    const syncLoops = new FamilySyncLoops({ store, observer, onSuccess }, desired);
    for (const [family, backend] of backends) syncLoops.start(family, backend);
    return syncLoops;
  }
}
