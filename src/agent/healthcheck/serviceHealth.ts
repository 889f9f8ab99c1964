/**
 * The health-check node ports of Services with external traffic policy Local: a load balancer asks there which nodes
 * have endpoints. Port, body, header and the addresses that are listened on are kube-proxy's, and as there each IP
 * family answers for itself: it has endpoints of its own, and a pod with two addresses is one endpoint.
 */
import { networkInterfaces } from 'node:os';
import type { NodeConfig } from '../../api/nodeConfig.ts';
import type { EndpointSliceRecord } from '../../model/endpointSlice.ts';
import { canonicalAddress, cidrContains, familyOf, type IPFamily } from '../../model/ipFamily.ts';
import type { NodeRecord } from '../../model/node.ts';
import type { ServiceKey, ServiceRecord } from '../../model/service.ts';
import { type HttpResponse, type HttpServer, json, startHttpServer } from '../../observability/httpServer.ts';
import type { Logger } from '../../observability/logger.ts';

export interface ServiceHealthOptions {
  readonly family: IPFamily;
  readonly service: (key: ServiceKey) => ServiceRecord | undefined;
  readonly slicesOf: (key: ServiceKey) => Iterable<EndpointSliceRecord>;
  readonly nodeName: string;
  /** Whether the rules on this node are kept up to date. */
  readonly isHealthy: () => boolean;
  readonly logger: Logger;
}

interface Listener {
  readonly port: number;
  readonly servers: Map<string, HttpServer>;
  localEndpoints: number;
}

export class ServiceHealth {
  readonly #options: ServiceHealthOptions;
  readonly #listeners = new Map<ServiceKey, Listener>();

  constructor(options: ServiceHealthOptions) {
    this.#options = options;
  }

  /**
   * Opens, closes and answers the ports of these Services by what the store holds now. To be called after their rules
   * are in the kernel, so that no load balancer sends traffic too early. `addresses`: where the ports are listened on.
   */
  async update(changed: Iterable<ServiceKey>, addresses: () => readonly string[]): Promise<void> {
    for (const key of changed) await this.#updateService(key, addresses);
  }

  /** The Services whose port is listened on. */
  keys(): Iterable<ServiceKey> {
    return this.#listeners.keys();
  }

  /** Resolves when all ports are closed. */
  async stop(): Promise<void> {
    await Promise.all([...this.#listeners.values()].map(stopListening));
  }

  async #updateService(key: ServiceKey, addresses: () => readonly string[]): Promise<void> {
    const { slicesOf, nodeName, family } = this.#options;
    const port = this.#portOf(key);
    const before = this.#listeners.get(key);
    if (before !== undefined && before.port !== port) {
      this.#listeners.delete(key);
      await stopListening(before);
    }
    if (port === 0) return;
    const listener = this.#listeners.get(key) ?? { port, servers: new Map<string, HttpServer>(), localEndpoints: 0 };
    this.#listeners.set(key, listener);
    listener.localEndpoints = localEndpoints(slicesOf(key), nodeName, family);
    await this.#listen(key, listener, addresses());
  }

  /** 0 for a Service that has none, is not of this family, or is gone. */
  #portOf(key: ServiceKey): number {
    const { service, family } = this.#options;
    const { clusterIPs = [], healthCheckNodePort = 0 } = service(key) ?? {};
    return clusterIPs.some((address) => familyOf(address) === family) ? healthCheckNodePort : 0;
  }

  /** Closes before it opens: a port cannot be listened on at all addresses and at one of them. */
  async #listen(key: ServiceKey, listener: Listener, addresses: readonly string[]): Promise<void> {
    const { port, servers } = listener;
    const gone = [...servers].filter(([address]) => !addresses.includes(address));
    for (const [address] of gone) servers.delete(address);
    await Promise.all(gone.map(([, server]) => server.stop()));
    const { logger, isHealthy } = this.#options;
    const answer = (): HttpResponse => serviceHealthAnswer(key, listener.localEndpoints, isHealthy());
    for (const host of addresses) {
      if (servers.has(host)) continue;
      const onUnavailable = (error: Error): void =>
        logger.warn('cannot listen on a health-check node port; trying again', { service: key, host, port, error });
      servers.set(
        host,
        startHttpServer({ address: { host, port, ipv6Only: true }, routes: {}, fallback: answer, onUnavailable }),
      );
    }
  }
}

async function stopListening({ servers }: Listener): Promise<void> {
  await Promise.all([...servers.values()].map((server) => server.stop()));
}

const allAddresses: { readonly [family in IPFamily]: string } = { ipv4: '0.0.0.0', ipv6: '::' };

/**
 * The addresses of this node where NodePorts are served in a family, without link-local ones: those could not be
 * listened on without their interface.
 */
export function healthCheckAddresses(
  { nodePorts }: Pick<NodeConfig, 'nodePorts'>,
  node: NodeRecord,
  family: IPFamily,
): readonly string[] {
  const networks = nodePorts?.addresses ?? [];
  const isOfFamily = (address: string): boolean => familyOf(address) === family;
  if (networks.length === 0) return [allAddresses[family]];
  if (networks.includes('primary')) return node.addresses.filter(isOfFamily).slice(0, 1);
  return interfaceAddresses().filter(
    (address) =>
      isOfFamily(address) && !address.startsWith('fe80:') && networks.some((network) => cidrContains(network, address)),
  );
}

function interfaceAddresses(): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  return [...new Set(all.flatMap(({ address }) => canonicalAddress(address) ?? []))];
}

/** The number of distinct addresses of ready endpoints of a family on this node; terminating ones do not count. */
export function localEndpoints(slices: Iterable<EndpointSliceRecord>, nodeName: string, family: IPFamily): number {
  const ofFamily = [...slices].filter((slice) => slice.family === family);
  const ready = ofFamily.flatMap(({ endpoints }) =>
    endpoints.filter((endpoint) => endpoint.ready && endpoint.nodeName === nodeName),
  );
  return new Set(ready.map(({ address }) => address)).size;
}

/** 200 when there are local endpoints and the rules are kept up to date, else 503; body and header are kube-proxy's. */
export function serviceHealthAnswer(key: ServiceKey, endpoints: number, serviceProxyHealthy: boolean): HttpResponse {
  const [namespace, name] = key.split('/');
  const body = { service: { namespace, name }, localEndpoints: endpoints, serviceProxyHealthy };
  return {
    ...json(endpoints > 0 && serviceProxyHealthy ? 200 : 503, body),
    headers: { 'X-Load-Balancing-Endpoint-Weight': String(endpoints) },
  };
}
