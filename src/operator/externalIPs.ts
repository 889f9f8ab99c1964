/**
 * Tells owners of Services that external IPs of theirs are not served, and why. The operator does, not the agents: one event is enough,
 * however many nodes there are.
 */
import { hash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { ProxyConfig } from '../api/proxyConfig.ts';
import type { EventDetails } from '../kube/events.ts';
import { decodeService } from '../model/decodeService.ts';
import type { ServiceRecord } from '../model/service.ts';
import { allowedExternalIPs } from '../model/servicePorts.ts';

export type ServiceWithExternalIPs = Pick<ServiceRecord, 'namespace' | 'name' | 'uid' | 'externalIPs'>;

/** undefined for a Service that has none, or is not proxied at all. */
export function decodeExternalIPs(object: unknown): ServiceWithExternalIPs | undefined {
  const { record } = decodeService(object);
  if (record === undefined || record.externalIPs.length === 0) return undefined;
  const { namespace, name, uid, externalIPs } = record;
  return { namespace, name, uid, externalIPs };
}

/** Whoever turns an allow-list around in a cluster full of such Services, or starts an operator there, causes no flood. */
const mostAtOnce = 20;

/** Remembers what was told, so that each Service is told of once for each change. */
export class ExternalIPsTeller {
  /** By uid, as are the notes. */
  readonly #services = new Map<string, ServiceWithExternalIPs>();
  readonly #told = new Map<string, string>();

  /** Whether that is news. */
  keep(uid: string, service: ServiceWithExternalIPs | undefined): boolean {
    if (isDeepStrictEqual(service, this.#services.get(uid))) return false;
    if (service === undefined) this.#services.delete(uid);
    else this.#services.set(uid, service);
    return true;
  }

  /** What is to be told now, on nodes that these ProxyConfigs govern; `hasMore` where the rest waits for the next time. */
  news(configs: readonly ProxyConfig[]): { readonly events: readonly EventDetails[]; readonly hasMore: boolean } {
    const notes = new Map(
      [...this.#services.values()].flatMap((service) => {
        const note = noteOn(service, configs);
        return note === undefined ? [] : [[service, note] as const];
      }),
    );
    const refused = new Set([...notes.keys()].map(({ uid }) => uid));
    for (const uid of this.#told.keys()) if (!refused.has(uid)) this.#told.delete(uid);
    const untold = [...notes].filter(([{ uid }, note]) => this.#told.get(uid) !== note);
    const now = untold.slice(0, mostAtOnce);
    for (const [{ uid }, note] of now) this.#told.set(uid, note);
    return { events: now.map(([service, note]) => eventOn(service, note)), hasMore: untold.length > now.length };
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

/** By its name the API server knows an event that an operator before this one has told. */
function eventOn({ namespace, name, uid }: ServiceWithExternalIPs, note: string): EventDetails {
  return {
    regarding: { apiVersion: 'v1', kind: 'Service', namespace, name, uid },
    type: 'Warning',
    reason: 'ExternalIPsNotAllowed',
    action: 'Reconcile',
    note,
    name: `${name}.${hash('sha256', `${uid} ${note}`, 'hex').slice(0, 16)}`,
  };
}
