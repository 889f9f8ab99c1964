/**
 * Nodes from the API server or a file -> records.
 */
import type { Decoded } from './fields.ts';
import { cidr, dnsSubdomain, Fields, ipAddress, listOf, plainText } from './fields.ts';
import type { NodeRecord } from './node.ts';

/**
 * Turns a core/v1 Node into what the model must know of it. An invalid address or Pod range is left out and reported in
 * `problems`.
 */
export function decodeNode(object: unknown): Decoded<NodeRecord> {
  const node = new Fields(object);
  const name = node.at('metadata').at('name').required(dnsSubdomain);
  if (name === undefined) return { record: undefined, problems: node.problems };
  const labels = nodeLabels(object);
  const record: NodeRecord = {
    name,
    addresses: [...addressesOfType(node, 'InternalIP'), ...addressesOfType(node, 'ExternalIP')],
    podCIDRs: podCIDRs(node.at('spec')),
    zone: labels['topology.kubernetes.io/zone'] ?? '',
    labels,
  };
  return { record, problems: node.problems };
}

function addressesOfType(node: Fields, type: string): readonly string[] {
  return node
    .at('status')
    .at('addresses')
    .items()
    .filter((address) => address.at('type').required(plainText) === type)
    .flatMap((address) => address.at('address').required(ipAddress) ?? []);
}

function podCIDRs(spec: Fields): readonly string[] {
  const list = listOf(spec.at('podCIDRs'), cidr);
  return list.length > 0 ? list : [spec.at('podCIDR').optional(cidr) ?? []].flat();
}

/** Labels are compared with selectors and hints, never written into a rule. */
function nodeLabels(object: unknown): Readonly<Record<string, string>> {
  const labels = (object as { metadata?: { labels?: unknown } | null }).metadata?.labels;
  if (typeof labels !== 'object' || labels === null) return {};
  return Object.fromEntries(
    Object.entries(labels).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
