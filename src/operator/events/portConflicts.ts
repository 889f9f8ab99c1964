/**
 * What events say to owners of Services whose ports on nodes other programs listen on.
 */
import type { NodeProxy } from '../../api/generated/nodeProxy.ts';
import { shortList } from '../../api/shortList.ts';
import { isObjectName } from './quarantine.ts';
import type { ServiceNote } from './serviceEvents.ts';

const protocols: ReadonlySet<string> = new Set(['TCP', 'UDP', 'SCTP']);
const maxNamed = 3;
const where =
  'NodePorts are served all the same, health checks are not; status.dataplane.portConflicts of the NodeProxies says on which nodes';

interface Reported {
  readonly service: { readonly namespace: string; readonly name: string };
  /** `30080/TCP` */
  readonly ports: Set<string>;
  readonly nodes: Set<string>;
}

/**
 * One note for each Service, sorted, with the nodes that report it. Entries that are not well-formed are left out: what
 * a node reports is not trusted.
 */
export function portConflictNotes(nodeProxies: Iterable<NodeProxy>): readonly ServiceNote[] {
  const byService = new Map<string, Reported>();
  for (const { metadata, status } of nodeProxies)
    for (const { namespace, name, port, protocol } of status?.dataplane?.portConflicts ?? []) {
      if (![namespace, name].every(isObjectName) || !isPort(port) || !protocols.has(protocol)) continue;
      const key = `${namespace}/${name}`;
      const reported = byService.get(key) ?? { service: { namespace, name }, ports: new Set(), nodes: new Set() };
      reported.ports.add(`${port}/${protocol}`);
      reported.nodes.add(metadata.name);
      byService.set(key, reported);
    }
  return [...byService].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, reported]) => noteOf(reported));
}

function noteOf({ service, ports, nodes }: Reported): ServiceNote {
  const named = shortList([...ports].sort(), maxNamed);
  return {
    service,
    reason: 'PortInUse',
    note: `another program of a node listens on port ${named} of it; ${where}`,
    nodes: [...nodes],
  };
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port > 0 && port <= 65_535;
}
