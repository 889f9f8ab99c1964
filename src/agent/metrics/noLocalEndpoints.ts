/**
 * Counts the Service ports that this node drops traffic for because their traffic policy is Local and it has no
 * endpoint of theirs, although other nodes have: kube-proxy's metric `sync_proxy_rules_no_local_endpoints_total`.
 */
import type { ServiceKey } from '../../model/service.ts';
import { isExternallyReachable, type ServicePort } from '../../model/servicePort.ts';

/** Numbers of Service ports, by the traffic policy that is Local. */
export interface NoLocalEndpoints {
  readonly internal: number;
  readonly external: number;
}

export class NoLocalEndpointsCounter {
  readonly #services = new Map<ServiceKey, NoLocalEndpoints>();

  /** The Services that are counted. */
  keys(): Iterable<ServiceKey> {
    return this.#services.keys();
  }

  /** Replaces what a Service adds to the counts; without ports it is gone. */
  set(key: ServiceKey, ports: readonly ServicePort[]): void {
    const counts = noLocalEndpointsOf(ports);
    if (counts.internal + counts.external === 0) this.#services.delete(key);
    else this.#services.set(key, counts);
  }

  total(): NoLocalEndpoints {
    const all = [...this.#services.values()];
    return {
      internal: all.reduce((sum, { internal }) => sum + internal, 0),
      external: all.reduce((sum, { external }) => sum + external, 0),
    };
  }
}

/** Of one Service's ports. */
export function noLocalEndpointsOf(ports: readonly ServicePort[]): NoLocalEndpoints {
  const empty = ports.filter(
    ({ clusterEndpoints, localEndpoints }) => clusterEndpoints.length > 0 && localEndpoints.length === 0,
  );
  return {
    internal: empty.filter((port) => port.internalTrafficPolicy === 'Local').length,
    external: empty.filter((port) => port.externalTrafficPolicy === 'Local' && isExternallyReachable(port)).length,
  };
}
