import type { NodeProxy } from './generated/nodeProxy.ts';

type Dataplane = NonNullable<NodeProxy['status']>['dataplane'];

/**
 * What people are told of a node that leaves Services out; undefined where it leaves none out. The status names only
 * the first of them.
 */
export function quarantineMessage({ quarantinedCount = 0, quarantined = [] }: Dataplane = {}): string | undefined {
  if (quarantinedCount === 0) return undefined;
  const named = quarantined.map(({ namespace, name, reason }) => `${namespace}/${name} (${reason})`).join(', ');
  return `${quarantinedCount === 1 ? '1 Service is' : `${quarantinedCount} Services are`} left out: ${named}`;
}
