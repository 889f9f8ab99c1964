/**
 * Who serves this node, and one crew for another: the one that serves stops, its mode steps aside or goes, the next one
 * begins. When that one is to stay, what other modes have left retires.
 */
import type { ConditionNow } from '../api/conditions.ts';
import { type ProxyMode, proxyModes } from '../api/nodeConfig.ts';
import type { Backend, Refusal } from '../backend/backend.ts';
import { ipFamilies, type IPFamily } from '../model/ipFamily.ts';
import type { Logger } from '../observability/logger.ts';
import { Crew, type CrewOptions } from './crew.ts';
import type { DesiredConfig } from './desiredConfig.ts';
import { type OldMode, Retirement, type RetirementTiming } from './retirement.ts';
import { asSyncError } from './syncLoop.ts';

/** Makes the backend of a mode; a Refusal for a mode that this program does not have. */
export type MakeBackend = (mode: ProxyMode, family: IPFamily) => Backend | Refusal;

export type Backends = ReadonlyMap<IPFamily, Backend>;

export interface ModeExchangeOptions extends Pick<CrewOptions, 'store' | 'observer'> {
  readonly makeBackend: MakeBackend;
  readonly logger: Logger;
  /** A sync of the crew that serves succeeded. */
  readonly onSuccess: () => void;
  /** Something that a report may have to say is different now, without a sync. */
  readonly onNews: () => void;
  readonly timing?: Partial<RetirementTiming>;
}

/** A tool that is killed in its work leaves the kernel as it was, but the work would have to be done again. */
const stopGraceMs = 30_000;
/**
 * For all the tools that make room for a mode, each of which has a time-out of its own; on a busy node they are slow.
 */
const makeRoomMs = 120_000;

export class ModeExchange {
  readonly #options: ModeExchangeOptions;
  readonly #retirement: Retirement;
  #crew: Crew | undefined;
  /** Of a mode that is about to take over. */
  #next: Crew | undefined;
  /** The mode beside which all others were told to go. */
  #retiredFor: ProxyMode | undefined;
  #isStopped = false;

  constructor(options: ModeExchangeOptions) {
    this.#options = options;
    const { logger, onNews, timing } = options;
    this.#retirement = new Retirement({ logger, onNews, ...(timing && { timing }) });
  }

  /** Who serves. */
  get crew(): Crew | undefined {
    return this.#crew;
  }

  /** Also the one that is about to take over. */
  get crews(): readonly Crew[] {
    return [this.#crew, this.#next].filter((crew) => crew !== undefined);
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Whether nothing is left of other modes. */
  get othersRemoved(): boolean {
    return this.#retiredFor !== undefined && this.#retirement.isDone;
  }

  /** What is left of a mode that serves no longer. */
  get remarks(): readonly ConditionNow[] {
    return this.#retirement.remarks;
  }

  /** The one that runs, where it is of that mode: a backend knows what it has put into the kernel. */
  backendFor(mode: ProxyMode, family: IPFamily): Backend | Refusal {
    const running = this.#crew?.task.config.mode === mode ? this.#crew.backend(family) : undefined;
    return running ?? this.#options.makeBackend(mode, family);
  }

  /** The first crew; another mode may have served here before this agent started. */
  async start(task: DesiredConfig, backends: Backends): Promise<void> {
    await this.#stepAside(task.config.mode).catch((error: unknown) =>
      this.#options.logger.warn('what another mode left could not be looked after', { error }),
    );
    this.#crew = this.#hire(task, backends);
  }

  /**
   * One crew for the other. Gives why the new one failed, and then nobody serves, unless it was hired for good: that
   * one goes on trying.
   */
  async exchange(task: DesiredConfig, backends: Backends, terms?: 'for good'): Promise<Refusal | undefined> {
    await this.#crew?.stop(stopGraceMs);
    await this.#retirement.stop();
    this.#retiredFor = undefined;
    const unready = await this.#makeRoom(task);
    if (unready !== undefined && terms === undefined) return unready;
    if (this.#isStopped) return undefined;
    const next = this.#hire(task, backends);
    this.#next = next;
    const failed = await next.firstRuns();
    this.#next = undefined;
    if (failed === undefined || terms === 'for good') this.#crew = next;
    else await next.stop(stopGraceMs);
    return failed;
  }

  /** There is no way back to whoever served before. */
  retireOthers({ config: { mode, migration } }: DesiredConfig): void {
    if (this.#retiredFor === mode || this.#isStopped) return;
    this.#retiredFor = mode;
    this.#retirement.start(this.#others(mode), migration);
  }

  /** Lets running syncs end and leaves the rules in place. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopped = true;
    await Promise.all([this.#retirement.stop(), ...this.crews.map((crew) => crew.stop(graceMs))]);
  }

  async #makeRoom({ config: { mode, migration } }: DesiredConfig): Promise<Refusal | undefined> {
    try {
      if (migration.strategy === 'Replace') await this.#removeOthers(mode);
      else await this.#stepAside(mode);
      return undefined;
    } catch (error) {
      this.#options.logger.error('the mode that serves could not make room', { error });
      return asSyncError(error);
    }
  }

  async #stepAside(mode: ProxyMode): Promise<void> {
    for (const { backend } of this.#others(mode)) await backend.stepAside?.(AbortSignal.timeout(makeRoomMs));
  }

  async #removeOthers(mode: ProxyMode): Promise<void> {
    for (const { backend } of this.#others(mode))
      await backend.retire?.({ drains: false, signal: AbortSignal.timeout(makeRoomMs) });
  }

  /** Also in families that the node does not have any more. */
  #others(mode: ProxyMode): readonly OldMode[] {
    return proxyModes
      .filter((other) => other !== mode)
      .flatMap((other) =>
        ipFamilies.flatMap((family) => {
          const backend = this.#options.makeBackend(other, family);
          return 'reason' in backend ? [] : [{ mode: other, family, backend }];
        }),
      );
  }

  #hire(task: DesiredConfig, backends: Backends): Crew {
    const { store, observer } = this.#options;
    const onSuccess = (): void => {
      if (crew === this.#crew) this.#options.onSuccess();
    };
    const crew = new Crew({ store, observer, onSuccess }, task);
    for (const [family, backend] of backends) crew.start(family, backend);
    return crew;
  }
}
