/**
 * What this node runs: one backend and one sync loop per IP family, under one configuration that was found runnable.
 *
 * A configuration that this node cannot run changes nothing: what ran before goes on, and the refusal is kept for the report.
 */
import { isDeepStrictEqual } from 'node:util';
import type { NodeConfig, ProxyMode } from '../api/nodeConfig.ts';
import type { Backend, Refusal } from '../backend/backend.ts';
import { familyOf, ipFamilies, type IPFamily } from '../model/ipFamily.ts';
import type { NodeRecord } from '../model/node.ts';
import type { ServiceState } from '../model/serviceState.ts';
import type { DesiredConfig } from './desiredConfig.ts';
import type { Store } from './store.ts';
import { SyncLoop, type SyncObserver, type SyncStatus } from './syncLoop.ts';

/** Makes the backend of a mode; a Refusal for a mode that this program does not have. */
export type MakeBackend = (mode: ProxyMode, family: IPFamily) => Backend | Refusal;

export interface DataplaneOptions {
  readonly store: Store;
  readonly makeBackend: MakeBackend;
  readonly observer: SyncObserver;
  /** The Node got an address of a family that does not run yet: its configuration is to be accepted again. */
  readonly onNewFamily: () => void;
}

export interface DataplaneStatus {
  /** What the loops work towards; undefined before the first configuration was accepted. */
  readonly accepted: DesiredConfig | undefined;
  /** What the kernel's rules were completely made from, in every family. */
  readonly inForce: DesiredConfig | undefined;
  readonly families: readonly SyncStatus[];
  /** Families of the node that are not served although the others are: the node lacks what they need. */
  readonly unserved?: readonly UnservedFamily[];
}

export interface UnservedFamily {
  readonly family: IPFamily;
  readonly why: Refusal;
}

export class Dataplane {
  readonly #options: DataplaneOptions;
  readonly #loops = new Map<IPFamily, SyncLoop>();
  #accepted: DesiredConfig | undefined;
  #inForce: DesiredConfig | undefined;
  #unserved: readonly UnservedFamily[] = [];

  constructor(options: DataplaneOptions) {
    this.#options = options;
    options.store.listen({
      onChange: (change) => this.#loops.get(change.family)?.changed(change),
      onNodeChange: () => this.#nodeChanged(),
    });
  }

  /** Takes the configuration up, or says why not. */
  async accept(desired: DesiredConfig): Promise<Refusal | undefined> {
    const { node } = this.#options.store;
    if (node === undefined) return { reason: 'NodeUnknown', message: 'this Node does not exist; check --node against kubectl get nodes' };
    const backends = new Map<IPFamily, Backend>();
    const unserved: UnservedFamily[] = [];
    for (const family of familiesOf(node)) {
      const backend = await this.#runnable(desired.config, family);
      if ('reason' in backend) unserved.push({ family, why: backend });
      else backends.set(family, backend);
    }
    // One family is better than none. But a mode that this agent lacks is no matter of families, nor is what stops one that runs already.
    const refused = unserved.find(({ family }) => backends.size === 0 || this.#loops.has(family));
    if (refused !== undefined) return refused.why;
    const before = this.#accepted;
    if (before !== undefined && before.config.mode !== desired.config.mode) return { reason: 'ModeChange', message: modeChange(before.config.mode, desired.config.mode) };
    this.#unserved = unserved;
    const isNews = !isDeepStrictEqual(before, desired);
    if (isNews) this.#accepted = desired;
    for (const [family, backend] of backends) if (isNews || !this.#loops.has(family)) this.#run(family, backend);
    return undefined;
  }

  get status(): DataplaneStatus {
    const families = [...this.#loops.values()].map((loop) => loop.status);
    return { accepted: this.#accepted, inForce: this.#inForce, families, unserved: this.#unserved };
  }

  /** Rules of this family may be gone: the kernel is asked at once. */
  requestCheck(family: IPFamily): void {
    this.#loops.get(family)?.requestCheck();
  }

  /** Lets running syncs end and leaves the rules in place. */
  async stop(graceMs: number): Promise<void> {
    await Promise.all([...this.#loops.values()].map((loop) => loop.stop(graceMs)));
  }

  async #runnable(config: NodeConfig, family: IPFamily): Promise<Backend | Refusal> {
    const backend = this.#backendFor(config.mode, family);
    return 'reason' in backend ? backend : ((await backend.preflight(config)) ?? backend);
  }

  /** The one that runs, where it is of that mode: a backend knows what it has put into the kernel. */
  #backendFor(mode: ProxyMode, family: IPFamily): Backend | Refusal {
    const running = this.#accepted?.config.mode === mode ? this.#loops.get(family)?.backend : undefined;
    return running ?? this.#options.makeBackend(mode, family);
  }

  #run(family: IPFamily, backend: Backend): void {
    const running = this.#loops.get(family);
    if (running !== undefined) {
      running.requestFull();
      return;
    }
    const observer: SyncObserver = {
      ...this.#options.observer,
      onSuccess: (succeeded, run) => {
        this.#noteInForce();
        this.#options.observer.onSuccess(succeeded, run);
      },
    };
    const loop = new SyncLoop({ family, backend, state: () => this.#state(family), observer });
    this.#loops.set(family, loop);
    loop.start();
  }

  #noteInForce(): void {
    const accepted = this.#accepted;
    const everywhere = [...this.#loops.values()].every(({ status }) => status.configInForce === accepted?.config);
    if (everywhere) this.#inForce = accepted;
  }

  #state(family: IPFamily): ServiceState {
    const { node } = this.#options.store;
    if (node === undefined || this.#accepted === undefined) throw new Error('a loop runs before node and configuration are known');
    return this.#options.store.state(family, node, this.#accepted.config);
  }

  #nodeChanged(): void {
    const { node } = this.#options.store;
    for (const loop of this.#loops.values()) loop.requestFull();
    const hasNewFamily = node !== undefined && familiesOf(node).some((family) => !this.#loops.has(family));
    if (hasNewFamily) this.#options.onNewFamily();
  }
}

function modeChange(from: ProxyMode, to: ProxyMode): string {
  return `this agent runs mode ${from} and cannot change it while it runs; to go to mode ${to}, delete the agent's Pod on this node`;
}

/** Those of the node's addresses and Pod ranges. A node that has neither yet waits for its cloud provider, perhaps behind an IPv4 Service. */
export function familiesOf(node: NodeRecord): readonly IPFamily[] {
  const present = new Set([...node.addresses, ...node.podCIDRs].map(familyOf));
  return present.size === 0 ? ['ipv4'] : ipFamilies.filter((family) => present.has(family));
}
