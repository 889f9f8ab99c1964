/**
 * The agent process: from its configuration and a signal to the end.
 */
import { once } from 'node:events';
import type { AgentConfig } from '../config.ts';
import { createKubeClient } from '../kube/client.ts';
import { loadKubeConfig } from '../kube/kubeConfig.ts';
import { createLogger } from '../observability/logger.ts';
import { createAgentMetrics } from '../observability/metrics.ts';
import { Agent, type AgentParts, type AgentTiming } from './agent.ts';
import { kernelAccess } from './kernel/kernelAccess.ts';

const defaultTiming: AgentTiming = {
  reflector: {},
  nodeProxyWaitMs: 10_000,
  statusIntervalMs: 10_000,
  stopGraceMs: 8000,
};

/**
 * Runs an agent until the signal fires, then stops it and resolves; this is `proxyconfig agent`. Throws where the
 * cluster's credentials cannot be read, or what `Agent.start` throws. `parts`: what a test replaces.
 */
export async function runAgent(
  config: AgentConfig,
  signal: AbortSignal,
  parts: Partial<AgentParts> = {},
): Promise<void> {
  const logger = parts.logger ?? createLogger(config.logLevel);
  const client =
    parts.client ??
    createKubeClient(loadKubeConfig(config.kubernetes), { userAgent: `proxyconfig-agent/${config.version}` });
  const metrics = parts.metrics ?? createAgentMetrics();
  const agent = new Agent(config, { kernel: kernelAccess(), timing: defaultTiming, ...parts, logger, client, metrics });
  logger.info('agent starts', { version: config.version, node: config.nodeName, server: client.server });
  try {
    await Promise.race([agent.start(), aborted(signal)]);
    await aborted(signal);
  } finally {
    await agent.stop();
    await client.close();
    logger.info('agent stopped; the rules stay in place');
  }
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}
