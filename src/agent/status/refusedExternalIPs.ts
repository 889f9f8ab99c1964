/**
 * Which Services ask for external IPs that the configuration does not allow. Whoever may create a Service could draw
 * the traffic of any address to it (CVE-2020-8554), so these addresses are not served. The NodeProxy names the
 * Services, and the operator writes an event on each.
 */
import type { ConditionNow } from '../../api/conditions.ts';
import type { NodeConfig } from '../../api/nodeConfig.ts';
import type { ServiceKey, ServiceRecord } from '../../model/service.ts';
import { allowedExternalIPs } from '../../model/servicePorts.ts';

const maxNamed = 2;
const maxNameLength = 60;

export class RefusedExternalIPs {
  readonly #services = new Set<ServiceKey>();

  /** The Services that are refused an address. */
  keys(): Iterable<ServiceKey> {
    return this.#services;
  }

  /** Decides anew on one Service; undefined when it is gone. */
  set(key: ServiceKey, service: ServiceRecord | undefined, config: Pick<NodeConfig, 'externalIPs'>): void {
    const { externalIPs = [] } = service ?? {};
    if (allowedExternalIPs(externalIPs, config).length < externalIPs.length) this.#services.add(key);
    else this.#services.delete(key);
  }

  /** For the NodeProxy: none where all are allowed. The condition does not keep the node from being Ready. */
  conditions(): readonly ConditionNow[] {
    if (this.#services.size === 0) return [];
    const named = [...this.#services]
      .sort()
      .slice(0, maxNamed)
      .map((key) => (key.length > maxNameLength ? `${key.slice(0, maxNameLength)}…` : key));
    const more = this.#services.size > maxNamed ? ` and ${this.#services.size - maxNamed} more` : '';
    const message = `External IPs of ${named.join(', ')}${more} are not served: externalIPs.allowedCIDRs does not hold them.`;
    return [{ type: 'ExternalIPs', status: 'False', reason: 'ExternalIPsNotAllowed', message }];
  }
}
