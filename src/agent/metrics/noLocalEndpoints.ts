/**
 * Counts the Service ports that this node drops traffic for because their traffic policy is Local and it has no
 * endpoint of theirs, although other nodes have: kube-proxy's metric `sync_proxy_rules_no_local_endpoints_total`.
 */
import type { IPFamily } from '../../model/ipFamily.ts';
import type { ServiceKey } from '../../model/service.ts';
import { isExternallyReachable, type ServicePort } from '../../model/servicePort.ts';
import type { AgentMetrics } from '../../observability/metrics.ts';
import { ChosenInSync } from '../dataplane/chosenInSync.ts';
import type { ObservedLoop, SyncListener } from '../dataplane/syncListener.ts';
import type { SyncRun } from '../dataplane/syncStatus.ts';
import { familyLabels } from './familyLabels.ts';

/** Numbers of Service ports, by the traffic policy that is Local. */
interface NoLocalEndpoints {
  readonly internal: number;
  readonly external: number;
}

/** The metric of one IP family; it says nothing of rules that are not in the kernel yet. */
export class NoLocalEndpointsMetric implements SyncListener {
  readonly family: IPFamily;
  readonly #metrics: Pick<AgentMetrics, 'noLocalEndpoints'>;
  /** Services that add to the counts. */
  readonly #services = new Map<ServiceKey, NoLocalEndpoints>();
  readonly #chosen = new ChosenInSync<NoLocalEndpoints>(this.#services);

  constructor(family: IPFamily, metrics: Pick<AgentMetrics, 'noLocalEndpoints'>) {
    this.family = family;
    this.#metrics = metrics;
  }

  onServicePorts(_loop: ObservedLoop, key: ServiceKey, ports: readonly ServicePort[]): void {
    this.#chosen.note(key, noLocalEndpointsOf(ports));
  }

  onSuccess(_loop: ObservedLoop, { result }: SyncRun): void {
    this.#chosen.takeInto(this.#services, result);
    const all = [...this.#services.values()];
    for (const policy of ['internal', 'external'] as const)
      this.#metrics.noLocalEndpoints.set(
        { ip_family: familyLabels[this.family], traffic_policy: policy },
        all.reduce((sum, counts) => sum + counts[policy], 0),
      );
  }

  onFailure(): void {
    this.#chosen.discard();
  }
}

/** Of one Service's ports; undefined where there are none. */
function noLocalEndpointsOf(ports: readonly ServicePort[]): NoLocalEndpoints | undefined {
  const empty = ports.filter(
    ({ clusterEndpoints, localEndpoints }) => clusterEndpoints.length > 0 && localEndpoints.length === 0,
  );
  const internal = empty.filter((port) => port.internalTrafficPolicy === 'Local').length;
  const external = empty.filter((port) => port.externalTrafficPolicy === 'Local' && isExternallyReachable(port)).length;
  return internal + external === 0 ? undefined : { internal, external };
}
