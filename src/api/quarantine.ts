/**
 * Services that a node leaves out, in words.
 */
import type { NodeProxy } from './generated/nodeProxy.ts';

type Dataplane = NonNullable<NodeProxy['status']>['dataplane'];

/**
 * The message about a node that leaves Services out, from its NodeProxy's `status.dataplane`; undefined where it leaves
 * none out. It counts all of them and names those that the status lists, which are the first.
 */
export function quarantineMessage({ quarantinedCount = 0, quarantined = [] }: Dataplane = {}): string | undefined {
  if (quarantinedCount === 0) return undefined;
  const named = quarantined.map(({ namespace, name, reason }) => `${namespace}/${name} (${reason})`).join(', ');
  return `${quarantinedCount === 1 ? '1 Service is' : `${quarantinedCount} Services are`} left out: ${named}`;
}
