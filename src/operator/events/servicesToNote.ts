/**
 * The Services whose specs say more than is served: what is kept of them, and what events tell their owners.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ProxyConfig } from '../../api/generated/proxyConfig.ts';
import { decodeService } from '../../model/decodeService.ts';
import type { ServiceRecord } from '../../model/service.ts';
import { externalIPsNote } from './externalIPs.ts';
import type { ServiceNote } from './serviceEvents.ts';
import { sourceRangesNote } from './sourceRanges.ts';

/** What matters of a Service that may have a note. */
export type ServiceToNote = Pick<
  ServiceRecord,
  'namespace' | 'name' | 'uid' | 'externalIPs' | 'loadBalancerIPs' | 'loadBalancerSourceRanges'
>;

/** undefined for a Service on which there is nothing to say, whatever the ProxyConfigs, or that is not proxied. */
export function decodeServiceToNote(object: unknown): ServiceToNote | undefined {
  const { record } = decodeService(object);
  if (record === undefined) return undefined;
  if (record.externalIPs.length === 0 && sourceRangesNote(record) === undefined) return undefined;
  const { namespace, name, uid, externalIPs, loadBalancerIPs, loadBalancerSourceRanges } = record;
  return { namespace, name, uid, externalIPs, loadBalancerIPs, loadBalancerSourceRanges };
}

export class ServicesToNote {
  readonly #byUid = new Map<string, ServiceToNote>();

  /** Takes what a watch brought; undefined where nothing is to be said of it or it is deleted. Whether that changes anything. */
  observe(uid: string, service: ServiceToNote | undefined): boolean {
    if (isDeepStrictEqual(service, this.#byUid.get(uid))) return false;
    if (service === undefined) this.#byUid.delete(uid);
    else this.#byUid.set(uid, service);
    return true;
  }

  /** One note for each Service and reason, where these ProxyConfigs govern nodes; none where none does. */
  notes(configs: readonly ProxyConfig[]): readonly ServiceNote[] {
    return configs.length === 0 ? [] : [...this.#byUid.values()].flatMap((service) => notesOn(service, configs));
  }
}

function notesOn(service: ServiceToNote, configs: readonly ProxyConfig[]): readonly ServiceNote[] {
  const notes = [
    { reason: 'ExternalIPsNotAllowed', note: externalIPsNote(service, configs) },
    { reason: 'SourceRangesOfOneFamily', note: sourceRangesNote(service) },
  ];
  return notes.flatMap(({ reason, note }) => (note === undefined ? [] : [{ service, reason, note }]));
}
