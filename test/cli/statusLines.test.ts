import { describe, expect, test } from '@jest/globals';
import { age, changeLines, changesBetween, statusLines } from '../../src/cli/status/lines.ts';
import { screenLines } from '../../src/cli/status/output.ts';
import { fitted, styledText } from '../../src/cli/status/screen.ts';
import { statusView, type StatusView } from '../../src/cli/status/view.ts';
import {
  now,
  condition,
  verdict,
  config,
  seen,
  nodeProxy,
  agentSays,
  well,
  refused,
  allReady,
  textOf,
  asText,
} from './statusObjects.ts';

describe('statusLines', () => {
  test('a quiet ProxyConfig takes three lines', () => {
    expect(asText(statusView({ configs: [config('default', allReady)], nodeProxies: [] }))).toBe(
      ['default  iptables  Ready', '  [########################]  2 of 2 nodes up to date', '  revision aaaa'].join(
        '\n',
      ),
    );
  });

  test('a mode that leaves kube-proxy is said beside Ready', () => {
    const message = 'mode ipvs goes on working here; what ends is the way back to kube-proxy';
    const deprecated = condition('DeprecatedMode', 'True', 'KubeProxyDropsIPVS', message);
    const conditions = [...verdict('Ready', 'AllNodesReady'), deprecated];
    const view = statusView({
      configs: [config('default', { ...allReady, conditions }, 'ipvs')],
      nodeProxies: [],
    });
    expect(asText(view)).toContain(`  DeprecatedMode (KubeProxyDropsIPVS): ${message}`);
    expect(view.proxyConfigs[0]).toMatchObject({
      state: 'Ready',
      warnings: [{ type: 'DeprecatedMode', reason: 'KubeProxyDropsIPVS', message }],
    });
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

  test('nodes that nobody has counted are not shown as none', () => {
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

  test('conditions that hold besides are shown', () => {
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

  test('control characters do not come out of a status', () => {
    const hostile = agentSays('Degraded', [condition('Ready', 'False', 'ToolFailed', 'a\u001B[2Jb\u202Ec\rd')]);
    const view = statusView({ configs: [config('default', allReady)], nodeProxies: [nodeProxy('node-1', hostile)] });
    expect(asText(view)).toContain('a [2Jb c d');
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

describe('screenLines', () => {
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

describe('changesBetween', () => {
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
