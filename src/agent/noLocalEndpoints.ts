/**
 * Counts the Service ports that this node drops traffic for because their policy is Local and it has no endpoint of
 * theirs, although others have: kube-proxy's `no_local_endpoints_total`.
 */
import type { ServiceKey } from '../model/service.ts';
import { isExternallyReachable, type ServicePort } from '../model/servicePort.ts';

export interface NoLocalEndpoints {
  readonly internal: number;
  readonly external: number;
}

export class NoLocalEndpointsCounter {
  readonly #gaps = new Map<ServiceKey, NoLocalEndpoints>();

  keys(): Iterable<ServiceKey> {
    return this.#gaps.keys();
  }

  set(key: ServiceKey, ports: readonly ServicePort[]): void {
    const gaps = noLocalEndpointsOf(ports);
    if (gaps.internal + gaps.external === 0) this.#gaps.delete(key);
    else this.#gaps.set(key, gaps);
  }

  total(): NoLocalEndpoints {
    const all = [...this.#gaps.values()];
    return {
      internal: all.reduce((sum, { internal }) => sum + internal, 0),
      external: all.reduce((sum, { external }) => sum + external, 0),
    };
  }
}

export function noLocalEndpointsOf(ports: readonly ServicePort[]): NoLocalEndpoints {
  const empty = ports.filter(
    ({ clusterEndpoints, localEndpoints }) => clusterEndpoints.length > 0 && localEndpoints.length === 0,
  );
  return {
    internal: empty.filter((port) => port.internalTrafficPolicy === 'Local').length,
    external: empty.filter((port) => port.externalTrafficPolicy === 'Local' && isExternallyReachable(port)).length,
  };
}
