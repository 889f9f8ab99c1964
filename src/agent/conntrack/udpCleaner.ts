/**
 * Ends UDP flows that lead to endpoints which are gone, after the rules have changed and beside the syncs: one dump of
 * the kernel's conntrack table for all that changed since the last one, however many endpoints that were.
 */
import type { EndpointSliceRecord } from '../../model/endpointSlice.ts';
import type { IPFamily } from '../../model/ipFamily.ts';
import type { ServiceKey } from '../../model/service.ts';
import type { ServiceState } from '../../model/serviceState.ts';
import type { AgentMetrics } from '../../observability/metrics.ts';
import type { Logger } from '../../observability/logger.ts';
import type { Conntrack, UdpFlow } from '../../netfilter/conntrack/tools/conntrack.ts';
import { type StaleCheck, UdpFrontends, type UdpService, udpServicesOf } from './udpFrontends.ts';

export interface UdpCleanerOptions {
  readonly family: IPFamily;
  readonly conntrack: Conntrack;
  readonly slicesOf: (key: ServiceKey) => Iterable<EndpointSliceRecord>;
  readonly metrics: Pick<AgentMetrics, 'conntrackDuration' | 'conntrackDeleted'>;
  readonly logger: Logger;
  readonly label: { readonly ip_family: string };
  /** Between a failed attempt and the next, in ms; default 10,000. */
  readonly retryMs?: number;
  /** Flows that are kept in memory; where there are more, the table is dumped again for the others. Default 10,000. */
  readonly maxAtOnce?: number;
}

export class UdpCleaner {
  readonly #options: UdpCleanerOptions;
  readonly #frontends = new UdpFrontends();
  readonly #announced = new Map<ServiceKey, readonly UdpService[]>();
  readonly #abort = new AbortController();
  #isNodeAddress: (address: string) => boolean = () => false;
  #running: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #hasFailed = false;

  constructor(options: UdpCleanerOptions) {
    this.#options = options;
  }

  /**
   * The rules of these Services are about to be written. What changes from here on belongs to the next sync: if it
   * counted for this one, its flows would be ended while the rules still lead new ones to the old endpoints.
   */
  onSyncStart(changed: ReadonlySet<ServiceKey> | 'all', state: ServiceState): void {
    const { slicesOf, family } = this.#options;
    const keys = changed === 'all' ? new Set([...state.keys(), ...this.#frontends.keys()]) : changed;
    this.#announced.clear();
    for (const key of keys) {
      const services = udpServicesOf({ ports: state.ports(key), slices: slicesOf(key), family });
      if (services.length > 0 || this.#frontends.has(key)) this.#announced.set(key, services);
    }
    const addresses = new Set(state.node.addresses);
    this.#isNodeAddress = (address) => addresses.has(address);
  }

  /** The rules that `onSyncStart` announced are in the kernel: stale flows are ended in the background. */
  onSyncSuccess(): void {
    for (const [key, services] of this.#announced) this.#frontends.set(key, services);
    this.#announced.clear();
    this.#startCheck();
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
    const { family, metrics, label, logger } = this.#options;
    const started = performance.now();
    const flows = await this.#endStale(check);
    metrics.conntrackDuration.observe(label, (performance.now() - started) / 1000);
    metrics.conntrackDeleted.inc(label, flows);
    if (flows > 0) logger.info('stale UDP flows ended', { family, flows });
  }

  async #endStale(check: StaleCheck): Promise<number> {
    const { conntrack, family, maxAtOnce = 10_000 } = this.#options;
    const { signal } = this.#abort;
    for (let ended = 0; ;) {
      const stale: UdpFlow[] = [];
      const collect = (flow: UdpFlow): void => {
        if (stale.length < maxAtOnce && check.isStale(flow, this.#isNodeAddress)) stale.push(flow);
      };
      await conntrack.listUdp(family, collect, signal);
      const deleted = stale.length === 0 ? 0 : await conntrack.deleteUdp(stale, signal);
      ended += deleted;
      if (stale.length < maxAtOnce || deleted === 0) return ended;
    }
  }
}
