/**
 * The agent's HTTP endpoints, on kube-proxy's ports and paths: `/healthz`, `/livez` and `/readyz` on one port,
 * `/metrics` and `/proxyMode` on another.
 */
import type { AgentConfig } from '../../config.ts';
import type { ProxyMode } from '../../api/nodeConfig.ts';
import { type HttpResponse, type HttpServer, json, plain, startServers } from '../../observability/httpServer.ts';
import type { Logger } from '../../observability/logger.ts';
import type { AgentMetrics } from '../../observability/metrics.ts';
import { type HealthAnswer, type HealthFacts, healthz, livez, readyz } from './health.ts';

export interface HttpServersOptions {
  readonly config: Pick<AgentConfig, 'healthAddress' | 'metricsAddress'>;
  readonly metrics: AgentMetrics;
  readonly logger: Logger;
  readonly health: () => HealthFacts;
  /** Updates the metrics that are read from the kernel; awaited by each scrape. */
  readonly refreshCounters: () => Promise<void>;
  /** The mode in force; undefined before there is one. */
  readonly mode: () => ProxyMode | undefined;
}

/** A port that cannot be listened on is tried again; never throws. */
export function startHttpServers({
  config,
  metrics,
  logger,
  health,
  refreshCounters,
  mode,
}: HttpServersOptions): readonly HttpServer[] {
  const healthRoutes = {
    '/healthz': () => counted(metrics.healthz, healthz(health())),
    '/livez': () => counted(metrics.livez, livez(health())),
    '/readyz': () => asJSON(readyz(health())),
  };
  const metricsRoutes = {
    '/healthz': () => plain(200, 'ok'),
    '/metrics': async () => {
      await refreshCounters();
      return { status: 200, contentType: metrics.registry.contentType, body: await metrics.registry.metrics() };
    },
    '/proxyMode': () => plain(200, mode() ?? ''),
  };
  const serve = (
    name: string,
    address: AgentConfig['healthAddress'],
    routes: typeof healthRoutes | typeof metricsRoutes,
  ): readonly HttpServer[] =>
    startServers({
      address,
      routes,
      onUnavailable: (error) =>
        logger.warn('cannot listen on the port; trying again', {
          endpoint: name,
          address: `${address.host ?? ''}:${address.port}`,
          error,
        }),
    });
  return [
    ...serve('health', config.healthAddress, healthRoutes),
    ...serve('metrics', config.metricsAddress, metricsRoutes),
  ];
}

function asJSON({ status, body }: HealthAnswer): HttpResponse {
  return json(status, body);
}

function counted(counter: AgentMetrics['healthz'], answer: HealthAnswer): HttpResponse {
  counter.inc({ code: answer.status });
  return asJSON(answer);
}
