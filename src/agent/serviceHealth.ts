/**
 * The health-check node ports of Services with external traffic policy Local: a load balancer asks there which nodes have endpoints.
 * Port, body, header and the addresses that are listened on are kube-proxy's.
 */
import { networkInterfaces } from 'node:os';
import type { NodeConfig } from '../api/nodeConfig.ts';
import type { EndpointSliceRecord } from '../model/endpointSlice.ts';
import { canonicalAddress, cidrContains, familyOf, ipFamilies } from '../model/ipFamily.ts';
import type { NodeRecord } from '../model/node.ts';
import type { ServiceKey, ServiceRecord } from '../model/service.ts';
import { type Answer, type HttpServer, json, startHttpServer } from '../observability/httpServer.ts';
import type { Logger } from '../observability/logger.ts';

export interface ServiceHealthOptions {
  readonly service: (key: ServiceKey) => ServiceRecord | undefined;
  readonly slicesOf: (key: ServiceKey) => Iterable<EndpointSliceRecord>;
  readonly nodeName: string;
  /** Whether the rules on this node are kept up to date. */
  readonly isHealthy: () => boolean;
  readonly logger: Logger;
}

/** An address of the node's; undefined for all of them, of both families. */
export type ListenAddress = string | undefined;

interface Listener {
  readonly port: number;
  readonly servers: Map<ListenAddress, HttpServer>;
  localEndpoints: number;
}

export class ServiceHealth {
  readonly #options: ServiceHealthOptions;
  readonly #listeners = new Map<ServiceKey, Listener>();

  constructor(options: ServiceHealthOptions) {
    this.#options = options;
  }

  /** Looks at these Services again; only after their rules are in the kernel, so that nobody is invited too early. */
  async synced(changed: Iterable<ServiceKey>, addresses: () => readonly ListenAddress[]): Promise<void> {
    for (const key of changed) await this.#update(key, addresses);
  }

  keys(): Iterable<ServiceKey> {
    return this.#listeners.keys();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#listeners.values()].map(stopListening));
  }

  async #update(key: ServiceKey, addresses: () => readonly ListenAddress[]): Promise<void> {
    const { service, slicesOf, nodeName } = this.#options;
    const port = service(key)?.healthCheckNodePort ?? 0;
    const before = this.#listeners.get(key);
    if (before !== undefined && before.port !== port) {
      this.#listeners.delete(key);
      await stopListening(before);
    }
    if (port === 0) return;
    const listener = this.#listeners.get(key) ?? { port, servers: new Map<ListenAddress, HttpServer>(), localEndpoints: 0 };
    this.#listeners.set(key, listener);
    listener.localEndpoints = localEndpoints(slicesOf(key), nodeName);
    await this.#listen(key, listener, addresses());
  }

  /** What is listened on no more goes first: all addresses and one of them exclude each other. */
  async #listen(key: ServiceKey, listener: Listener, addresses: readonly ListenAddress[]): Promise<void> {
    const { port, servers } = listener;
    const gone = [...servers].filter(([address]) => !addresses.includes(address));
    for (const [address] of gone) servers.delete(address);
    await Promise.all(gone.map(([, server]) => server.stop()));
    const { logger, isHealthy } = this.#options;
    const answer = (): Answer => serviceHealthAnswer(key, listener.localEndpoints, isHealthy());
    for (const host of addresses) {
      if (servers.has(host)) continue;
      const onUnavailable = (error: Error): void => logger.warn('a health-check node port cannot be had; trying again', { service: key, host, port, error });
      servers.set(host, startHttpServer({ address: { port, ...(host !== undefined && { host }) }, routes: {}, fallback: answer, onUnavailable }));
    }
  }
}

async function stopListening({ servers }: Listener): Promise<void> {
  await Promise.all([...servers.values()].map((server) => server.stop()));
}

/** Where NodePorts are served; a link-local address could not be listened on without its interface. */
export function healthCheckAddresses({ nodePorts }: Pick<NodeConfig, 'nodePorts'>, node: NodeRecord): readonly ListenAddress[] {
  const networks = nodePorts?.addresses ?? [];
  if (networks.length === 0) return [undefined];
  if (networks.includes('primary')) return ipFamilies.flatMap((family) => node.addresses.find((address) => familyOf(address) === family) ?? []);
  return interfaceAddresses().filter((address) => !address.startsWith('fe80:') && networks.some((network) => cidrContains(network, address)));
}

function interfaceAddresses(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  return [...new Set(all.flatMap(({ address }) => canonicalAddress(address) ?? []))];
}

/** Distinct addresses of ready endpoints on this node; those that are going away count no more. */
export function localEndpoints(slices: Iterable<EndpointSliceRecord>, nodeName: string): number {
  const ready = [...slices].flatMap(({ endpoints }) => endpoints.filter((endpoint) => endpoint.ready && endpoint.nodeName === nodeName));
  return new Set(ready.map(({ address }) => address)).size;
}

export function serviceHealthAnswer(key: ServiceKey, endpoints: number, serviceProxyHealthy: boolean): Answer {
  const [namespace, name] = key.split('/');
  const body = { service: { namespace, name }, localEndpoints: endpoints, serviceProxyHealthy };
  return { ...json(endpoints > 0 && serviceProxyHealthy ? 200 : 503, body), headers: { 'X-Load-Balancing-Endpoint-Weight': String(endpoints) } };
}
