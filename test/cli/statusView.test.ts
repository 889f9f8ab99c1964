import { describe, expect, test } from '@jest/globals';
import { withDefaults } from '../../src/api/defaults.ts';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import type { ProxyConfig } from '../../src/api/generated/proxyConfig.ts';
import { age, changeLines, changesBetween, statusLines, type Line } from '../../src/cli/statusLines.ts';
import { screenLines } from '../../src/cli/statusOutput.ts';
import { fitted, styledText } from '../../src/cli/statusScreen.ts';
import { isAllReady, statusView, type StatusView } from '../../src/cli/statusView.ts';

type ConfigStatus = NonNullable<ProxyConfig['status']>;
type NodeStatus = NonNullable<NodeProxy['status']>;
type Condition = NonNullable<NodeStatus['conditions']>[number];

const now = new Date('2026-01-01T01:00:00Z');
const when = { lastTransitionTime: '2026-01-01T00:55:00Z' };

function condition(type: string, status: Condition['status'], reason: string, message = ''): Condition {
  return { type, status, reason, message, ...when };
}

/** The kstatus conditions, of which exactly one holds. */
function verdict(holds: 'Ready' | 'Reconciling' | 'Stalled' | 'none', reason: string, message = ''): Condition[] {
  return ['Ready', 'Reconciling', 'Stalled'].map((type) =>
    condition(type, type === holds ? 'True' : 'False', reason, message),
  );
}

function config(name: string, status: ConfigStatus = { observedGeneration: -1 }, mode = 'iptables'): ProxyConfig {
  const metadata = { name, uid: `uid-of-${name}`, generation: 2 };
  return {
    ...(withDefaults({
      apiVersion: 'proxyconfig.dev/v1alpha1',
      kind: 'ProxyConfig',
      metadata,
      spec: { mode },
    }) as ProxyConfig),
    status,
  };
}

function seen(conditions: Condition[], nodes: ConfigStatus['nodes'], more: ConfigStatus = {}): ConfigStatus {
  return { observedGeneration: 2, conditions, nodes, rollout: { revision: 'aaaa', state: 'Complete' }, ...more };
}

function nodeProxy(node: string, status: NodeStatus | undefined, of = 'default'): NodeProxy {
  const spec = { configRef: { name: of, uid: `uid-of-${of}`, generation: 2 }, revision: 'aaaa' };
  return {
    apiVersion: 'proxyconfig.dev/v1alpha1',
    kind: 'NodeProxy',
    metadata: { name: node, generation: 1 },
    spec,
    ...(status === undefined ? {} : { status }),
  };
}

function agentSays(state: NodeStatus['state'], conditions: Condition[], more: NodeStatus = {}): NodeStatus {
  return { observedGeneration: 1, state, mode: 'iptables', conditions, ...more };
}

const well = agentSays('Ready', [condition('Ready', 'True', 'Synced')]);
const refused = agentSays('Degraded', [
  condition('Ready', 'False', 'ModeNotAvailable', 'no mode ipvs here; set spec.mode to iptables'),
]);
const driftedNode = agentSays('Drifted', [
  condition('Ready', 'True', 'Synced'),
  condition('Drifted', 'True', 'RulesChanged', 'somebody changed rules'),
]);
const leavesOut = {
  ...well,
  dataplane: { quarantinedCount: 1, quarantined: [{ namespace: 'shop', name: 'web', reason: 'InvalidService' }] },
};

const allReady = seen(verdict('Ready', 'AllNodesReady'), { matched: 2, effective: 2, ready: 2, updated: 2 });

function textOf(lines: readonly Line[]): string {
  return lines.map((line) => styledText(line, false)).join('\n');
}

function asText(view: StatusView, width?: number): string {
  return textOf(statusLines(view, { now, width, unicode: false }));
}

