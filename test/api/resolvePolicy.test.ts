import { describe, expect, test } from '@jest/globals';
import { governingConfig, matches, type Candidate, type NodeSelector } from '../../src/api/resolvePolicy.ts';

const edge: NodeSelector = { matchLabels: { pool: 'edge' } };

function config(
  name: string,
  priority = 0,
  creationTimestamp = '2026-01-01T00:00:00Z',
  nodeSelector?: NodeSelector,
): Candidate {
  return { metadata: { name, creationTimestamp }, spec: { priority, ...(nodeSelector && { nodeSelector }) } };
}

function expression(operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist', ...values: string[]): NodeSelector {
  return { matchExpressions: [{ key: 'pool', operator, ...(values.length > 0 && { values }) }] };
}

describe('governingConfig', () => {
  const older = '2025-01-01T00:00:00Z';
  const rows = [
    { name: 'nobody, where there is no ProxyConfig', configs: [], winner: undefined },
    {
      name: 'nobody, where none selects the node',
      configs: [config('other', 9, older, { matchLabels: { pool: 'core' } })],
      winner: undefined,
    },
    {
      name: 'the only one that selects it',
      configs: [config('a', 0, older, edge), config('b', 9, older, { matchLabels: { pool: 'core' } })],
      winner: 'a',
    },
    {
      name: 'the higher priority, however young',
      configs: [config('old', 0, older), config('high', 1)],
      winner: 'high',
      overridden: ['old'],
    },
    {
      name: 'the older of equal priority',
      configs: [config('a'), config('old', 0, older)],
      winner: 'old',
      tiedWith: ['a'],
    },
    {
      name: 'the first name of equal priority and age',
      configs: [config('b'), config('a')],
      winner: 'a',
      tiedWith: ['b'],
    },
    {
      name: 'one winner over ties and lower ones',
      configs: [config('low'), config('b', 5), config('a', 5)],
      winner: 'a',
      tiedWith: ['b'],
      overridden: ['low'],
    },
    {
      name: 'one that is stored before a manifest without a time',
      configs: [{ metadata: { name: 'a' }, spec: { priority: 0 } }, config('stored')],
      winner: 'stored',
      tiedWith: ['a'],
    },
  ];

  test.each(rows)('$name', ({ configs, winner, tiedWith = [], overridden = [] }) => {
    for (const order of [configs, configs.toReversed()]) {
      const found = governingConfig({ pool: 'edge', 'kubernetes.io/os': 'linux' }, order);
      expect(found.winner?.metadata.name).toBe(winner);
      expect(found.tiedWith.map(({ metadata }) => metadata.name)).toEqual(tiedWith);
      expect(found.overridden.map(({ metadata }) => metadata.name)).toEqual(overridden);
    }
  });

  test('nobody governs a Windows node', () => {
    expect(governingConfig({ 'kubernetes.io/os': 'windows' }, [config('all')]).winner).toBeUndefined();
  });

  test.each<{ labels: Record<string, string>; winner: string | undefined }>([
    { labels: { 'eks.amazonaws.com/compute-type': 'fargate' }, winner: undefined },
    { labels: { type: 'virtual-kubelet' }, winner: undefined },
    { labels: { 'eks.amazonaws.com/compute-type': 'ec2', type: 'large' }, winner: 'all' },
  ])('$winner governs a node with the labels $labels', ({ labels, winner }) => {
    expect(governingConfig(labels, [config('all')]).winner?.metadata.name).toBe(winner);
  });

  test('a node that does not say its system counts as Linux', () => {
    expect(governingConfig({}, [config('all')]).winner?.metadata.name).toBe('all');
  });
});

describe('matches', () => {
  const rows = [
    { name: 'left out matches all', selector: undefined, labels: {}, expected: true },
    { name: 'empty matches all', selector: {}, labels: {}, expected: true },
    { name: 'equal label', selector: edge, labels: { pool: 'edge' }, expected: true },
    { name: 'other value', selector: edge, labels: { pool: 'core' }, expected: false },
    { name: 'absent label', selector: edge, labels: {}, expected: false },
    {
      name: 'one of two labels',
      selector: { matchLabels: { pool: 'edge', zone: 'a' } },
      labels: { pool: 'edge' },
      expected: false,
    },
    { name: 'In, listed', selector: expression('In', 'core', 'edge'), labels: { pool: 'edge' }, expected: true },
    { name: 'In, not listed', selector: expression('In', 'core'), labels: { pool: 'edge' }, expected: false },
    { name: 'In, absent', selector: expression('In', 'core'), labels: {}, expected: false },
    { name: 'NotIn, listed', selector: expression('NotIn', 'edge'), labels: { pool: 'edge' }, expected: false },
    { name: 'NotIn, absent', selector: expression('NotIn', 'edge'), labels: {}, expected: true },
    { name: 'Exists', selector: expression('Exists'), labels: { pool: '' }, expected: true },
    { name: 'Exists, absent', selector: expression('Exists'), labels: {}, expected: false },
    { name: 'DoesNotExist', selector: expression('DoesNotExist'), labels: { pool: '' }, expected: false },
    { name: 'DoesNotExist, absent', selector: expression('DoesNotExist'), labels: {}, expected: true },
    {
      name: 'labels and expressions must both hold',
      selector: { ...edge, ...expression('DoesNotExist') },
      labels: { pool: 'edge' },
      expected: false,
    },
  ];

  test.each(rows)('$name', ({ selector, labels, expected }) => {
    expect(matches(selector, labels as Record<string, string>)).toBe(expected);
  });
});
