import { describe, expect, test } from '@jest/globals';
import type { NodeConfig } from '../../src/api/nodeConfig.ts';
import { clusterIPRangesOf } from '../../src/model/clusterIPRanges.ts';
import { defaultConfig, node } from '../support/serviceManifests.ts';

function rangesOf(
  networks: readonly string[],
  foreign: readonly string[] = [],
  config: Partial<NodeConfig> = {},
): ReturnType<typeof clusterIPRangesOf> {
  return clusterIPRangesOf({ networks, foreign }, { node, config: { ...defaultConfig, ...config } }, 'ipv4');
}

describe('clusterIPRangesOf', () => {
  test('are those of the family, each once and in order', () => {
    expect(rangesOf(['10.97.0.0/24', 'fd00:96::/108', '10.96.0.0/16', '10.97.0.0/24']).networks).toEqual([
      '10.96.0.0/16',
      '10.97.0.0/24',
    ]);
  });

  const detect = { localTraffic: { detect: 'NodeCIDR' as const } };
  test.each([
    { name: 'an address of the node', network: '192.0.2.0/28', config: {} },
    { name: 'its Pods', network: '10.244.0.0/14', config: detect },
    { name: 'some of its Pods', network: '10.244.1.128/25', config: detect },
    { name: 'Pods of other nodes, by clusterCIDRs', network: '10.244.77.0/24', config: {} },
  ])('one that holds $name is left out', ({ network, config }) => {
    expect(rangesOf(['10.96.0.0/16', network], [], config).networks).toEqual(['10.96.0.0/16']);
  });

  test('no more of them than a packet should be compared with', () => {
    const many = Array.from({ length: 40 }, (_, index) => `10.96.${index}.0/24`);
    expect(rangesOf(many).networks).toHaveLength(32);
  });

  test("those of another proxy's Services that are in a range", () => {
    const foreign = ['10.96.0.9', 'fd00:96::9', '10.99.0.1', '10.96.0.8', '10.96.0.9'];
    expect(rangesOf(['10.96.0.0/16'], foreign).foreign).toEqual(['10.96.0.8', '10.96.0.9']);
  });

  test('none where another proxy serves more than can be let be', () => {
    const foreign = Array.from({ length: 1001 }, (_, index) => `10.96.${index >> 8}.${index & 255}`);
    expect(rangesOf(['10.96.0.0/16'], foreign.slice(1))).toMatchObject({ networks: ['10.96.0.0/16'] });
    expect(rangesOf(['10.96.0.0/16'], foreign)).toEqual({ networks: [], foreign: [] });
  });
});
