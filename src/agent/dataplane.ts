/**
 * What this node runs: one backend and one sync loop per IP family, under one configuration that was found runnable.
 *
 * A configuration that this node cannot run changes nothing: what ran before goes on, and the refusal is kept for the
 * report. Another mode takes over when it is complete (`modeSwitch.ts` says what follows what); the one before goes
 * when the new one has proved itself.
 */
import type { ConditionNow } from '../api/conditions.ts';
import type { NodeConfig } from '../api/nodeConfig.ts';
import type { Backend, Refusal } from '../backend/backend.ts';
import { familyOf, ipFamilies, type IPFamily } from '../model/ipFamily.ts';
import type { NodeRecord } from '../model/node.ts';
import type { Logger } from '../observability/logger.ts';
import type { DesiredConfig } from './desiredConfig.ts';
import { type Backends, type MakeBackend, ModeReplacement } from './modeReplacement.ts';
import { failure, type FailedSwitch, nextStep, resynced, type SwitchPhase } from './modeSwitch.ts';
import type { ProbeResult } from './probe.ts';
import type { RemovalTiming } from './otherModesRemoval.ts';
import type { Store } from './store.ts';
import type { SyncObserver, SyncStatus } from './syncLoop.ts';

export interface DataplaneOptions {
  readonly store: Store;
  readonly makeBackend: MakeBackend;
  readonly observer: SyncObserver;
  readonly logger: Logger;
  /**
   * The configuration is to be accepted again: the Node got an address of a family that does not run yet, or a mode did
   * not prove itself.
   */
  readonly onRequeue: () => void;
  /** Something that a report may have to say is different now, without a sync. */
  readonly onStatusChange?: () => void;
  readonly timing?: Partial<RemovalTiming>;
}

export interface DataplaneStatus {
  /** What the loops work towards; undefined before the first configuration was accepted. */
  readonly accepted: DesiredConfig | undefined;
  /** What the kernel's rules were completely made from, in every family. */
  readonly inForce: DesiredConfig | undefined;
  readonly families: readonly SyncStatus[];
  /** Families of the node that are not served although the others are: the node lacks what they need. */
  readonly unserved?: readonly UnservedFamily[];
  /** The mode in force is new, and may still be given up for the one before. */
  readonly isProbing?: boolean;
  /** Nothing that another mode made is left in the kernel. */
  readonly othersRemoved?: boolean;
  /** What is left of a mode that serves no longer. */
  readonly conditions?: readonly ConditionNow[];
}

export interface UnservedFamily {
  readonly family: IPFamily;
  readonly why: Refusal;
}

export class Dataplane {
  readonly #options: DataplaneOptions;
  readonly #modes: ModeReplacement;
  #phase: SwitchPhase = { phase: 'Idle' };
  #failed: FailedSwitch | undefined;
  #inForce: DesiredConfig | undefined;
  #unserved: readonly UnservedFamily[] = [];

