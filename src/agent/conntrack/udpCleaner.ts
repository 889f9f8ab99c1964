/**
 * Ends UDP flows that lead to endpoints which are gone, after the rules have changed and beside the syncs: one dump of
 * the kernel's conntrack table for all that changed since the last one, however many endpoints that were.
 */
import type { IPFamily } from '../../model/ipFamily.ts';
import type { NodeRecord } from '../../model/node.ts';
import type { ServiceKey } from '../../model/service.ts';
import type { ServicePort } from '../../model/servicePort.ts';
import type { AgentMetrics } from '../../observability/metrics.ts';
import type { Logger } from '../../observability/logger.ts';
import type { Conntrack, UdpFlow } from '../../netfilter/conntrack/tools/conntrack.ts';
import { ChosenInSync } from '../dataplane/chosenInSync.ts';
import type { ObservedLoop, SyncListener } from '../dataplane/syncListener.ts';
import type { SyncRun } from '../dataplane/syncStatus.ts';
import type { ReadNodeAddresses } from '../kernel/nodeAddresses.ts';
import { familyLabels } from '../metrics/familyLabels.ts';
import { type StaleCheck, UdpFrontends, type UdpService, udpServicesOf } from './udpFrontends.ts';

export interface UdpCleanerOptions {
  readonly family: IPFamily;
  readonly conntrack: Conntrack;
  readonly readNodeAddresses: ReadNodeAddresses;
  readonly metrics: Pick<AgentMetrics, 'conntrackDuration' | 'conntrackDeleted'>;
  readonly logger: Logger;
  /** Between a failed attempt and the next, in ms; default 10,000. */
  readonly retryMs?: number;
  /** Flows that are kept in memory; where there are more, the table is dumped again for the others. Default 10,000. */
  readonly maxAtOnce?: number;
}

/** What changes while a sync runs counts for the next one: until then the rules still lead to the old endpoints. */
export class UdpCleaner implements SyncListener {
  readonly family: IPFamily;
  readonly #options: UdpCleanerOptions;
  readonly #frontends = new UdpFrontends();
  readonly #chosen = new ChosenInSync<readonly UdpService[]>(this.#frontends);
  readonly #abort = new AbortController();
  /** Of the last sync. */
  #node: NodeRecord | undefined;
  #running: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #hasFailed = false;

  constructor(options: UdpCleanerOptions) {
    this.family = options.family;
    this.#options = options;
  }

  onServicePorts(_loop: ObservedLoop, key: ServiceKey, ports: readonly ServicePort[]): void {
    const services = udpServicesOf(ports);
    this.#chosen.note(key, services.length === 0 ? undefined : services);
  }

  /** The rules are in the kernel: stale flows are ended in the background. */
  onSuccess(_loop: ObservedLoop, { result, node }: SyncRun): void {
    for (const [key, services = []] of this.#chosen.take(result)) this.#frontends.set(key, services);
    this.#node = node;
    this.#startCheck();
  }

  onFailure(): void {
    this.#chosen.discard();
  }

  /** Cancels the running attempt and resolves when it has ended. */
  async stop(): Promise<void> {
    clearTimeout(this.#retry);
    this.#abort.abort();
    await this.#running;
  }

  #startCheck(): void {
    if (this.#running !== undefined || this.#abort.signal.aborted) return;
    const check = this.#frontends.takeCheck();
    if (check === undefined) return;
    clearTimeout(this.#retry);
    this.#running = this.#run(check);
  }

  async #run(check: StaleCheck): Promise<void> {
    const succeeded = await this.#attempt(check);
    this.#running = undefined;
    if (succeeded) this.#startCheck();
  }

  async #attempt(check: StaleCheck): Promise<boolean> {
    const { logger, family, retryMs = 10_000 } = this.#options;
    try {
      await this.#clean(check);
      this.#hasFailed = false;
      return true;
    } catch (error) {
      this.#frontends.requeue(check);
      if (!this.#abort.signal.aborted) {
        logger[this.#hasFailed ? 'debug' : 'warn']('stale UDP flows could not be looked for', { family, error });
        this.#retry = setTimeout(() => this.#startCheck(), retryMs);
      }
      this.#hasFailed = true;
      return false;
    }
  }

  async #clean(check: StaleCheck): Promise<void> {
    const { family, metrics, logger } = this.#options;
    const label = { ip_family: familyLabels[family] };
    const started = performance.now();
    const flows = await this.#endStale(check);
    metrics.conntrackDuration.observe(label, (performance.now() - started) / 1000);
    metrics.conntrackDeleted.inc(label, flows);
    if (flows > 0) logger.info('stale UDP flows ended', { family, flows });
  }

  async #endStale(check: StaleCheck): Promise<number> {
    const { conntrack, family, readNodeAddresses, maxAtOnce = 10_000 } = this.#options;
    const { signal } = this.#abort;
    const addresses = this.#node && readNodeAddresses(this.#node);
    const isNodeAddress = (address: string): boolean => addresses?.has(address) === true;
    for (let ended = 0; ;) {
      const stale: UdpFlow[] = [];
      const collect = (flow: UdpFlow): void => {
        if (stale.length < maxAtOnce && check.isStale(flow, isNodeAddress)) stale.push(flow);
      };
      await conntrack.listUdp(family, collect, signal);
      const deleted = stale.length === 0 ? 0 : await conntrack.deleteUdp(stale, signal);
      ended += deleted;
      if (stale.length < maxAtOnce || deleted === 0) return ended;
    }
  }
}
