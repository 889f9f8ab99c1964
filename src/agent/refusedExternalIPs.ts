/**
 * Which Services ask for external IPs that the configuration does not allow. Whoever may create a Service could draw
 * any address's traffic to it, so they are not served there; the NodeProxy says so, and the operator tells the
 * Services' owners.
 */
import type { ConditionNow } from '../api/conditions.ts';
import type { NodeConfig } from '../api/nodeConfig.ts';
import type { ServiceKey, ServiceRecord } from '../model/service.ts';
import { allowedExternalIPs } from '../model/servicePorts.ts';

const maxNamed = 2;
const maxNameLength = 60;

export class RefusedExternalIPs {
  readonly #services = new Set<ServiceKey>();

  keys(): Iterable<ServiceKey> {
    return this.#services;
  }

  set(key: ServiceKey, service: ServiceRecord | undefined, config: Pick<NodeConfig, 'externalIPs'>): void {
    const { externalIPs = [] } = service ?? {};
    if (allowedExternalIPs(externalIPs, config).length < externalIPs.length) this.#services.add(key);
    else this.#services.delete(key);
  }

  /** For the NodeProxy: no condition where all are allowed. It does not keep the node from being Ready. */
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
