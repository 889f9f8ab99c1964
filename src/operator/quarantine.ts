/**
 * Tells owners of Services that nodes leave them out, or serve them in part, and why.
 */
import type { NodeProxy } from '../api/generated/nodeProxy.ts';
import type { ServiceNote } from './serviceEvents.ts';

/**
 * What a node reports is its word alone: it becomes part of a path on the API server only as the name that it must be.
 */
const isName = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;
const isReason = /^[A-Z][A-Za-z]*$/;

const where = 'status.dataplane.quarantined of the NodeProxies says on which nodes';

/**
 * One for each Service and reason. Where nodes word it differently it is always the same of their words, whichever node
 * comes first.
 */
export function quarantineNotes(nodeProxies: Iterable<NodeProxy>): readonly ServiceNote[] {
  const notes = new Map<string, ServiceNote>();
  for (const { status } of nodeProxies) {
    for (const { namespace, name, reason, message } of status?.dataplane?.quarantined ?? []) {
      if (!isName.test(namespace) || !isName.test(name) || !isReason.test(reason)) continue;
      const key = `${namespace}/${name} ${reason}`;
      const note = `left out, or served in part: ${message ?? reason}; ${where}`;
      const known = notes.get(key);
      if (known === undefined || note < known.note) notes.set(key, { service: { namespace, name }, reason, note });
    }
  }
  return [...notes].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, note]) => note);
}
