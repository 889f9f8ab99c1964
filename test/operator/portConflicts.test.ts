import { describe, expect, test } from '@jest/globals';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import { portConflictNotes } from '../../src/operator/events/portConflicts.ts';
import { describeWhere } from '../support/requirements.ts';
import { waitFor } from '../support/waitFor.ts';
import { ClusterFixture } from './clusterFixture.ts';
import { startOperator, stopOperator } from './startOperator.ts';

type Conflict = NonNullable<NonNullable<NonNullable<NodeProxy['status']>['dataplane']>['portConflicts']>[number];

const web: Conflict = { namespace: 'default', name: 'web', port: 30_080, protocol: 'TCP' };
const where =
  'NodePorts are served all the same, health checks are not; status.dataplane.portConflicts of the NodeProxies says on which nodes';
const noteOn = (ports: string): string => `another program of a node listens on port ${ports} of it; ${where}`;

function nodeWith(name: string, ...portConflicts: readonly Conflict[]): NodeProxy {
  return {
    apiVersion: 'proxyconfig.dev/v1alpha1',
    kind: 'NodeProxy',
    metadata: { name },
    spec: { configRef: { name: 'all', uid: 'u', generation: 1 }, revision: 'r' },
    status: { dataplane: { portConflicts: [...portConflicts] } },
  };
}

describe('portConflictNotes', () => {
  const rows: { name: string; nodes: readonly NodeProxy[]; notes: readonly object[] }[] = [
    { name: 'nothing without a conflict', nodes: [nodeWith('a')], notes: [] },
    {
      name: 'one Service on two nodes, once',
      nodes: [nodeWith('a', web), nodeWith('b', web)],
      notes: [{ service: { name: 'web' }, reason: 'PortInUse', note: noteOn('30080/TCP'), nodes: ['a', 'b'] }],
    },
    {
      name: 'the ports of all nodes, sorted, and of many the first',
      nodes: [
        nodeWith('a', { ...web, port: 30_082 }, { ...web, protocol: 'UDP' }),
        nodeWith('b', web, { ...web, port: 30_083 }),
      ],
      notes: [{ note: noteOn('30080/TCP, 30080/UDP, 30082/TCP and 1 more') }],
    },
    {
      name: 'each Service',
      nodes: [nodeWith('a', web, { ...web, name: 'api' })],
      notes: [{ service: { name: 'api' } }, { service: { name: 'web' } }],
    },
    {
      name: 'nothing of what no API server would have taken',
      nodes: [
        nodeWith(
          'a',
          { ...web, namespace: '..' },
          { ...web, name: 'a/../b' },
          { ...web, port: 0 },
          { ...web, port: 65_536 },
          { ...web, port: 30_080.5 },
          { ...web, protocol: 'TCP; call 555-0100' as 'TCP' },
        ),
      ],
      notes: [],
    },
  ];
  test.each(rows)('$name', ({ nodes, notes }) => {
    expect(portConflictNotes(nodes)).toMatchObject(notes);
    expect(portConflictNotes(nodes)).toHaveLength(notes.length);
  });
});

describeWhere(['cluster'], 'ServiceEventWriter with ports in conflict, on a real API server', () => {
  test('records one event, however many nodes there are', async () => {
    const cluster = await ClusterFixture.start();
    const operator = await startOperator(cluster.client);
    try {
      await cluster.addConfig('all');
      await cluster.applyService('web', []);
      for (const node of ['node-1', 'node-2']) {
        await cluster.addNode(node);
        await cluster.governedBy(node, 'all');
        await cluster.agentReportsDataplane(node, { portConflicts: [web] });
      }
      const recorded = (): ReturnType<ClusterFixture['eventsAbout']> => cluster.eventsAbout('web');
      await waitFor('it is recorded', async () => (await recorded()).length > 0, { timeoutMs: 10_000 });
      expect(await recorded()).toMatchObject([{ type: 'Warning', reason: 'PortInUse', note: noteOn('30080/TCP') }]);
      expect(await cluster.kubectl(['describe', 'service', 'web'])).toContain('PortInUse');
    } finally {
      await stopOperator(operator);
      await cluster.stop();
    }
  }, 120_000);
});
