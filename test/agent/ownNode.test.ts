import { beforeEach, describe, expect, test } from '@jest/globals';
import { OwnNode } from '../../src/agent/watch/ownNode.ts';
import type { ObservedNode } from '../../src/agent/watch/clusterWatch.ts';
import { Store } from '../../src/agent/watch/store.ts';
import { decodeNode } from '../../src/model/decodeNode.ts';
import { node } from '../support/objects.ts';
import { silentLogger } from '../support/silentLogger.ts';

let store: Store;
let own: OwnNode;

beforeEach(() => {
  store = new Store();
  own = new OwnNode(store, silentLogger);
});

function said(addresses: readonly string[], podCIDRs: readonly string[] = [], isEligible = true): ObservedNode {
  return { record: decodeNode({ ...node('node-1', addresses), spec: { podCIDRs } }).record, isEligible };
}

const known = said(['192.168.0.1', 'fd00::1'], ['10.244.1.0/24']);

describe('OwnNode', () => {
  const rows: readonly {
    name: string;
    steps: readonly (ObservedNode | undefined)[];
    addresses: readonly string[] | undefined;
    podCIDRs: readonly string[] | undefined;
    reason?: string;
    message?: string;
  }[] = [
    { name: 'nothing was ever said', steps: [], addresses: undefined, podCIDRs: undefined },
    { name: 'there was never a Node', steps: [undefined], addresses: undefined, podCIDRs: undefined },
    { name: 'a Node', steps: [known], addresses: ['192.168.0.1', 'fd00::1'], podCIDRs: ['10.244.1.0/24'] },
    {
      name: 'a Node that is deleted',
      steps: [known, undefined],
      addresses: ['192.168.0.1', 'fd00::1'],
      podCIDRs: ['10.244.1.0/24'],
      reason: 'NodeDeleted',
      message: '192.168.0.1, fd00::1',
    },
    {
      name: 'a Node made anew that has neither addresses nor Pod ranges yet',
      steps: [known, undefined, said([])],
      addresses: ['192.168.0.1', 'fd00::1'],
      podCIDRs: ['10.244.1.0/24'],
      reason: 'NodeIncomplete',
      message: 'no addresses and no Pod ranges; those known before are used: 192.168.0.1, fd00::1, 10.244.1.0/24',
    },
    {
      name: 'a Node made anew whose Pod range is not there yet',
      steps: [known, undefined, said(['192.168.0.2'])],
      addresses: ['192.168.0.2'],
      podCIDRs: ['10.244.1.0/24'],
      reason: 'NodeIncomplete',
      message: 'no Pod ranges; those known before are used: 10.244.1.0/24',
    },
    {
      name: 'a Node made anew with others',
      steps: [known, undefined, said(['192.168.0.2'], ['10.244.2.0/24'])],
      addresses: ['192.168.0.2'],
      podCIDRs: ['10.244.2.0/24'],
    },
    {
      name: 'a Node that has one family less',
      steps: [known, said(['192.168.0.1'], ['10.244.1.0/24'])],
      addresses: ['192.168.0.1'],
      podCIDRs: ['10.244.1.0/24'],
    },
    {
      name: 'a Node that never had Pod ranges',
      steps: [said(['192.168.0.1'])],
      addresses: ['192.168.0.1'],
      podCIDRs: [],
    },
  ];
  test.each(rows)('$name', ({ steps, addresses, podCIDRs, reason, message = '' }) => {
    for (const step of steps) own.observe(step);
    expect([store.node?.addresses, store.node?.podCIDRs]).toEqual([addresses, podCIDRs]);
    const conditions = own.conditions();
    expect(conditions.map((condition) => condition.reason)).toEqual(reason === undefined ? [] : [reason]);
    for (const condition of conditions) {
      expect(condition.message).toContain(message);
      expect(Buffer.byteLength(condition.message)).toBeLessThanOrEqual(256);
    }
  });

  test('load balancers are told what held when the Node was deleted', () => {
    for (const isEligible of [true, false]) {
      own.observe(said(['192.168.0.1'], [], isEligible));
      own.observe(undefined);
      expect(own.isEligible).toBe(isEligible);
    }
  });

  test('messages are bounded with the longest addresses, two of each family', () => {
    const longest = ['1', '2', '3'].map((end) => `2001:db8:1111:2222:3333:4444:5555:666${end}`);
    own.observe(said(longest, ['2001:db8:1111:2222:3333:4444:5555:0/112', '10.244.255.0/24']));
    own.observe(said([]));
    const [incomplete] = own.conditions();
    own.observe(undefined);
    const [deleted] = own.conditions();
    for (const condition of [incomplete, deleted])
      expect(Buffer.byteLength(condition?.message ?? '')).toBeLessThanOrEqual(256);
  });
});
