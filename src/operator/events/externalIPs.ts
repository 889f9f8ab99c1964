/**
 * What events say to owners of Services whose external IPs are not served, and why.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ProxyConfig } from '../../api/generated/proxyConfig.ts';
import { decodeService } from '../../model/decodeService.ts';
import type { ServiceRecord } from '../../model/service.ts';
import { allowedExternalIPs } from '../../model/externalIPs.ts';
import type { ServiceNote } from './serviceEvents.ts';

/** What matters of a Service that has external IPs. */
export type ServiceWithExternalIPs = Pick<ServiceRecord, 'namespace' | 'name' | 'uid' | 'externalIPs'>;

/** undefined for a Service that has none, or is not proxied at all. */
export function decodeExternalIPs(object: unknown): ServiceWithExternalIPs | undefined {
  const { record } = decodeService(object);
  if (record === undefined || record.externalIPs.length === 0) return undefined;
  const { namespace, name, uid, externalIPs } = record;
  return { namespace, name, uid, externalIPs };
}

/** The Services that have external IPs. */
export class ServicesWithExternalIPs {
  readonly #byUid = new Map<string, ServiceWithExternalIPs>();

  /** Takes what a watch brought; undefined where it has none or is deleted. Returns whether that is a change. */
  observe(uid: string, service: ServiceWithExternalIPs | undefined): boolean {
    if (isDeepStrictEqual(service, this.#byUid.get(uid))) return false;
    if (service === undefined) this.#byUid.delete(uid);
    else this.#byUid.set(uid, service);
    return true;
  }

  /** One note for each Service that one of these ProxyConfigs, which govern nodes, does not allow all of its IPs. */
  notes(configs: readonly ProxyConfig[]): readonly ServiceNote[] {
    return [...this.#byUid.values()].flatMap((service) => {
      const note = noteOn(service, configs);
      return note === undefined ? [] : [{ service, reason: 'ExternalIPsNotAllowed', note }];
    });
  }
}

function noteOn({ externalIPs }: ServiceWithExternalIPs, configs: readonly ProxyConfig[]): string | undefined {
  const refusals = configs.map(({ metadata, spec }) => {
    const allowed = new Set(allowedExternalIPs(externalIPs, spec));
    return { config: metadata.name, addresses: externalIPs.filter((address) => !allowed.has(address)) };
  });
  const refusing = refusals.filter(({ addresses }) => addresses.length > 0);
  if (refusing.length === 0) return undefined;
  const addresses = [...new Set(refusing.flatMap((refusal) => refusal.addresses))];
  return `not served: externalIPs ${short(addresses)}, on nodes of ProxyConfig ${short(refusing.map(({ config }) => config))}; its spec.externalIPs.allowedCIDRs does not hold them`;
}

function short(names: readonly string[]): string {
  const [first, more] = [names.slice(0, 3).join(', '), names.length - 3];
  return more > 0 ? `${first} and ${more} more` : first;
}
