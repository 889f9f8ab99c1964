/**
 * Which Services ask for external IPs that the configuration does not allow. Whoever may create a Service could draw
 * the traffic of any address to it (CVE-2020-8554), so these addresses are not served. The NodeProxy names the
 * Services, and the operator writes an event on each.
 */
import type { NodeConditionNow } from '../../api/nodeConditions.ts';
import { shortList } from '../../api/shortList.ts';
import type { IPFamily } from '../../model/ipFamily.ts';
import type { ServiceKey } from '../../model/service.ts';
import type { ServicePort } from '../../model/servicePort.ts';
import { ChosenInSync } from '../dataplane/chosenInSync.ts';
import type { ObservedLoop, SyncListener } from '../dataplane/syncListener.ts';
import type { SyncRun } from '../dataplane/syncStatus.ts';

const maxNamed = 2;
const maxNameLength = 60;

/** Of one family: the Services that are refused an address, of whatever family that is. */
class Refused {
  readonly services = new Map<ServiceKey, true>();
  readonly chosen = new ChosenInSync<true>(this.services);
}

/** Follows both families, because the condition is about Services: one of either is named. */
export class RefusedExternalIPs implements SyncListener {
  readonly #refused: { readonly [family in IPFamily]: Refused } = { ipv4: new Refused(), ipv6: new Refused() };

  onServicePorts({ status: { family } }: ObservedLoop, key: ServiceKey, ports: readonly ServicePort[]): void {
    this.#refused[family].chosen.note(key, ports.some((port) => port.hasRefusedExternalIPs) || undefined);
  }

  onSuccess({ status: { family } }: ObservedLoop, { result }: SyncRun): void {
    const { services, chosen } = this.#refused[family];
    chosen.takeInto(services, result);
  }

  onFailure({ status: { family } }: ObservedLoop): void {
    this.#refused[family].chosen.discard();
  }

  /** For the NodeProxy: none where all are allowed. The condition does not keep the node from being Ready. */
  conditions(): readonly NodeConditionNow[] {
    const services = new Set([...this.#refused.ipv4.services.keys(), ...this.#refused.ipv6.services.keys()]);
    if (services.size === 0) return [];
    const names = [...services]
      .sort()
      .map((key) => (key.length > maxNameLength ? `${key.slice(0, maxNameLength)}…` : key));
    const message = `External IPs of ${shortList(names, maxNamed)} are not served: externalIPs.allowedCIDRs does not hold them.`;
    return [{ type: 'ExternalIPs', status: 'False', reason: 'ExternalIPsNotAllowed', message }];
  }
}
