/** Nothing that a person sees of a command makes a terminal obey, whoever wrote the text in it. */
import { describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import type { StatusConfig } from '../../src/config.ts';
import { formatView, watchOutput } from '../../src/cli/status/output.ts';
import { statusView } from '../../src/cli/status/view.ts';
import { proxyconfig } from './proxyconfig.ts';
import { agentSays, allReady, condition, config, nodeProxy, seen, verdict } from './statusObjects.ts';

const hostile = 'a\u001B[2J\u009B2J\u0085\u202E\u2066\u2028b\rc';
/** But for line ends, and the sequences with which a screen is drawn. */
const obeyed = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;
// oxlint-disable-next-line no-control-regex
const drawing = /\u001B\[(?:\?1049[hl]|\?25[hl]|H|K|J)|\r\n/g;

const service = (fields: object): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web' },
  ...fields,
});

describe('status', () => {
  const view = statusView({
    configs: [
      config('default', allReady),
      config(hostile, seen(verdict('Stalled', hostile, hostile), { matched: 1 }, { modes: { [hostile]: 1 } }), hostile),
    ],
    nodeProxies: [
      nodeProxy(hostile, agentSays(hostile as 'Ready', [condition('Ready', 'False', hostile, hostile)])),
      nodeProxy(hostile, agentSays('Ready', []), 'gone'),
    ],
  });
  const forms = (['text', 'json', 'yaml'] as const).flatMap((output) =>
    [true, false].map((isInteractive) => ({ output, isInteractive })),
  );

  test.each(forms)('-o $output, on a terminal: $isInteractive', ({ output, isInteractive }) => {
    const terminal = { isInteractive, color: false, unicode: true };
    const statusConfig: StatusConfig = { version: '1', watch: true, output, terminal };
    let written = '';
    const stream = {
      rows: 100,
      columns: 100,
      write: (text: string) => (written += text) !== '',
      on: () => process.stdout,
      off: () => process.stdout,
    };
    const watching = watchOutput(statusConfig, hostile, { stdout: stream, stderr: stream });
    watching.show(view);
    watching.warn(hostile);
    watching.close();
    written += formatView(view, statusConfig, stream);
    expect(written).toContain('default');
    expect(written.replaceAll(drawing, '')).not.toMatch(obeyed);
  });
});

describe('render', () => {
  const ports = [{ port: 80 }];
  const manifests = [
    { name: 'kind', object: { apiVersion: 'v1', kind: hostile } },
    { name: 'name', object: service({ metadata: { name: hostile }, spec: { clusterIP: '10.96.0.1', ports } }) },
    { name: 'address', object: service({ spec: { clusterIP: hostile, ports } }) },
    { name: 'external address', object: service({ spec: { clusterIP: '10.96.0.1', ports, externalIPs: [hostile] } }) },
    { name: 'port', object: service({ spec: { clusterIP: '10.96.0.1', ports: [{ name: hostile, port: 80 }] } }) },
    {
      name: 'field',
      object: {
        apiVersion: 'proxyconfig.dev/v1alpha1',
        kind: 'ProxyConfig',
        metadata: { name: 'a' },
        spec: { [hostile]: 1 },
      },
    },
    { name: 'Node', object: { apiVersion: 'v1', kind: 'Node', metadata: { name: hostile } } },
  ];

  test.each(manifests)('of a hostile $name', async ({ object }) => {
    const run = await proxyconfig(['render', '-f', '-', '--node', 'node-1', '-o', 'json'], {
      input: stringify(object),
    });
    expect(run.stdout + run.stderr).not.toMatch(obeyed);
  });

  test('of what is no YAML', async () => {
    const run = await proxyconfig(['render', '-f', '-', '--node', hostile], { input: `${hostile}: [` });
    expect(run.stderr).toContain('error');
    expect(run.stdout + run.stderr).not.toMatch(obeyed);
  });

  test('of a wrong flag', async () => {
    const run = await proxyconfig(['render', hostile, '-f', hostile]);
    expect(run.stderr).toContain('error');
    expect(run.stdout + run.stderr).not.toMatch(obeyed);
  });
});
