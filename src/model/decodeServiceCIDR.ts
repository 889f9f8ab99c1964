/**
 * ServiceCIDRs from the API server or a file -> the networks that cluster IPs are taken from.
 */
import type { Decoded } from './fields.ts';
import { cidr, dnsSubdomain, Fields, type Kind } from './fields.ts';

export interface ServiceCIDRRecord {
  readonly name: string;
  /** Canonical; one of a family at most. */
  readonly networks: readonly string[];
}

/** As the API server bounds them: one of each IP family. */
const maxNetworks = 2;

/** A network of all addresses would hold everything that a node sends. */
const range: Kind<string> = {
  what: 'a network in CIDR notation with a prefix',
  parse: (value) => {
    const network = cidr.parse(value);
    return network?.endsWith('/0') === true ? undefined : network;
  },
};

/**
 * Turns a networking.k8s.io/v1 ServiceCIDR into its networks, whatever its conditions say: one that is being deleted is
 * reserved until it is gone. With any invalid field there are none, for part of an object is not what its owner meant.
 */
export function decodeServiceCIDR(object: unknown): Decoded<ServiceCIDRRecord> {
  const fields = new Fields(object);
  const name = fields.at('metadata').at('name').required(dnsSubdomain) ?? '';
  const list = fields.at('spec').at('cidrs');
  const items = list.items();
  if (items.length === 0 || items.length > maxNetworks)
    list.reject(`has ${items.length} networks`, 'one network, or one of each IP family');
  const networks = items.slice(0, maxNetworks).flatMap((item) => item.required(range) ?? []);
  return { record: fields.problems.length === 0 ? { name, networks } : undefined, problems: fields.problems };
}
