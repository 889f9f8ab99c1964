import { builtIn } from '../../src/agent/config/desiredConfig.ts';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import type { NodeConfig } from '../../src/api/nodeConfig.ts';
import { apiVersion, nodeProxyResource } from '../../src/api/resources.ts';

export interface Assigned {
  readonly revision: string;
  readonly generation?: number;
  /** In place of the built-in settings. */
  readonly config?: Partial<NodeConfig>;
}

/** The NodeProxy of `node-1` as the operator writes it, without a status. */
export function assignedNodeProxy({ revision, generation = 1, config = {} }: Assigned): NodeProxy {
  return {
    apiVersion,
    kind: nodeProxyResource.kind,
    metadata: { name: 'node-1', uid: 'n', generation },
    spec: {
      configRef: { name: 'default', uid: 'u', generation },
      revision,
      config: { ...builtIn().config, ...config },
    },
  };
}
