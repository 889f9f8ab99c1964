import { describe, expect, test } from '@jest/globals';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import { quarantineNotes } from '../../src/operator/events/quarantine.ts';
import { waitFor } from '../support/waitFor.ts';
import { describeWhere } from '../support/requirements.ts';
import { ClusterFixture } from './clusterFixture.ts';
import { startOperator, stopOperator } from './startOperator.ts';

type Quarantined = NonNullable<NonNullable<NonNullable<NodeProxy['status']>['dataplane']>['quarantined']>[number];

const refused: Quarantined = {
  namespace: 'default',
  name: 'bad',
  reason: 'KernelRefused',
  message: 'the kernel refused it',
};
const kernel = 'the kernel took the rules of all other Services, but not of this one';
const invalid = 'something in it is not valid';
const where = 'status.dataplane.quarantined of the NodeProxies says on which nodes, and more';

function nodeThatLeavesOut(...quarantined: readonly Quarantined[]): NodeProxy {
  const spec = { configRef: { name: 'all', uid: 'u', generation: 1 }, revision: 'r' };
  return {
    apiVersion: 'proxyconfig.dev/v1alpha1',
    kind: 'NodeProxy',
    metadata: { name: 'node' },
    spec,
    status: { dataplane: { quarantined: [...quarantined] } },
  };
}

describe('quarantineNotes', () => {
  const one = nodeThatLeavesOut(refused);
  const rows = [
    { name: 'nothing, where all are served', nodes: [nodeThatLeavesOut()], notes: [] },
    {
      name: 'one Service on a hundred nodes, once',
      nodes: Array.from({ length: 100 }, () => one),
      notes: [`bad KernelRefused: ${kernel}`],
    },
    {
      name: 'each Service',
      nodes: [nodeThatLeavesOut({ ...refused, name: 'worse' }), one],
      notes: [`bad KernelRefused: ${kernel}`, `worse KernelRefused: ${kernel}`],
    },
    {
      name: 'each reason',
      nodes: [one, nodeThatLeavesOut({ ...refused, reason: 'InvalidService', message: 'a port' })],
      notes: [`bad InvalidService: ${invalid}`, `bad KernelRefused: ${kernel}`],
    },
    {
      name: "in the operator's words, whatever a node says",
      nodes: [
        nodeThatLeavesOut({ ...refused, message: 'call 555-0100' }),
        nodeThatLeavesOut({ ...refused, message: 'a' }),
      ],
      notes: [`bad KernelRefused: ${kernel}`],
    },
    {
      name: 'nothing of what is no name, or no known reason',
      nodes: [
        nodeThatLeavesOut(
          { ...refused, namespace: '..' },
          { ...refused, name: 'a/../b' },
          { ...refused, name: '' },
          { ...refused, reason: 'not a word' },
          { ...refused, reason: 'PasswordExpired' },
          { ...refused, reason: 'constructor' },
        ),
      ],
      notes: [],
    },
  ];
  test.each(rows)('$name', ({ nodes, notes }) => {
    const words = quarantineNotes(nodes).map(
      ({ service, reason, note }) =>
        `${service.name} ${reason}: ${note.replace('left out, or served in part: ', '').replace(`; ${where}`, '')}`,
    );
    expect(words).toEqual(notes);
    expect(quarantineNotes(nodes.toReversed())).toEqual(quarantineNotes(nodes));
  });
});

describeWhere(['cluster'], 'ServiceEventWriter with quarantined Services, on a real API server', () => {
  test('get one event, however many nodes there are, and none again from the next operator', async () => {
    const cluster = await ClusterFixture.start();
    let operator = await startOperator(cluster.client);
    const recorded = async (service: string): Promise<string[]> =>
      (await cluster.eventsAbout(service)).map(({ type, reason, note }) => `${type} ${reason}: ${note}`).sort();
    try {
      await cluster.addConfig('all');
      await cluster.applyService('bad', []);
      const nodes = ['node-1', 'node-2', 'node-3'];
      for (const node of nodes) {
        await cluster.addNode(node);
        await cluster.governedBy(node, 'all');
        await cluster.agentLeavesOut(node, [refused, { ...refused, name: 'gone' }]);
      }
      await waitFor('it is recorded', async () => (await recorded('bad')).length > 0, { timeoutMs: 10_000 });
      await stopOperator(operator);
      operator = await startOperator(cluster.client);
      await cluster.agentLeavesOut(
        'node-1',
        [refused, { ...refused, reason: 'InvalidService', message: 'a port' }].slice(1),
      );
      await waitFor('the other reason is recorded', async () => (await recorded('bad')).length > 1, {
        timeoutMs: 10_000,
      });
      expect(await recorded('bad')).toEqual(
        [`InvalidService: ${invalid}`, `KernelRefused: ${kernel}`].map(
          (words) => `Warning ${words.replace(': ', ': left out, or served in part: ')}; ${where}`,
        ),
      );
      expect(await cluster.eventsAbout('gone')).toEqual([]);
      expect(await cluster.kubectl(['describe', 'service', 'bad'])).toContain('KernelRefused');
    } finally {
      await stopOperator(operator);
      await cluster.stop();
    }
  }, 120_000);
});
