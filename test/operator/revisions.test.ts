import { describe, expect, test } from '@jest/globals';
import { historyOf, revisionWrites } from '../../src/operator/rollout/revisions.ts';
import { targetOf } from './objects.ts';
import { SimulatedCluster } from './simulatedCluster.ts';

const before = targetOf();

describe('revisionWrites', () => {
  test('the history keeps what is in use and as many others as asked for, the oldest go first', () => {
    const cluster = new SimulatedCluster(2, { revisionHistoryLimit: 2, masquerade: { bit: 14, all: false } });
    for (const bit of [15, 16, 17, 18, 19]) {
      cluster.changeSpec({ masquerade: { bit, all: false } });
      cluster.run(600);
    }
    const bits = historyOf(cluster.config(), cluster).map(({ nodeConfig }) => nodeConfig.masquerade.bit);
    expect(bits).toEqual([16, 17, 18, 19]);
  });

  test('a revision is kept before it is assigned, once, and belongs to its ProxyConfig', () => {
    const [write, ...others] = revisionWrites(before, [], []);
    expect(others).toEqual([]);
    expect(write?.options.body).toMatchObject({
      kind: 'ControllerRevision',
      revision: 1,
      data: { mode: 'iptables' },
      metadata: { ownerReferences: [{ kind: 'ProxyConfig', uid: 'uid-of-all' }] },
    });
    const kept = {
      name: 'x',
      owner: 'uid-of-all',
      revision: before.revision,
      number: 1,
      nodeConfig: before.nodeConfig,
    };
    expect(revisionWrites(before, [kept], [])).toEqual([]);
  });
});
