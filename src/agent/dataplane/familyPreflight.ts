/**
 * Asks, for each IP family, whether the node can run a configuration.
 */
import type { NodeConfig, ProxyMode } from '../../api/nodeConfig.ts';
import type { Backend, Refusal } from '../../backend/backend.ts';
import type { IPFamily } from '../../model/ipFamily.ts';
import type { UnservedFamily } from './dataplaneStatus.ts';

/** The backends of the families that can be served, and why the others cannot. Throws what a preflight throws. */
export async function preflightFamilies(
  config: NodeConfig,
  families: readonly IPFamily[],
  backendFor: (mode: ProxyMode, family: IPFamily) => Backend | Refusal,
): Promise<{ readonly backends: ReadonlyMap<IPFamily, Backend>; readonly unserved: readonly UnservedFamily[] }> {
  const backends = new Map<IPFamily, Backend>();
  const unserved: UnservedFamily[] = [];
  for (const family of families) {
    const backend = backendFor(config.mode, family);
    const why = 'reason' in backend ? backend : await backend.preflight(config);
    if (why !== undefined) unserved.push({ family, why });
    else if (!('reason' in backend)) backends.set(family, backend);
  }
  return { backends, unserved };
}
