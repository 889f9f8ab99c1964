/**
 * What events say to owners of Services that nodes leave out, or serve in part, and why.
 */
import type { NodeProxy } from '../../api/generated/nodeProxy.ts';
import type { ServiceNote } from './serviceEvents.ts';

/**
 * What a node reports is not trusted: it becomes part of a path on the API server only as the name that it must be.
 */
const namePattern = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;
const reasonPattern = /^[A-Z][A-Za-z]*$/;

const where = 'status.dataplane.quarantined of the NodeProxies says on which nodes';

/**
 * One note for each Service and reason, sorted. Where nodes word it differently the first of their messages in order is taken,
 * whichever node comes first. Entries whose namespace, name or reason is not well-formed are left out.
 */
export function quarantineNotes(nodeProxies: Iterable<NodeProxy>): readonly ServiceNote[] {
  const notes = new Map<string, ServiceNote>();
  for (const { status } of nodeProxies) {
    for (const { namespace, name, reason, message } of status?.dataplane?.quarantined ?? []) {
      if (!namePattern.test(namespace) || !namePattern.test(name) || !reasonPattern.test(reason)) continue;
      const key = `${namespace}/${name} ${reason}`;
      const note = `left out, or served in part: ${message ?? reason}; ${where}`;
      const known = notes.get(key);
      if (known === undefined || note < known.note) notes.set(key, { service: { namespace, name }, reason, note });
    }
  }
  return [...notes].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, note]) => note);
}
