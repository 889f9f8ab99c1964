/**
 * @module Invariants of rollouts, as docs/DESIGN.md gives them, checked for each write to a node against what the
 * simulated cluster really is, not against what the operator knows of it.
 */
import { expect } from '@jest/globals';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import type { ProxyConfig } from '../../src/api/generated/proxyConfig.ts';
import { portion } from '../../src/operator/rollout/rolloutState.ts';
import type { SimulatedCluster } from './simulatedCluster.ts';

/** What a node runs: a revision, named by its masquerade bit. */
export type AssignedConfig = Pick<NodeProxy['spec'], 'revision'> & { readonly bit: number };

/** Follows a simulated cluster. */
export class RolloutInvariants {
  readonly #cluster: Pick<
    SimulatedCluster,
    'nodes' | 'configs' | 'nodeProxies' | 'assigned' | 'downSince' | 'reach' | 'now' | 'governing'
  >;
  /** By ProxyConfig, the revision that was completed last. */
  readonly #completed = new Map<string, string>();
  readonly #givenUp = new Set<string>();

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster;
  }

  /** A status as it was written. */
  observe(config: ProxyConfig): void {
    const { state, revision = '' } = config.status?.rollout ?? {};
    if (state === 'Complete') this.#completed.set(config.metadata.name, revision);
    if (state === 'RolledBack') this.#givenUp.add(attempt(config, revision));
  }

  /** A ProxyConfig that was made anew has completed nothing. */
  forget(name: string): void {
    this.#completed.delete(name);
  }

  /** Throws where the node may not be assigned this now. */
  check(name: string, { configRef, revision }: NodeProxy['spec']): void {
    const config = this.#cluster.configs.get(configRef.name);
    if (!config || configRef.name !== this.#cluster.governing(name))
      throw new Error(`${name} is assigned by ${configRef.name}, which does not govern it`);
    const before = this.#cluster.assigned.get(name);
    if (before?.revision === revision) return;
    expect([config.status?.observedHash, this.#completed.get(configRef.name), ...this.#inherited(config)]).toContain(
      revision,
    );
    if (this.#givenUp.has(attempt(config, revision)))
      throw new Error(`${name} is assigned the revision that was rolled back`);
    if (before === undefined) return;
    if (config.spec.paused) throw new Error(`${name} is changed while paused`);
    this.#checkBudget(name, config);
    if (revision === config.status?.observedHash) this.#checkSteps(name, config, revision);
  }

  /** What nodes run that were assigned it by the ProxyConfig of the same name before; only while nothing was completed. */
  #inherited({ metadata }: ProxyConfig): string[] {
    if (this.#completed.has(metadata.name)) return [];
    return [...this.#cluster.nodeProxies.values()]
      .filter(({ spec: { configRef } }) => configRef.name === metadata.name && configRef.uid !== metadata.uid)
      .map(({ spec }) => spec.revision);
  }

  #checkBudget(name: string, config: ProxyConfig): void {
    const own = this.#governedBy(config);
    const max = portion(config.spec.rollout.maxUnavailable, own.length);
    const isCounted = (other: string): boolean => !this.#isIgnored(other, config) && !this.#neverServed(other);
    const others = own.filter((other) => other !== name && isCounted(other));
    const idle = others.filter((other) => !this.#isServing(other));
    if (this.#isServing(name) && idle.length >= max)
      throw new Error(`${name} is changed while ${idle.join(', ')} of at most ${max} do not serve`);
    const changing = others.filter((other) => this.#isInChange(other));
    const isRollback = ['RollingBack', 'RolledBack'].includes(config.status?.rollout?.state ?? '');
    if (!isRollback && !this.#isInChange(name) && !this.#isIgnored(name, config) && changing.length >= max)
      throw new Error(`${name} is changed while ${changing.join(', ')} of at most ${max} are in change`);
  }

  /** The last setNodes up to the step that the status names holds; once it names none, all steps are taken. */
  #checkSteps(name: string, config: ProxyConfig, revision: string): void {
    const { step } = config.status?.rollout ?? {};
    if (step === undefined) return;
    const own = this.#governedBy(config);
    const taken = (config.spec.rollout.steps ?? []).slice(0, Number.parseInt(step, 10));
    const allowed = portion(taken.findLast(({ setNodes }) => setNodes !== undefined)?.setNodes ?? 0, own.length);
    const assigned = own.filter(
      (other) =>
        this.#cluster.assigned.get(other)?.revision === revision &&
        !this.#neverServed(other) &&
        !this.#isUnsteady(other, config),
    );
    if (assigned.length >= allowed)
      throw new Error(
        `${name} is changed in step ${step}, which allows ${allowed} nodes, and ${assigned.join(', ')} have it`,
      );
  }

  #governedBy({ metadata }: ProxyConfig): string[] {
    return [...this.#cluster.nodes.keys()].filter((name) => this.#cluster.governing(name) === metadata.name);
  }

  #isServing(name: string): boolean {
    const { spec, status } = this.#cluster.nodeProxies.get(name) ?? {};
    const isReady =
      !this.#isInChange(name) && status?.conditions?.[0]?.status === 'True' && status.revision === spec?.revision;
    return isReady && !this.#cluster.downSince.has(name);
  }

  /** It was assigned something, and has not reported. */
  #isInChange(name: string): boolean {
    const { metadata, status } = this.#cluster.nodeProxies.get(name) ?? {};
    return metadata !== undefined && status?.observedGeneration !== metadata.generation;
  }

  /** Down, and nobody knows of anything that was in force there. */
  #neverServed(name: string): boolean {
    return this.#cluster.downSince.has(name) && this.#cluster.nodeProxies.get(name)?.status?.revision === undefined;
  }

  /** Nobody waits for it any more. */
  #isIgnored(name: string, config: ProxyConfig): boolean {
    const isAway = this.#cluster.downSince.has(name) || this.#isInChange(name);
    return isAway && this.#isUnsteady(name, config);
  }

  /** For the whole deadline it has not been in reach for as long without a break. */
  #isUnsteady(name: string, { spec }: ProxyConfig): boolean {
    const { reach, now } = this.#cluster;
    const deadlineMs = spec.rollout.progressDeadlineSeconds * 1000;
    const turns = reach.get(name) ?? [];
    const ends = turns.map(({ at, isUp }, index) => ({ isUp, at, end: turns[index + 1]?.at ?? now }));
    const steady = ends.filter(({ isUp, at, end }) => isUp && end - at >= deadlineMs).map(({ end }) => end);
    return now - Math.max(turns[0]?.at ?? now, ...steady) >= deadlineMs;
  }
}

/** A change of spec tries a revision that was rolled back anew. */
function attempt({ metadata }: ProxyConfig, revision: string): string {
  return `${metadata.uid} ${revision} ${metadata.generation}`;
}
