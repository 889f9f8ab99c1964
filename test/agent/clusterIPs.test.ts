import { beforeEach, describe, expect, test } from '@jest/globals';
import { clusterIPsCondition } from '../../src/agent/watch/clusterIPs.ts';
import { Store } from '../../src/agent/watch/store.ts';
import { builtInConfig } from '../../src/api/defaults.ts';
import { decodeEndpointSlice } from '../../src/model/decodeEndpointSlice.ts';
import { decodeNode } from '../../src/model/decodeNode.ts';
import type { ClusterIPRanges } from '../../src/model/clusterIPRanges.ts';
import type { NodeRecord } from '../../src/model/node.ts';
import { node, slice } from '../support/objects.ts';

const ranges = ['10.100.0.0/16', '10.96.0.0/16', 'fd00:96::/112'];
const inRange = '10.100.7.7';
const elsewhere = '10.244.1.2';

describe('ranges of cluster IPs in the store', () => {
  let store: Store;
  let changes: number;

  beforeEach(() => {
    store = new Store();
    changes = 0;
    store.listen({ onChange: () => {}, onNodeChange: () => {}, onClusterIPsChange: () => (changes += 1) });
  });

  const setSlice = (name: string, ...addresses: readonly string[]): void =>
    store.setSlice(`default/${name}`, decodeEndpointSlice(slice(name, { name, addresses: [...addresses] })));
  const usable = (): ClusterIPRanges =>
    store.state('ipv4', decodeNode(node()).record as NodeRecord, builtInConfig()).clusterIPRanges;

  test('one in which an endpoint lies is left out, whichever is known first', () => {
    store.setClusterIPs({ networks: ranges, foreign: [] });
    setSlice('web', elsewhere);
    expect(usable().networks).toEqual(['10.100.0.0/16', '10.96.0.0/16']);
    setSlice('api', inRange);
    expect([usable().networks, store.sharedRanges, changes]).toEqual([['10.96.0.0/16'], ['10.100.0.0/16'], 2]);

    store = new Store();
    setSlice('api', inRange);
    store.setClusterIPs({ networks: ranges, foreign: [] });
    expect([usable().networks, store.sharedRanges]).toEqual([['10.96.0.0/16'], ['10.100.0.0/16']]);
  });

  test('it stays so when the endpoint is gone, for Pods come and go, and until there are other ranges', () => {
    store.setClusterIPs({ networks: ranges, foreign: [] });
    setSlice('api', inRange);
    store.removeSlice('default/api');
    store.setClusterIPs({ networks: ranges, foreign: ['10.96.0.9'] });
    expect(usable()).toEqual({ networks: ['10.96.0.0/16'], foreign: ['10.96.0.9'] });
    store.setClusterIPs({ networks: ranges.slice(0, 2), foreign: [] });
    expect([usable().networks, store.sharedRanges]).toEqual([['10.100.0.0/16', '10.96.0.0/16'], []]);
  });

  test('what another proxy serves outside of them, or in one that is left out, is no change', () => {
    store.setClusterIPs({ networks: ranges, foreign: ['10.96.0.9'] });
    setSlice('api', inRange);
    changes = 0;
    store.setClusterIPs({ networks: ranges, foreign: ['10.96.0.9', '10.97.0.9', '10.100.0.9'] });
    expect(changes).toBe(0);
    store.setClusterIPs({ networks: ranges, foreign: ['10.96.0.8', '10.96.0.9'] });
    expect(changes).toBe(1);
  });
});

test('the condition names the ranges that are left out, and there is none without', () => {
  expect(clusterIPsCondition([])).toEqual([]);
  expect(clusterIPsCondition(['10.100.0.0/16'])).toEqual([
    expect.objectContaining({
      type: 'ClusterIPs',
      status: 'False',
      reason: 'RangeShared',
      message: expect.stringContaining('10.100.0.0/16'),
    }),
  ]);
});
