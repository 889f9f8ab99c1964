/**
 * What this node runs: one backend and one sync loop per IP family, under one accepted configuration.
 *
 * What the caller may rely on: `accept` either takes a configuration over or returns why not, and in the second case
 * what ran before goes on running. A change of mode is complete, or undone, when `accept` resolves; a change within the
 * mode is in force later, as `status.inForce` shows.
 *
 * Goals:
 *  1. A configuration that the node cannot run changes nothing.
 *  2. The node serves all the time, also while it changes its mode and when that fails; only with
 *     `migration.strategy: Replace` it does not while it changes.
 *  3. There is a way back until the new mode has proved itself: by its first sync, by reading the kernel back, and by
 *     the probe of the NodeProxy.
 *  4. One IP family is better than none.
 *  5. `inForce` is the truth: what every family's rules were completely made from.
 *
 * How each is met:
 *  1. Each backend's `preflight` is asked first, and it only reads.
 *  2. `modeSwitch.ts` decides the next step and changes nothing itself; `modeReplacement.ts` executes it. The new mode
 *     is complete before it takes over. When its first runs fail, the mode before is started again and kept, even if
 *     its own first run fails: its loops retry.
 *  3. After a switch the phase is Probing, and the objects of the mode before stay, or can be written again.
 *     `handleProbeResult` ends the phase: on success other modes are drained and removed (`leftoversRemoval.ts`), on
 *     failure `onRequeue` asks for the same configuration to be accepted again, and that call rolls back. The same
 *     configuration is then refused for ten minutes, because each try moves connections from one mode to the other.
 *  4. A family whose preflight refuses is left out and named in `status.unserved`. But where no family can run, or
 *     where a family that is served already would be refused, the configuration is. A family that only Services have is
 *     served from the first to the last of them: then its loop ends, and its rules are leftovers.
 *  5. `inForce` is set only when each loop reports this configuration as the one of its last full run.
 *
 * Concurrency: `accept` must not be called while another call is pending; the config controller sees to that. The
 * store's events, `handleProbeResult`, `requestCheck` and the getters may come at any time, also while `accept` waits:
 * the store's events reach the loops that serve and those about to. `stop` may be called during `accept`: a change of
 * mode that is under way is then neither completed nor rolled back.
 */
import type { Backend, Refusal } from '../../backend/backend.ts';
import { refusalOfLocalhost } from '../../backend/localhostNodePorts.ts';
import { ipFamilies, type IPFamily } from '../../model/ipFamily.ts';
import { familiesOf } from '../../model/nodeAddresses.ts';
import type { DataplaneOptions } from './dataplaneOptions.ts';
import { type DataplaneStatus, idleFamilyCondition, type UnservedFamily } from './dataplaneStatus.ts';
import type { DesiredConfig } from '../config/desiredConfig.ts';
import { preflightFamilies } from './familyPreflight.ts';
import { type Backends, ModeReplacement } from './modeReplacement.ts';
import { type FailedSwitch, nextStep, phaseAfterResync, switchFailure, type SwitchPhase } from './modeSwitch.ts';
import type { ProbeResult } from '../healthcheck/probe.ts';
import type { ObservedLoop } from './syncListener.ts';

export class Dataplane {
  readonly #options: DataplaneOptions;
  readonly #modes: ModeReplacement;
  #phase: SwitchPhase = { phase: 'Idle' };
  #failedSwitch: FailedSwitch | undefined;
  #inForce: DesiredConfig | undefined;
  /** What `onInForceChange` was last called for. */
  #announced: Pick<DataplaneStatus, 'inForce' | 'isProbing'> = { inForce: undefined };
  #unserved: readonly UnservedFamily[] = [];

