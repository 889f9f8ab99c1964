/**
 * What events say to owners of Services that nodes leave out, or serve in part, and why.
 */
import type { NodeProxy } from '../../api/generated/nodeProxy.ts';
import type { ServiceNote } from './serviceEvents.ts';

/**
 * Whether a text is a name of a namespace or Service. What a node reports is not trusted: it becomes part of a path on
 * the API server only as the name that it must be.
 */
export function isObjectName(text: string): boolean {
  return /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(text);
}

/**
 * What the operator says of each reason, in its own words: it does not lend its name to an agent's. Of a reason that it
 * does not know it says nothing.
 */
const sentences = new Map([
  ['AddressClaimed', "an external or load balancer IP of it is another Service's at this port"],
  ['InvalidEndpointSlice', 'an EndpointSlice of it holds something that is not valid'],
  ['InvalidRule', 'a rule of it would hold something that must not reach the kernel'],
  ['InvalidService', 'something in it is not valid'],
  ['KernelRefused', 'the kernel took the rules of all other Services, but not of this one'],
  ['NotTriedYet', 'the kernel refuses so many Services that it is not known yet whether it takes this one'],
  [
    'TooManyRules',
    'its ports, endpoints, addresses and source ranges make more rules than a node takes of one Service',
  ],
]);

const where = 'status.dataplane.quarantined of the NodeProxies says on which nodes, and more';

/**
 * One note for each Service and reason, sorted, with the nodes that report it. Entries whose namespace or name is not
 * well-formed, or whose reason is not known, are left out.
 */
export function quarantineNotes(nodeProxies: Iterable<NodeProxy>): readonly ServiceNote[] {
  const notes = new Map<string, ServiceNote & { readonly nodes: string[] }>();
  for (const { metadata, status } of nodeProxies) {
    for (const { namespace, name, reason } of status?.dataplane?.quarantined ?? []) {
      const sentence = sentences.get(reason);
      if (sentence === undefined || !isObjectName(namespace) || !isObjectName(name)) continue;
      const key = `${namespace}/${name} ${reason}`;
      const note = `left out, or served in part: ${sentence}; ${where}`;
      const known = notes.get(key) ?? { service: { namespace, name }, reason, note, nodes: [] };
      known.nodes.push(metadata.name);
      notes.set(key, known);
    }
  }
  return [...notes].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, note]) => note);
}