describe('what the conditions of a ProxyConfig mean', () => {
  const rows: { name: string; status: ConfigStatus | undefined; state: string; reason: string; allReady: boolean }[] = [
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
        { state: 'Ready', reason: 'ServicesQuarantined', message: '1 Service is left out: shop/web (InvalidService)' },
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

  test("the operator's failures come first, and each node is told once", () => {
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

describe('lines for people', () => {
  test('a quiet ProxyConfig takes three lines', () => {
    expect(asText(statusView({ configs: [config('default', allReady)], nodeProxies: [] }))).toBe(
      ['default  iptables  Ready', '  [########################]  2 of 2 nodes up to date', '  revision aaaa'].join(
        '\n',
      ),
    );
  });

  test('a rollout with a failed node shows how far it is and what to do, each thing once', () => {
    const rollout = {
      revision: 'bbbb',
      previousRevision: 'aaaa',
      state: 'Progressing' as const,
      step: '2/4',
      startedAt: '2026-01-01T00:50:00Z',
    };
    const message = 'no mode ipvs here; set spec.mode to iptables';
    const counts = { matched: 10, effective: 8, updated: 3, ready: 7, failed: 1, stale: 1 };
    const conditions = [
      ...verdict('Reconciling', 'ModeNotAvailable', `3 of 8; node-1: ${message}`),
      condition('Degraded', 'True', 'ModeNotAvailable', message),
    ];
    const status = seen(conditions, counts, {
      rollout,
      modes: { iptables: 7, ipvs: 1 },
      failures: [{ node: 'node-1', reason: 'ModeNotAvailable', message, since: '2026-01-01T00:58:00Z' }],
    });
    const view = statusView({
      configs: [config('edge', status, 'ipvs')],
      nodeProxies: [nodeProxy('node-1', refused, 'edge'), nodeProxy('node-2', undefined, 'edge')],
    });
    expect(asText(view)).toBe(
      [
        'edge  ipvs  Reconciling (ModeNotAvailable)',
        '  [#########xxx............]  3 of 8 nodes up to date, 1 failed, 4 to go, 1 without a ready agent, 2 more governed by others',
        '  rollout Progressing, step 2/4, began 10m ago, revision bbbb, before it aaaa, in force: iptables 7, ipvs 1',
        '  node-1  Degraded  ModeNotAvailable  for 2m',
        '    no mode ipvs here; set spec.mode to iptables',
      ].join('\n'),
    );
  });

  test('nodes that nobody has counted are not told as none', () => {
    expect(asText(statusView({ configs: [config('default')], nodeProxies: [] }))).toMatch(
      /^default {2}iptables {2}Unseen \(NotObserved\)\n {2}the operator has not looked/,
    );
  });

  const bars = [
    {
      name: 'nearly done is not full',
      nodes: { effective: 1000, updated: 999, ready: 1000 },
      bar: '[#######################.]',
    },
    {
      name: 'one failure of many is seen',
      nodes: { effective: 1000, updated: 999, ready: 999, failed: 1 },
      bar: '[#######################x]',
    },
    { name: 'nothing done', nodes: { effective: 3, ready: 3 }, bar: '[........................]' },
    { name: 'all failed', nodes: { effective: 3, failed: 3 }, bar: '[xxxxxxxxxxxxxxxxxxxxxxxx]' },
    { name: 'no node', nodes: {}, bar: '  no nodes' },
    { name: 'none governed', nodes: { matched: 3 }, bar: '  none of its 3 nodes is governed by it' },
  ];
  test.each(bars)('bar: $name', ({ nodes, bar }) => {
    expect(
      asText(
        statusView({
          configs: [config('default', seen(verdict('Reconciling', 'RollingOut'), nodes))],
          nodeProxies: [],
        }),
      ),
    ).toContain(bar);
  });

  test('conditions that hold besides are told', () => {
    const degraded = condition('Degraded', 'True', 'AgentsNotReady', 'no ready agent Pod on node-1');
    const view = statusView({
      configs: [config('default', { ...allReady, conditions: [...verdict('Ready', 'AllNodesReady'), degraded] })],
      nodeProxies: [],
    });
    expect(asText(view)).toContain('  Degraded (AgentsNotReady): no ready agent Pod on node-1');
  });

  test('more than ten nodes are counted', () => {
    const nodeProxies = Array.from({ length: 12 }, (_, index) => nodeProxy(`node-${index}`, refused));
    const text = asText(statusView({ configs: [config('default', allReady)], nodeProxies }));
    expect(text.match(/Degraded {2}ModeNotAvailable/g)).toHaveLength(10);
    expect(text).toContain('and 2 more nodes; -o json shows all');
  });

  test('messages are wrapped where a width is known, and left whole where not', () => {
    const status = seen(
      verdict('Stalled', 'Conflicted', 'general of the same priority 0 governs nodes that this selects too'),
      { matched: 1 },
    );
    const view = statusView({ configs: [config('default', status)], nodeProxies: [] });
    expect(asText(view, 40).split('\n').slice(-2)).toEqual([
      '  general of the same priority 0 governs',
      '  nodes that this selects too',
    ]);
    expect(asText(view)).toContain('  general of the same priority 0 governs nodes that this selects too');
  });

  test('what a terminal would obey does not come out of a status', () => {
    const hostile = agentSays('Degraded', [condition('Ready', 'False', 'ToolFailed', 'a\u001B[2Jb\u202Ec\rd')]);
    const view = statusView({ configs: [config('default', allReady)], nodeProxies: [nodeProxy('node-1', hostile)] });
    expect(asText(view)).toContain('a [2Jb c d');
    expect([...changeLines(view).values()].join()).not.toMatch(/\p{Cc}/u);
  });

  test('without a ProxyConfig, what nodes run is said', () => {
    expect(asText(statusView({ configs: [], nodeProxies: [] }))).toMatch(
      /^There is no ProxyConfig\..*built-in defaults/,
    );
  });

  const ages = [
    ['2026-01-01T00:59:15Z', '45s'],
    ['2026-01-01T00:00:00Z', '60m'],
    ['2025-12-31T20:00:00Z', '5h'],
    ['2025-12-28T20:00:00Z', '3d'],
    ['2026-01-01T02:00:00Z', '0s'],
  ] as const;
  test.each(ages)('since %s is %s', (since, text) => expect(age(since, now)).toBe(text));
});

describe('the screen of --watch', () => {
  const view = statusView({ configs: [config('default', allReady)], nodeProxies: [] });
  const content = { view, warning: undefined, context: 'staging', width: 60, unicode: true, now };

  test('begins with the context, and with the warning where there is one', () => {
    expect(textOf(screenLines(content))).toMatch(/^\d\d:\d\d:\d\d {2}staging {2}Ctrl-C ends\n\ndefault/);
    expect(textOf(screenLines({ ...content, warning: 'the API server does not answer' }))).toContain(
      'ends\nthe API server does not answer\n\ndefault',
    );
    expect(textOf(screenLines({ ...content, view: undefined }))).toContain('asking the API server');
  });

  test('never takes more room than there is', () => {
    const lines = fitted(screenLines(content), { rows: 4, columns: 20 });
    expect(lines).toHaveLength(4);
    expect(
      textOf(lines)
        .split('\n')
        .every((line) => line.length <= 20),
    ).toBe(true);
    expect(textOf(lines)).toContain('2 more lines');
    expect(fitted(screenLines(content), { rows: 5, columns: 80 })).toHaveLength(5);
  });

  test('colors come as escape sequences, and only when asked for', () => {
    const [line = []] = statusLines(view, { now, unicode: true });
    expect(styledText(line, true)).toContain('\u001B[32mReady\u001B[39m');
    expect(styledText(line, false)).toBe('default  iptables  Ready');
  });
});

describe('one line per change', () => {
  const quiet = statusView({ configs: [config('default', allReady)], nodeProxies: [nodeProxy('node-1', well)] });
  const broken = statusView({ configs: [config('default', allReady)], nodeProxies: [nodeProxy('node-1', refused)] });
  const waiting = statusView({ configs: [config('default', allReady)], nodeProxies: [nodeProxy('node-1', undefined)] });
  const none = statusView({ configs: [], nodeProxies: [] });
  const start = 'default: Ready (AllNodesReady), 2 of 2 nodes up to date, mode iptables';
  const failure = 'default: node-1: Degraded (ModeNotAvailable): no mode ipvs here; set spec.mode to iptables';
  const rows: { name: string; before: StatusView; after: StatusView; news: string[] }[] = [
    { name: 'at first everything', before: none, after: broken, news: [start, failure] },
    { name: 'nothing where nothing changed', before: broken, after: broken, news: [] },
    { name: 'a node fails', before: quiet, after: broken, news: [failure] },
    { name: 'a node is well again', before: broken, after: quiet, news: ['default: node-1: as wanted'] },
    { name: 'a node that has not answered yet is no news', before: quiet, after: waiting, news: [] },
    { name: 'a ProxyConfig goes, and its nodes with it', before: broken, after: none, news: ['default: gone'] },
  ];
  test.each(rows)('$name', ({ before, after, news }) => {
    expect(changesBetween(changeLines(before), changeLines(after))).toEqual(news);
  });
});
