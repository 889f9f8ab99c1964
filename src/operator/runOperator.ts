/**
 * What `proxyconfig operator` runs: several processes, of which one at a time leads and works.
 */
import { randomUUID } from 'node:crypto';
import os from 'node:os';
import { aborted } from '../aborted.ts';
import type { OperatorConfig } from '../config.ts';
import { createKubeClient } from '../kube/client.ts';
import { loadKubeConfig } from '../kube/kubeConfig.ts';
import { LeaderElection, writingAsLeader } from '../kube/leaderElection.ts';
import { ServerClock } from '../kube/serverClock.ts';
import { plain, startServers, type HttpServer } from '../observability/httpServer.ts';
import { createLogger, type Logger } from '../observability/logger.ts';
import { ProxyConfigOperator } from './operator.ts';
import { createOperatorMetrics, type OperatorMetrics } from './operatorMetrics.ts';
import { operatorNamespace } from './rollout/revisions.ts';

const statusIntervalMs = 5000;
/** Well within the time for which a leader leads without a renewal. */
const leaseRequestTimeoutMs = 3000;

/**
 * Competes for the Lease and works while it leads, until the signal fires; then writes what is due, gives the Lease
 * back and resolves. An API server that is away is waited for. Throws where the kubeconfig cannot be loaded.
 */
export async function runOperator(config: OperatorConfig, signal: AbortSignal): Promise<void> {
  const logger = createLogger(config.logLevel);
  const kubeConfig = loadKubeConfig(config.kubernetes);
  const userAgent = `proxyconfig-operator/${config.version}`;
  const client = createKubeClient(kubeConfig, { userAgent });
  const clock = new ServerClock();
  const leaseClient = createKubeClient(kubeConfig, {
    userAgent,
    requestTimeoutMs: leaseRequestTimeoutMs,
    onDate: (date) => clock.observe(date),
  });
  const metrics = createOperatorMetrics();
  const election = new LeaderElection({
    client: leaseClient,
    namespace: operatorNamespace,
    name: 'proxyconfig-operator',
    identity: `${os.hostname()}_${randomUUID()}`,
    onError: (error) => logger.warn('cannot get or renew the Lease', { error }),
  });
  let operator: ProxyConfigOperator | undefined;
  const isReady = (): boolean => (operator === undefined ? election.hasObservedLease : operator.synced);
  const servers = startHttpServers(config, { isReady, logger, metrics });
  logger.info('operator starts', { version: config.version, server: client.server });
  try {
    await election.run(async (term) => {
      logger.info('leads');
      const writing = writingAsLeader(client, () => election.isLeader());
      const leader = new ProxyConfigOperator({
        client: writing,
        logger,
        metrics,
        instance: os.hostname(),
        statusIntervalMs,
        now: clock.start(),
      });
      operator = leader;
      await serve(leader, term);
      operator = undefined;
      logger.info('leads no longer');
    }, signal);
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
    await Promise.all([client.close(), leaseClient.close()]);
    logger.info('operator stopped');
  }
}

async function serve(operator: ProxyConfigOperator, term: AbortSignal): Promise<void> {
  try {
    // Starting ends with the first complete list, which without an API server may be never.
    await Promise.race([operator.start(), aborted(term)]);
    await aborted(term);
  } finally {
    operator.stop();
    await operator.stopped();
  }
}

function startHttpServers(
  { healthAddress, metricsAddress }: OperatorConfig,
  { isReady, logger, metrics }: { isReady: () => boolean; logger: Logger; metrics: OperatorMetrics },
): readonly HttpServer[] {
  const onUnavailable = (cause: Error): void => logger.warn('cannot listen on the port', { error: cause });
  const alive = { '/healthz': () => plain(200, 'ok'), '/livez': () => plain(200, 'ok') };
  const ready = { '/readyz': () => (isReady() ? plain(200, 'ok') : plain(503, 'not everything is listed yet')) };
  const exposition = {
    '/metrics': async () => ({
      status: 200,
      contentType: metrics.registry.contentType,
      body: await metrics.registry.metrics(),
    }),
  };
  return [
    ...startServers({ address: healthAddress, routes: { ...alive, ...ready }, onUnavailable }),
    ...startServers({ address: metricsAddress, routes: exposition, onUnavailable }),
  ];
}
