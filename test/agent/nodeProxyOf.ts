/**
 * The NodeProxy of a test node: written as the operator does, and its status awaited.
 */
import { builtIn } from '../../src/agent/config/desiredConfig.ts';
import type { NodeProxyStatus } from '../../src/agent/status/report.ts';
import type { NodeConfig } from '../../src/api/nodeConfig.ts';
import { until } from '../support/until.ts';
import type { AgentNode } from './agentNode.ts';

export interface NodeProxyAccess {
  /** Assigns a configuration: the built-in one with these settings. */
  set(revision: string, config?: Partial<NodeConfig>): Promise<void>;
  /**
   * Resolves to the status when it answers the last generation and the condition holds. Throws it, with the end of the
   * agent's log, after 30 s.
   */
  untilStatus(what: string, condition: (status: NodeProxyStatus) => boolean): Promise<NodeProxyStatus>;
}

/** Empty where the status has none. */
export function readyCondition({ conditions }: NodeProxyStatus): object {
  return conditions?.find(({ type }) => type === 'Ready') ?? {};
}

/** `agentLog`: what the agent has logged so far. */
export function nodeProxyOf(host: AgentNode, agentLog: () => string): NodeProxyAccess {
  let generation = 0;
  return {
    set: async (revision, config = {}) => {
      generation += 1;
      const spec = {
        configRef: { name: 'default', uid: 'u', generation },
        revision,
        config: { ...builtIn().config, ...config },
      };
      await host.apply({
        apiVersion: 'proxyconfig.dev/v1alpha1',
        kind: 'NodeProxy',
        metadata: { name: host.name },
        spec,
      });
    },
    untilStatus: async (what, condition) => {
      let status: NodeProxyStatus = {};
      const check = async (): Promise<boolean> => {
        const object = JSON.parse(await host.kubectl(['get', 'nodeproxy', host.name, '-o', 'json'])) as {
          metadata: { generation: number };
          status?: NodeProxyStatus;
        };
        status = object.status ?? {};
        return status.observedGeneration === object.metadata.generation && condition(status);
      };
      await until(what, check, 30_000).catch((error: unknown) => {
        throw new Error(`${JSON.stringify(status)}\n${agentLog().slice(-3000)}`, { cause: error });
      });
      return status;
    },
  };
}
