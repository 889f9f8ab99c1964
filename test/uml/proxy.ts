/** Who serves the scenarios' Services on the node: this project or kube-proxy. */
import type { NodeConfig, ProxyMode } from '../../src/api/nodeConfig.ts';
import { createBackend } from '../../src/backend/registry.ts';
import { ipFamilies } from '../../src/model/ipFamily.ts';
import type { Network } from '../support/network.ts';
import { stateOf } from '../support/serviceManifests.ts';
import type { Round } from './rounds.ts';

export interface Proxy {
  /** Done when the kernel serves just the round's Services, in both families. */
  serve(round: Round): Promise<void>;
  end(): Promise<void>;
}

/**
 * As the agent does, which has a loop for each family; and as `proxyconfig cleanup` does, one after the other.
 * `settings` go before those of a scenario.
 */
export function createOurs(mode: ProxyMode, network: Network, settings: Partial<NodeConfig> = {}): Proxy {
  const backends = ipFamilies.map((family) => ({
    family,
    backend: createBackend(mode, family, { run: network.runOnNode }),
  }));
  return {
    serve: async ({ objects, config, serviceCIDRs }) => {
      const sync = ({ family, backend }: (typeof backends)[number]): Promise<unknown> =>
        backend.sync({
          state: stateOf(family, objects, { ...config, ...settings, mode }, serviceCIDRs),
          changed: 'all',
          signal: new AbortController().signal,
        });
      await Promise.all(backends.map(sync));
    },
    end: async () => {
      for (const { backend } of backends) await backend.cleanup();
    },
  };
}
