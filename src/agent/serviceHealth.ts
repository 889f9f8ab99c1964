/**
 * The health-check node ports of Services with external traffic policy Local: a load balancer asks there which nodes have endpoints.
 * Port, body and header are kube-proxy's.
 */
import type { EndpointSliceRecord } from '../model/endpointSlice.ts';
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

interface Listener {
  readonly port: number;
  readonly server: HttpServer;
  localEndpoints: number;
}

export class ServiceHealth {
  readonly #options: ServiceHealthOptions;
  readonly #listeners = new Map<ServiceKey, Listener>();

  constructor(options: ServiceHealthOptions) {
    this.#options = options;
  }

  /** Looks at these Services again; only after their rules are in the kernel, so that nobody is invited too early. */
  async synced(changed: Iterable<ServiceKey>): Promise<void> {
    for (const key of changed) await this.#update(key);
  }

  keys(): Iterable<ServiceKey> {
    return this.#listeners.keys();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#listeners.values()].map(({ server }) => server.stop()));
  }

  async #update(key: ServiceKey): Promise<void> {
    const { service, slicesOf, nodeName } = this.#options;
    const port = service(key)?.healthCheckNodePort ?? 0;
    const before = this.#listeners.get(key);
    if (before !== undefined && before.port !== port) {
      this.#listeners.delete(key);
      await before.server.stop();
    }
    if (port === 0) return;
    const listener = this.#listeners.get(key) ?? this.#listen(key, port);
    listener.localEndpoints = localEndpoints(slicesOf(key), nodeName);
  }

  #listen(key: ServiceKey, port: number): Listener {
    const { logger, isHealthy } = this.#options;
    const answer = (): Answer => serviceHealthAnswer(key, listener.localEndpoints, isHealthy());
    const onUnavailable = (error: Error): void => logger.warn('a health-check node port cannot be had; trying again', { service: key, port, error });
    const listener: Listener = { port, server: startHttpServer({ address: { port }, routes: {}, fallback: answer, onUnavailable }), localEndpoints: 0 };
    this.#listeners.set(key, listener);
    return listener;
  }
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
