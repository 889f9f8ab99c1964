/**
 * The health-check node ports of Services with external traffic policy Local: a load balancer asks there which nodes
 * have endpoints. Port, body, header and the addresses that are listened on are kube-proxy's, and as there each IP
 * family answers for itself: it has endpoints of its own, and a pod with two addresses is one endpoint.
 */
import type { NodeConfig } from '../../api/nodeConfig.ts';
import { defaultNodePortAddresses } from '../../backend/registry.ts';
import type { IPFamily } from '../../model/ipFamily.ts';
import { nodePortNetworks, servesNodePorts } from '../../model/nodePortAddresses.ts';
import type { NodeAddresses } from '../../model/nodeAddresses.ts';
import type { ServiceKey } from '../../model/service.ts';
import type { ServicePort } from '../../model/servicePort.ts';
import { type HttpResponse, type HttpServer, json, startHttpServer } from '../../observability/httpServer.ts';
import type { Logger } from '../../observability/logger.ts';
import { ChosenInSync } from '../dataplane/chosenInSync.ts';
import type { ObservedLoop, SyncListener } from '../dataplane/syncListener.ts';
import type { SyncRun } from '../dataplane/syncStatus.ts';
import type { ReadNodeAddresses } from '../kernel/nodeAddresses.ts';

export interface ServiceHealthOptions {
  readonly family: IPFamily;
  readonly readNodeAddresses: ReadNodeAddresses;
  /** Whether the rules on this node are kept up to date. */
  readonly isHealthy: () => boolean;
  readonly logger: Logger;
}

/** What is to be listened on and answered. */
interface HealthCheck {
  readonly port: number;
  readonly localEndpoints: number;
}

interface Listener {
  readonly port: number;
  readonly servers: Map<string, HttpServer>;
  localEndpoints: number;
}

/**
 * Opens, closes and answers the ports by what the last sync has put into the kernel, so that no load balancer sends
 * traffic too early. The work is done in the background, the changes of one sync after those of the one before.
 */
export class ServiceHealth implements SyncListener {
  readonly family: IPFamily;
  readonly #options: ServiceHealthOptions;
  readonly #healthChecks = new Map<ServiceKey, HealthCheck>();
  readonly #chosen = new ChosenInSync<HealthCheck>(this.#healthChecks);
  readonly #listeners = new Map<ServiceKey, Listener>();
  #updating: Promise<void> = Promise.resolve();

  constructor(options: ServiceHealthOptions) {
    this.family = options.family;
    this.#options = options;
  }

  onServicePorts(_loop: ObservedLoop, key: ServiceKey, [first]: readonly ServicePort[]): void {
    const { healthCheckNodePort: port = 0, readyLocalEndpoints: localEndpoints = 0 } = first ?? {};
    this.#chosen.note(key, port === 0 ? undefined : { port, localEndpoints });
  }

  onSuccess(_loop: ObservedLoop, { result, node, config }: SyncRun): void {
    const changes = this.#chosen.take(result);
    if (changes.size === 0) return;
    for (const [key, healthCheck] of changes) {
      if (healthCheck === undefined) this.#healthChecks.delete(key);
      else this.#healthChecks.set(key, healthCheck);
    }
    this.#updating = this.#updating.then(() => this.#updateAll(changes, { node, config }));
  }

  onFailure(): void {
    this.#chosen.discard();
  }

  /** Resolves when all ports are closed. */
  async stop(): Promise<void> {
    await this.#updating;
    await Promise.all([...this.#listeners.values()].map(stopListening));
  }

  async #updateAll(
    changes: ReadonlyMap<ServiceKey, HealthCheck | undefined>,
    { node, config }: Pick<SyncRun, 'node' | 'config'>,
  ): Promise<void> {
    const { family, readNodeAddresses } = this.#options;
    const addresses = healthCheckAddresses(config, readNodeAddresses(node), family);
    for (const [key, healthCheck] of changes) await this.#update(key, healthCheck, addresses);
  }

  async #update(key: ServiceKey, healthCheck: HealthCheck | undefined, addresses: readonly string[]): Promise<void> {
    const before = this.#listeners.get(key);
    if (before !== undefined && before.port !== healthCheck?.port) {
      this.#listeners.delete(key);
      await stopListening(before);
    }
    if (healthCheck === undefined) return;
    const { port, localEndpoints } = healthCheck;
    const listener = this.#listeners.get(key) ?? { port, servers: new Map<string, HttpServer>(), localEndpoints };
    this.#listeners.set(key, listener);
    listener.localEndpoints = localEndpoints;
    await this.#listen(key, listener, addresses);
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

/** Where NodePorts are served in a family, of the node's addresses. */
export function healthCheckAddresses(
  { mode, nodePorts }: Pick<NodeConfig, 'mode' | 'nodePorts'>,
  node: NodeAddresses,
  family: IPFamily,
): readonly string[] {
  const primary = node.primary(family);
  const networks = nodePortNetworks(nodePorts?.addresses ?? defaultNodePortAddresses(mode), primary, family);
  if (networks === 'all') return [allAddresses[family]];
  // The primary address may be on no device; listening on it is tried all the same, until it is.
  const served = [...networks.filter((network) => network === primary), ...node.all(family)];
  return [...new Set(served.filter((address) => servesNodePorts(networks, address)))];
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