  constructor(options: DataplaneOptions) {
    this.#options = options;
    this.#modes = new ModeReplacement({
      onStatusChange: () => undefined,
      ...options,
      listeners: [{ onSuccess: (loop) => this.#onSuccess(loop) }, ...options.listeners],
    });
    options.store.listen({
      onChange: (change) => {
        for (const syncLoops of this.#modes.allSyncLoops) syncLoops.loop(change.family)?.enqueue(change);
        if (change.kind === 'service' && this.#isOtherwise(change.family)) options.onRequeue();
      },
      onNodeChange: () => this.#onNodeChange(),
      onClusterIPsChange: () => {
        for (const syncLoops of this.#modes.allSyncLoops) syncLoops.enqueueFull();
      },
    });
  }

  /**
   * Makes the node run this configuration. Resolves to undefined when it was accepted (or the dataplane is stopped),
   * else to the reason, and then what ran before goes on. Resolves to `ModeSwitchFailed` when a change of mode was
   * undone. Throws what a preflight throws.
   */
  async accept(desired: DesiredConfig): Promise<Refusal | undefined> {
    const { node } = this.#options.store;
    if (node === undefined)
      return { reason: 'NodeUnknown', message: 'this Node does not exist; check --node against kubectl get nodes' };
    const localhost = refusalOfLocalhost(desired.config);
    if (localhost !== undefined) return localhost;
    const backendFor = this.#modes.backendFor.bind(this.#modes);
    const { backends, unserved } = await preflightFamilies(desired.config, this.#wantedFamilies, backendFor);
    // One family is better than none, unless one that is served already would stop.
    const refused = unserved.find(
      ({ family }) => backends.size === 0 || this.#modes.syncLoops?.loop(family) !== undefined,
    );
    if (refused !== undefined) return refused.why;
    if (this.#modes.isStopped) return undefined;
    const refusal = await this.#execute(desired, backends);
    if (refusal === undefined) this.#unserved = unserved;
    return refusal;
  }

  async #execute(desired: DesiredConfig, backends: Backends): Promise<Refusal | undefined> {
    const step = nextStep(
      this.#phase,
      desired,
      this.#failedSwitch && { ...this.#failedSwitch, now: performance.now() },
    );
    switch (step.kind) {
      case 'start':
        await this.#start(desired, backends);
        return undefined;
      case 'keep':
      case 'resync':
        await this.#resync(desired, backends, step.kind === 'resync');
        return undefined;
      case 'switch':
        return this.#switch(step.from, desired, backends);
      case 'rollBack':
        await this.#rollBack(desired, step.to);
        return this.#rememberFailure(desired, step.why);
      case 'refuse':
        return step.why;
      default:
        return step satisfies never;
    }
  }

  get status(): DataplaneStatus {
    const wanted = this.#wantedFamilies;
    const statuses = this.#modes.syncLoops?.statuses ?? [];
    const idle = idleFamilyCondition(statuses.filter(({ family }) => !wanted.includes(family)));
    return {
      accepted: this.#modes.syncLoops?.desired,
      inForce: this.#inForce,
      families: statuses.filter(({ family }) => wanted.includes(family)),
      unserved: this.#unserved,
      isProbing: this.#phase.phase === 'Probing',
      areOthersRemoved: this.#modes.areOthersRemoved,
      conditions: [...this.#modes.conditions, idle].slice(0, 1).filter((condition) => condition !== undefined),
    };
  }

  /** The backend that serves a family; undefined where none does. */
  backend(family: IPFamily): Backend | undefined {
    return this.#modes.syncLoops?.backend(family);
  }

  /** Rules of this family may be gone: its loop reads the kernel at once. */
  requestCheck(family: IPFamily): void {
    this.#modes.syncLoops?.loop(family)?.requestCheck();
  }

  /**
   * Takes over what the probe of a revision found, where that revision is a new mode in force: undefined makes the
   * change final, and a failure calls `onRequeue`. Anything else is ignored.
   */
  handleProbeResult(revision: string, result: ProbeResult | undefined): void {
    const current = this.#phase;
    if (
      current.phase !== 'Probing' ||
      current.probeFailure !== undefined ||
      this.#inForce !== current.config ||
      current.config.revision !== revision
    )
      return;
    if (result === undefined) {
      this.#phase = { phase: 'Serving', config: current.config };
      this.#updateInForce();
      this.#announceInForce();
    } else if (result.kind === 'failed') {
      this.#phase = { ...current, probeFailure: result.why };
      this.#options.onRequeue();
    }
  }

  /** Resolves when running syncs have ended; they are canceled after `graceMs`. The rules stay in the kernel. */
  async stop(graceMs: number): Promise<void> {
    await this.#modes.stop(graceMs);
  }

  async #start(desired: DesiredConfig, backends: Backends): Promise<void> {
    await this.#modes.start(desired, backends);
    this.#phase = { phase: 'Serving', config: desired };
  }

  async #resync(desired: DesiredConfig, backends: Backends, hasChanged: boolean): Promise<void> {
    if (hasChanged) {
      this.#failedSwitch = undefined;
      this.#phase = phaseAfterResync(this.#phase, desired);
      this.#modes.syncLoops?.assign(desired);
    }
    const isNew = (family: IPFamily): boolean => this.#modes.syncLoops?.loop(family) === undefined;
    if (![...backends.keys()].some(isNew)) return;
    // What stands in a family that nobody asked for is being removed.
    await this.#modes.pauseRemoval();
    if (this.#modes.isStopped) return;
    for (const [family, backend] of backends) if (isNew(family)) this.#modes.syncLoops?.start(family, backend);
  }

  /** The new mode is complete and read back before it takes over; if that fails, the one before serves again. */
  async #switch(from: DesiredConfig, to: DesiredConfig, backends: Backends): Promise<Refusal | undefined> {
    const { logger } = this.#options;
    const failed = await this.#modes.replace(to, backends);
    if (this.#modes.isStopped) return undefined;
    if (failed === undefined) {
      logger.info('mode changed', { from: from.config.mode, to: to.config.mode, revision: to.revision });
      this.#phase = { phase: 'Probing', config: to, before: from };
      this.#failedSwitch = undefined;
      this.#updateInForce();
      return undefined;
    }
    await this.#rollBack(to, from);
    return this.#modes.isStopped ? undefined : this.#rememberFailure(to, switchFailure(to, from, failed));
  }

  async #rollBack(from: DesiredConfig, to: DesiredConfig): Promise<void> {
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
    // Not before: a run of the mode that is given up may still succeed, and is not to count as one that serves.
    const failed = await this.#modes.replace(to, backends, { keepOnFailure: true });
    this.#phase = { phase: 'Serving', config: to };
    if (failed !== undefined)
      logger.error('the mode before cannot be brought back yet', { reason: failed.reason, error: failed });
    this.#updateInForce();
  }

  #rememberFailure(config: DesiredConfig, why: Refusal): Refusal {
    this.#failedSwitch = { config, why, failedAt: performance.now() };
    return why;
  }

  /** A loop that is about to serve does not count: its first run is one of several. */
  #onSuccess(loop: ObservedLoop): void {
    const { family, queuedSince } = loop.status;
    if (this.#modes.syncLoops?.loop(family) !== loop) return;
    this.#updateInForce();
    if (queuedSince === undefined && !this.#wantedFamilies.includes(family)) void this.#end(family);
  }

  /** The kernel holds no Service of a family that is not wanted any more: its rules go, and nothing follows it. */
  async #end(family: IPFamily): Promise<void> {
    await this.#modes.syncLoops?.end(family);
    if (this.#wantedFamilies.includes(family)) this.#options.onRequeue();
    this.#updateInForce();
    this.#options.onStatusChange?.();
  }

  #updateInForce(): void {
    if (this.#modes.syncLoops?.isInForce(this.#wantedFamilies) !== true) return;
    this.#inForce = this.#modes.syncLoops.desired;
    if (this.#phase.phase === 'Serving') this.#modes.removeLeftovers(this.#phase.config, this.#wantedFamilies);
    this.#announceInForce();
  }

  #announceInForce(): void {
    const { inForce, isProbing = false } = this.status;
    if (inForce === this.#announced.inForce && isProbing === this.#announced.isProbing) return;
    this.#announced = { inForce, isProbing };
    this.#options.onInForceChange?.();
  }

  /** Those that the node has, and those of Services. */
  get #wantedFamilies(): readonly IPFamily[] {
    const { node, families } = this.#options.store;
    return node === undefined ? [] : familiesOf(node, families);
  }

  #onNodeChange(): void {
    for (const syncLoops of this.#modes.allSyncLoops) syncLoops.requestFull();
    if (ipFamilies.some((family) => this.#isOtherwise(family))) this.#options.onRequeue();
  }

  /** Whether a family is wanted and not tried yet, or was tried in vain and is not wanted any more. */
  #isOtherwise(family: IPFamily): boolean {
    const isServed = this.#modes.syncLoops?.families.includes(family);
    const isTried = this.#unserved.some((each) => each.family === family);
    return isServed === false && isTried !== this.#wantedFamilies.includes(family);
  }
}
