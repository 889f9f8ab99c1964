/**
 * What the agent answers over HTTP, on kube-proxy's ports and paths.
 */
import type { AgentConfig } from '../config.ts';
import type { ProxyMode } from '../api/nodeConfig.ts';
import { type HttpResponse, type HttpServer, json, plain, startHttpServer } from '../observability/httpServer.ts';
import type { Logger } from '../observability/logger.ts';
import type { AgentMetrics } from '../observability/metrics.ts';
import { type HealthAnswer, type HealthFacts, healthz, livez, readyz } from './health.ts';

export interface HttpServersOptions {
  readonly config: Pick<AgentConfig, 'healthAddress' | 'metricsAddress'>;
  readonly metrics: AgentMetrics;
  readonly logger: Logger;
  readonly health: () => HealthFacts;
  /** Brings those metrics up to date that are read from the kernel. */
  readonly refresh: () => Promise<void>;
  /** The mode in force. */
  readonly mode: () => ProxyMode | undefined;
}

export function startHttpServers({
  config,
  metrics,
  logger,
  health,
  refresh,
  mode,
}: HttpServersOptions): readonly HttpServer[] {
  const probes = {
    '/healthz': () => counted(metrics.healthz, healthz(health())),
    '/livez': () => counted(metrics.livez, livez(health())),
    '/readyz': () => asJSON(readyz(health())),
  };
  const readings = {
    '/healthz': () => plain(200, 'ok'),
    '/metrics': async () => {
      await refresh();
      return { status: 200, contentType: metrics.registry.contentType, body: await metrics.registry.metrics() };
    },
    '/proxyMode': () => plain(200, mode() ?? ''),
  };
  const serve = (
    name: string,
    address: AgentConfig['healthAddress'],
    routes: typeof probes | typeof readings,
  ): HttpServer =>
    startHttpServer({
      address,
      routes,
      onUnavailable: (error) =>
        logger.warn('cannot listen on the port; trying again', {
          endpoint: name,
          address: `${address.host}:${address.port}`,
          error,
        }),
    });
  return [serve('health', config.healthAddress, probes), serve('metrics', config.metricsAddress, readings)];
}

function asJSON({ status, body }: HealthAnswer): HttpResponse {
  return json(status, body);
}

function counted(counter: AgentMetrics['healthz'], answer: HealthAnswer): HttpResponse {
  counter.inc({ code: answer.status });
  return asJSON(answer);
}
