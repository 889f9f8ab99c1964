import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { bounded } from '../../src/api/bounded.ts';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import { nodeproxySchema, proxyconfigSchema } from '../../src/api/generated/schemas.ts';
import type { ProxyConfigStatus } from '../../src/api/nodeConfig.ts';
import type { Clock } from '../../src/operator/rollout/since.ts';
import { reconcile } from '../../src/operator/reconcile.ts';
import { anyOf, violationsOfStatus } from '../api/anyStatus.ts';
import { node, proxyConfig, reported, situation, targetOf, unchangedFor } from './objects.ts';

type Status = NonNullable<NodeProxy['status']>;

const statusSchema = nodeproxySchema.properties?.['status'] ?? {};
/** Any that the API server takes from an agent: it refuses those beyond the bounds. */
const anyReport = anyOf(statusSchema).map((status) => bounded(status, statusSchema) as Status);
/** Everything has been as it is for longer than any deadline. */
const late = unchangedFor(100_000_000);

/** The status of a ProxyConfig, assigned to nodes a, b, … that report this. */
function statusAfter(reports: readonly Status[], clock: Clock): ProxyConfigStatus {
  const names = Object.fromEntries(reports.map((_report, index) => [`node-${index}`, 'assigned' as const]));
  const config = proxyConfig('all');
  const { view } = situation(config, names, { at: clock });
  const nodeProxies = [...view.nodeProxies].map(([name, nodeProxy], index): [string, NodeProxy] => [
    name,
    { ...nodeProxy, status: { ...reports[index], observedGeneration: 3 } },
  ]);
  const [update] = reconcile({ ...view, nodeProxies: new Map(nodeProxies) }, clock).statusUpdates;
  return update?.status ?? { observedGeneration: -1 };
}

describe('what agents report', () => {
  test('never makes a status that the API server refuses', () => {
    fc.assert(
      fc.property(fc.array(anyReport, { maxLength: 20 }), fc.boolean(), (reports, isLate) => {
        const clock = isLate ? late : unchangedFor(0);
        expect(violationsOfStatus(statusAfter(reports, clock), proxyconfigSchema)).toEqual([]);
      }),
    );
  });

  const quarantined = [{ namespace: 'shop', name: 'web', reason: 'InvalidService' }];
  const rows: readonly { name: string; reports: Status[]; expected: object }[] = [
    {
      name: 'a node that is late and leaves a Service out is one failure',
      reports: [{ state: 'Applying', dataplane: { quarantinedCount: 1, quarantined } }],
      expected: { failures: [expect.objectContaining({ node: 'node-0', reason: 'ProgressDeadlineExceeded' })] },
    },
    {
      name: 'modes named as properties of every object are counted',
      reports: [{ mode: 'constructor' }, { mode: 'constructor' }, { mode: '__proto__' }],
      expected: { modes: JSON.parse('{"constructor":2,"__proto__":1}') as Record<string, number> },
    },
    {
      name: 'of more modes than the status takes those of most nodes are counted',
      reports: Array.from('abcdefghijj', (mode) => ({ mode })),
      expected: { modes: { j: 2, a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1 } },
    },
  ];
  test.each(rows)('$name', ({ reports, expected }) => {
    expect(statusAfter(reports, late)).toMatchObject(expected);
  });

  test('a message is cut between characters', () => {
    const message = `x${'\u{1f600}'.repeat(255)}`;
    const ready = { type: 'Ready', status: 'False', reason: 'R', message, lastTransitionTime: '2026-01-01T00:00:00Z' };
    const { failures, conditions } = statusAfter(
      Array.from({ length: 4 }, () => ({ state: 'Degraded', conditions: [ready] }) as Status),
      late,
    );
    expect(failures?.[0]?.message).toBe(message);
    expect(JSON.stringify(conditions)).not.toMatch(/\\ud[89ab]/);
  });

  test('never keeps the nodes of another ProxyConfig from being told', () => {
    fc.assert(
      fc.property(fc.array(anyReport, { maxLength: 10 }), (reports) => {
        expect(toldBeside(reports)).toContain('quiet');
      }),
    );
  });
});

function selecting(pool: string): object {
  return { nodeSelector: { matchLabels: { pool } } };
}

/** Names of nodes that are assigned something, where other nodes of another ProxyConfig report this. */
function toldBeside(reports: readonly Status[]): readonly string[] {
  const target = targetOf({}, 'quiet');
  const config = proxyConfig('quiet', selecting('quiet'));
  const rollout = { revision: target.revision, state: 'Progressing' } as const;
  const quiet = { ...config, status: { observedGeneration: 1, rollout } };
  const hostile = reports.map((_report, index) => node(`hostile-${index}`, { pool: 'hostile' }));
  const proxies = hostile.map((each, index): [string, NodeProxy] => [
    each.name,
    { ...reported(each, targetOf({}, 'hostile'), 'assigned'), status: { ...reports[index], observedGeneration: 3 } },
  ]);
  const kept = { name: 'quiet-1', owner: 'uid-of-quiet', number: 1, ...target };
  const view = {
    configs: new Map([
      ['hostile', proxyConfig('hostile', selecting('hostile'))],
      ['quiet', quiet],
    ]),
    nodes: new Map([...hostile, node('quiet', { pool: 'quiet' })].map((each) => [each.name, each])),
    nodeProxies: new Map(proxies),
    lostNodeProxies: new Map(),
    revisions: new Map([['quiet-1', kept]]),
    readyAgents: new Set(['quiet']),
    unreadyAgents: new Set<string>(),
  };
  return reconcile(view, late).nodeWrites.map((write) => write.node);
}
