import { describe, expect, test } from '@jest/globals';
import { isAllReady, statusView } from '../../src/cli/status/view.ts';
import {
  when,
  verdict,
  config,
  seen,
  nodeProxy,
  well,
  refused,
  driftedNode,
  leavesOut,
  allReady,
  asText,
  type ConfigStatus,
  type NodeStatus,
} from './statusObjects.ts';

describe('statusView', () => {
  describe('what the conditions of a ProxyConfig mean', () => {
    const rows: { name: string; status: ConfigStatus | undefined; state: string; reason: string; allReady: boolean }[] =
      [
        {
          name: 'never looked at',
          status: { observedGeneration: -1 },
          state: 'Unseen',
          reason: 'NotObserved',
          allReady: false,
        },
        { name: 'without any status', status: undefined, state: 'Unseen', reason: 'NotObserved', allReady: false },
        {
          name: 'Ready, all of an earlier generation',
          status: { ...allReady, observedGeneration: 1 },
          state: 'Unseen',
          reason: 'NotObserved',
          allReady: false,
        },
        { name: 'Ready', status: allReady, state: 'Ready', reason: 'AllNodesReady', allReady: true },
        {
          name: 'Ready without nodes',
          status: seen(verdict('Ready', 'NoNodes'), {}),
          state: 'Ready',
          reason: 'NoNodes',
          allReady: true,
        },
        {
          name: 'rolling out',
          status: seen(verdict('Reconciling', 'RollingOut'), {}),
          state: 'Reconciling',
          reason: 'RollingOut',
          allReady: false,
        },
        {
          name: 'stalled',
          status: seen(verdict('Stalled', 'ModeNotAvailable'), {}),
          state: 'Stalled',
          reason: 'ModeNotAvailable',
          allReady: false,
        },
        {
          name: 'paused, where no condition holds',
          status: seen(verdict('none', 'Paused'), {}),
          state: 'Paused',
          reason: 'Paused',
          allReady: false,
        },
      ];
    test.each(rows)('$name', ({ status, state, reason, allReady: ready }) => {
      const { status: _, ...withoutStatus } = config('default');
      const view = statusView({
        configs: [status === undefined ? withoutStatus : { ...withoutStatus, status }],
        nodeProxies: [],
      });
      expect(view.proxyConfigs[0]).toMatchObject({ state, reason });
      expect(isAllReady(view)).toBe(ready);
    });

    test('all Ready needs every ProxyConfig, and at least one', () => {
      const stalled = config('edge', seen(verdict('Stalled', 'Conflicted'), {}));
      expect(isAllReady(statusView({ configs: [config('default', allReady), stalled], nodeProxies: [] }))).toBe(false);
      expect(
        isAllReady(statusView({ configs: [config('default', allReady), stalled], nodeProxies: [] }, 'default')),
      ).toBe(true);
      expect(isAllReady(statusView({ configs: [], nodeProxies: [] }))).toBe(false);
    });
  });

  describe('which nodes are not as wanted', () => {
    const rows: { name: string; status: NodeStatus | undefined; expected: object[] }[] = [
      { name: 'serves as asked', status: well, expected: [] },
      { name: 'no answer yet', status: undefined, expected: [{ state: 'Waiting', reason: 'NotAnswered' }] },
      {
        name: 'answered an earlier spec only',
        status: { ...well, observedGeneration: 0 },
        expected: [{ state: 'Waiting', reason: 'NotAnswered' }],
      },
      {
        name: 'refused',
        status: refused,
        expected: [{ state: 'Degraded', reason: 'ModeNotAvailable', since: when.lastTransitionTime }],
      },
      { name: 'drifted', status: driftedNode, expected: [{ state: 'Drifted', reason: 'RulesChanged' }] },
      {
        name: 'leaves a Service out',
        status: leavesOut,
        expected: [
          {
            state: 'Ready',
            reason: 'ServicesQuarantined',
            message: '1 Service is left out: shop/web (InvalidService)',
          },
        ],
      },
    ];
    test.each(rows)('$name', ({ status, expected }) => {
      const { proxyConfigs } = statusView({
        configs: [config('default', allReady)],
        nodeProxies: [nodeProxy('node-1', status)],
      });
      expect(proxyConfigs[0]?.problems).toHaveLength(expected.length);
      expect(proxyConfigs[0]?.problems).toMatchObject(expected.map((problem) => ({ node: 'node-1', ...problem })));
    });

    test("the operator's failures come first, and each node is listed once", () => {
      const failures = [{ node: 'node-3', reason: 'ProbeFailed', message: 'no answer from default/kubernetes' }];
      const nodeProxies = [nodeProxy('node-4', undefined), nodeProxy('node-3', well), nodeProxy('node-2', refused)];
      const { proxyConfigs } = statusView({ configs: [config('default', { ...allReady, failures })], nodeProxies });
      expect(proxyConfigs[0]?.problems.map(({ node, reason }) => [node, reason])).toEqual([
        ['node-3', 'ProbeFailed'],
        ['node-2', 'ModeNotAvailable'],
        ['node-4', 'NotAnswered'],
      ]);
    });

    test('nodes of a ProxyConfig that is gone are told apart, also from one made anew under its name', () => {
      const anew = { ...config('default', allReady), metadata: { name: 'default', uid: 'another', generation: 2 } };
      const view = statusView({ configs: [anew], nodeProxies: [nodeProxy('node-1', well)] });
      expect(view.ungoverned).toEqual([{ node: 'node-1', lastConfig: 'default', mode: 'iptables' }]);
      expect(view.proxyConfigs[0]?.problems).toEqual([]);
      expect(asText(view)).toContain('node-1  iptables  as default had it, which is gone');
    });
  });
});