  constructor(options: DataplaneOptions) {
    this.#options = options;
    this.#modes = new ModeReplacement({
      onStatusChange: () => undefined,
      ...options,
      onSuccess: () => this.#noteInForce(),
    });
    options.store.listen({
      onChange: (change) => {
        for (const syncLoops of this.#modes.allSyncLoops) syncLoops.loop(change.family)?.changed(change);
      },
      onNodeChange: () => this.#nodeChanged(),
    });
  }

  /** Takes the configuration up, or says why not. A change of mode is done, or undone, when this returns. */
  async accept(desired: DesiredConfig): Promise<Refusal | undefined> {
    const { node } = this.#options.store;
    if (node === undefined)
      return { reason: 'NodeUnknown', message: 'this Node does not exist; check --node against kubectl get nodes' };
    const { backends, unserved } = await this.#runnable(desired.config, familiesOf(node));
    // One family is better than none. But a mode that this agent lacks is no matter of families, nor is what stops one
    // that runs already.
    const refused = unserved.find(
      ({ family }) => backends.size === 0 || this.#modes.syncLoops?.loop(family) !== undefined,
    );
    if (refused !== undefined) return refused.why;
    if (this.#modes.isStopped) return undefined;
    const refusal = await this.#take(desired, backends);
    if (refusal === undefined) this.#unserved = unserved;
    return refusal;
  }

  async #take(desired: DesiredConfig, backends: Backends): Promise<Refusal | undefined> {
    const step = nextStep(this.#phase, desired, this.#failed && { ...this.#failed, now: performance.now() });
    switch (step.kind) {
      case 'start':
        await this.#start(desired, backends);
        return undefined;
      case 'keep':
      case 'resync':
        this.#resync(desired, backends, step.kind === 'resync');
        return undefined;
      case 'switch':
        return this.#switch(step.from, desired, backends);
      case 'goBack':
        await this.#goBack(desired, step.to);
        return this.#giveUp(desired, step.why);
      case 'refuse':
        return step.why;
      default:
        return step satisfies never;
    }
  }

  get status(): DataplaneStatus {
    return {
      accepted: this.#modes.syncLoops?.desired,
      inForce: this.#inForce,
      families: this.#modes.syncLoops?.statuses ?? [],
      unserved: this.#unserved,
      isProbing: this.#phase.phase === 'Probing',
      othersRemoved: this.#modes.othersRemoved,
      conditions: this.#modes.conditions,
    };
  }

  /** Of the mode that serves. */
  backend(family: IPFamily): Backend | undefined {
    return this.#modes.syncLoops?.backend(family);
  }

  /** Rules of this family may be gone: the kernel is asked at once. */
  requestCheck(family: IPFamily): void {
    this.#modes.syncLoops?.loop(family)?.requestCheck();
  }

  /** What speaks against a revision, now that its rules are in force; undefined when it has proved itself. */
  handleProbeResult(revision: string, result: ProbeResult | undefined): void {
    const now = this.#phase;
    if (
      now.phase !== 'Probing' ||
      now.probeFailure !== undefined ||
      this.#inForce !== now.config ||
      now.config.revision !== revision
    )
      return;
    if (result === undefined) {
      this.#phase = { phase: 'Serving', config: now.config };
      this.#noteInForce();
    } else if (result.kind === 'failed') {
      this.#phase = { ...now, probeFailure: result.why };
      this.#options.onRequeue();
    }
  }

  /** Lets running syncs end and leaves the rules in place. */
  async stop(graceMs: number): Promise<void> {
    await this.#modes.stop(graceMs);
  }

  async #runnable(
    config: NodeConfig,
    families: readonly IPFamily[],
  ): Promise<{ backends: Map<IPFamily, Backend>; unserved: UnservedFamily[] }> {
    const backends = new Map<IPFamily, Backend>();
    const unserved: UnservedFamily[] = [];
    for (const family of families) {
      const backend = this.#modes.backendFor(config.mode, family);
      const why = 'reason' in backend ? backend : await backend.preflight(config);
      if (why !== undefined) unserved.push({ family, why });
      else if (!('reason' in backend)) backends.set(family, backend);
    }
    return { backends, unserved };
  }

  async #start(desired: DesiredConfig, backends: Backends): Promise<void> {
    await this.#modes.start(desired, backends);
    this.#phase = { phase: 'Serving', config: desired };
  }

  #resync(desired: DesiredConfig, backends: Backends, hasChanged: boolean): void {
    const { families = [] } = this.#modes.syncLoops ?? {};
    if (hasChanged) {
      this.#failed = undefined;
      this.#phase = resynced(this.#phase, desired);
      this.#modes.syncLoops?.take(desired);
    }
    for (const [family, backend] of backends)
      if (!families.includes(family)) this.#modes.syncLoops?.start(family, backend);
  }

  /**
   * The new mode is made complete and checked before it takes over; if that fails, the old one is there still, or
   * written again.
   */
  async #switch(from: DesiredConfig, to: DesiredConfig, backends: Backends): Promise<Refusal | undefined> {
    const { logger } = this.#options;
    const failed = await this.#modes.replace(to, backends);
    if (this.#modes.isStopped) return undefined;
    if (failed === undefined) {
      logger.info('mode changed', { from: from.config.mode, to: to.config.mode, revision: to.revision });
      this.#phase = { phase: 'Probing', config: to, before: from };
      this.#failed = undefined;
      this.#noteInForce();
      return undefined;
    }
    await this.#goBack(to, from);
    return this.#modes.isStopped ? undefined : this.#giveUp(to, failure(to, from, failed));
  }

  async #goBack(from: DesiredConfig, to: DesiredConfig): Promise<void> {
    const { logger } = this.#options;
    logger.error('a change of mode failed; the node goes back', {
      from: from.config.mode,
      to: to.config.mode,
      revision: to.revision,
    });
    const families = this.#modes.syncLoops?.families ?? [];
    const backends = new Map(
      families.flatMap((family) => {
        const backend = this.#modes.backendFor(to.config.mode, family);
        return 'reason' in backend ? [] : [[family, backend] as const];
      }),
    );
    this.#phase = { phase: 'Serving', config: to };
    const failed = await this.#modes.replace(to, backends, 'for good');
    if (failed !== undefined)
      logger.error('the mode before cannot be brought back yet', { reason: failed.reason, error: failed });
    this.#noteInForce();
  }

  #giveUp(config: DesiredConfig, why: Refusal): Refusal {
    this.#failed = { config, why, at: performance.now() };
    return why;
  }

  #noteInForce(): void {
    if (this.#modes.syncLoops?.isDone !== true) return;
    this.#inForce = this.#modes.syncLoops.desired;
    if (this.#phase.phase === 'Serving') this.#modes.drainAndRemoveOthers(this.#phase.config);
  }

  #nodeChanged(): void {
    const { node } = this.#options.store;
    for (const syncLoops of this.#modes.allSyncLoops) syncLoops.requestFull();
    const hasNewFamily =
      node !== undefined && familiesOf(node).some((family) => this.#modes.syncLoops?.loop(family) === undefined);
    if (hasNewFamily) this.#options.onRequeue();
  }
}

/**
 * Those of the node's addresses and Pod ranges. A node that has neither yet waits for its cloud provider, perhaps
 * behind an IPv4 Service.
 */
export function familiesOf(node: NodeRecord): readonly IPFamily[] {
  const present = new Set([...node.addresses, ...node.podCIDRs].map(familyOf));
  return present.size === 0 ? ['ipv4'] : ipFamilies.filter((family) => present.has(family));
}
