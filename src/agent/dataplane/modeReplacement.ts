/**
 * Holds the sync loops that serve this node, and replaces them by those of another mode.
 *
 * A replacement, in order: the loops that serve stop; the removal of other modes stops; all other modes are prepared
 * for the takeover (or removed, with `migration.strategy: Replace`); the new loops start, and their first runs are
 * awaited. Nothing of the mode before is removed until `removeLeftovers`, so that it can come back.
 *
 * Concurrency: `start` and `replace` must not overlap. `stop` may be called at any time; a `start` or `replace` that is
 * under way then starts no more loops.
 */
import type { NodeConditionNow } from '../../api/nodeConditions.ts';
import type { ProxyMode } from '../../api/nodeConfig.ts';
import type { Backend, Refusal } from '../../backend/backend.ts';
import { ipFamilies, type IPFamily } from '../../model/ipFamily.ts';
import { FamilySyncLoops, type FamilySyncLoopsOptions } from './familySyncLoops.ts';
import type { DesiredConfig } from '../config/desiredConfig.ts';
import { leftoversBeside, type MakeBackend, otherModes } from './leftovers.ts';
import { LeftoversRemoval, type OtherProxies, type RemovalTiming } from './leftoversRemoval.ts';
import { asSyncError } from './syncLoop.ts';

/** One backend for each family that is to be served. */
export type Backends = ReadonlyMap<IPFamily, Backend>;

export interface ModeReplacementOptions extends FamilySyncLoopsOptions {
  readonly makeBackend: MakeBackend;
  readonly otherProxies: OtherProxies;
  /** `conditions` changed. */
  readonly onStatusChange: () => void;
  readonly timing?: Partial<RemovalTiming>;
}

/**
 * For a running sync of loops that are replaced. Killing a tool would leave the kernel as it was, and waste its work.
 */
const stopGraceMs = 30_000;
/** For all tools that one backend runs before a takeover; each has a time-out of its own, and a busy node is slow. */
const prepareTimeoutMs = 120_000;

export class ModeReplacement {
  readonly #options: ModeReplacementOptions;
  readonly #removal: LeftoversRemoval;
  #syncLoops: FamilySyncLoops | undefined;
  /** Loops of a mode whose first runs are awaited. */
  #next: FamilySyncLoops | undefined;
  /** Mode, families served and families left as they are, beside which all else is being removed, or has been. */
  #removalFor: string | undefined;
  #isStopped = false;

  constructor(options: ModeReplacementOptions) {
    this.#options = options;
    const { logger, onStatusChange, otherProxies, timing } = options;
    const findOtherProxy = otherProxies.findRunning;
    this.#removal = new LeftoversRemoval({ logger, onStatusChange, findOtherProxy, ...(timing && { timing }) });
  }

  /** The loops that serve; undefined before `start`. */
  get syncLoops(): FamilySyncLoops | undefined {
    return this.#syncLoops;
  }

  /** The loops that serve and those that are about to: what changes in the store concerns both. */
  get allSyncLoops(): readonly FamilySyncLoops[] {
    return [this.#syncLoops, this.#next].filter((syncLoops) => syncLoops !== undefined);
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Whether nothing is left in the kernel of what no longer serves. */
  get areOthersRemoved(): boolean {
    return this.#removalFor !== undefined && this.#removal.isDone;
  }

  /** What is left of what no longer serves. */
  get conditions(): readonly NodeConditionNow[] {
    return this.#removal.conditions;
  }

  /** The backend that serves, where it is of that mode, because it knows what it has written; else a new one. */
  backendFor(mode: ProxyMode, family: IPFamily): Backend | Refusal {
    const running = this.#syncLoops?.desired.config.mode === mode ? this.#syncLoops.backend(family) : undefined;
    return running ?? this.#options.makeBackend(mode, family);
  }

  /**
   * Starts the first loops, none after `stop`. Another mode may have served here before the agent started, so it is
   * prepared.
   */
  async start(desired: DesiredConfig, backends: Backends): Promise<void> {
    await this.#prepareTakeover(desired.config.mode).catch((error: unknown) =>
      this.#options.logger.warn('other modes could not be prepared for the start of this one', { error }),
    );
    if (!this.#isStopped) this.#syncLoops = this.#createSyncLoops(desired, backends);
  }

  /**
   * Replaces the loops that serve by new ones. Resolves to undefined when their first runs succeeded, or after `stop`;
   * else to the first failure. Then the new loops are stopped and nothing serves, except with `keepOnFailure`: they
   * stay and retry.
   */
  async replace(
    desired: DesiredConfig,
    backends: Backends,
    { keepOnFailure = false }: { readonly keepOnFailure?: boolean } = {},
  ): Promise<Refusal | undefined> {
    await this.#syncLoops?.stop(stopGraceMs);
    await this.pauseRemoval();
    const unprepared = await this.#prepare(desired);
    if (unprepared !== undefined && !keepOnFailure) return unprepared;
    if (this.#isStopped) return undefined;
    const next = this.#createSyncLoops(desired, backends);
    this.#next = next;
    const failed = await next.firstRuns();
    this.#next = undefined;
    if (failed === undefined || keepOnFailure) this.#syncLoops = next;
    else await next.stop(stopGraceMs);
    return failed;
  }

  /**
   * Drains and removes all that stands beside what the loops serve, in the background and once for each mode and set of
   * families: there is no way back to it. `wanted`: families that are left as they are, also where none serves them, as
   * are those that have a loop.
   */
  removeLeftovers({ config: { mode, migration } }: DesiredConfig, wanted: readonly IPFamily[]): void {
    const { families = [], backends = new Map() } = this.#syncLoops ?? {};
    const kept = ipFamilies.filter((family) => wanted.includes(family) || families.includes(family));
    const removalFor = [mode, ...families, 'of', ...kept].join(' ');
    if (this.#removalFor === removalFor || this.#isStopped) return;
    this.#removalFor = removalFor;
    const { makeBackend, otherProxies } = this.#options;
    const leftovers = leftoversBeside({ mode, backends, wanted: kept }, makeBackend);
    this.#removal.start([...leftovers, ...otherProxies.leftovers], migration);
  }

  /** Resolves when nothing is being removed; what is left goes on to go with the next `removeLeftovers`. */
  async pauseRemoval(): Promise<void> {
    await this.#removal.stop();
    this.#removalFor = undefined;
  }

  /** Resolves when running syncs and the removal have ended; syncs are canceled after `graceMs`. The rules stay. */
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
      this.#options.logger.error('other modes could not be prepared for the takeover', { error });
      return asSyncError(error);
    }
  }

  async #prepareTakeover(mode: ProxyMode): Promise<void> {
    for (const { backend } of otherModes(mode, this.#options.makeBackend))
      await backend.prepareTakeover?.(AbortSignal.timeout(prepareTimeoutMs));
  }

  async #removeOthers(mode: ProxyMode): Promise<void> {
    for (const { backend } of otherModes(mode, this.#options.makeBackend))
      await backend.drainAndRemove?.({ drains: false, signal: AbortSignal.timeout(prepareTimeoutMs) });
  }

  #createSyncLoops(desired: DesiredConfig, backends: Backends): FamilySyncLoops {
    const syncLoops = new FamilySyncLoops(this.#options, desired);
    for (const [family, backend] of backends) syncLoops.start(family, backend);
    return syncLoops;
  }
}
