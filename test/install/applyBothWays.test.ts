/**
 * The installation goes to and fro between client-side and server-side apply, as between kubectl, Argo CD, Flux and
 * Helm: what the API server fills in is written out where the other way would call it a conflict.
 */
import { readFileSync } from 'node:fs';
import { afterEach, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { type ApiServer, startApiServer } from '../cluster/apiServer.ts';
import { describeWhere } from '../support/requirements.ts';
import { components, withOverlay } from './kustomizations.ts';

const ways = { 'client-side': ['apply'], 'server-side': ['apply', '--server-side'] } as const;
type Way = keyof typeof ways;
const orders: readonly (readonly Way[])[] = [
  ['client-side', 'server-side', 'client-side', 'server-side'],
  ['server-side', 'client-side', 'server-side', 'client-side'],
];

/** Without those of the annotation in which client-side apply keeps what it was given, which a Deployment counts too. */
function changesIn(diff: string): string[] {
  return diff.split('\n').filter((line) => /^[+-](?!--|\+\+| {6}\{"apiVersion"| {2}generation: \d+$)/.test(line));
}

describeWhere(['cluster'], 'the installation with all components', () => {
  let server: ApiServer;
  afterEach(() => server.stop(), 30_000);

  async function kubectl(args: readonly string[]): Promise<{ errors: string[]; stdout: string }> {
    const { stdout, stderr } = await server.kubectl(args);
    return { errors: stderr.split('\n').filter((line) => line !== '' && !line.startsWith('Warning: ')), stdout };
  }

  async function applyAndCompare(way: Way, directory: string): Promise<void> {
    const { errors } = await kubectl([...ways[way], '-k', directory]);
    expect({ way, errors }).toEqual({ way, errors: [] });
    for (const flags of [[], ['--server-side']]) {
      const diff = await kubectl(['diff', ...flags, '-k', directory]);
      const found = { way, flags, errors: diff.errors, changes: changesIn(diff.stdout) };
      expect(found).toEqual({ way, flags, errors: [], changes: [] });
    }
  }

  const rows = orders.map((order) => ({ order, name: order.join(', ') }));
  test.each(rows)(
    'is applied $name',
    async ({ order }) => {
      server = await startApiServer();
      await server.kubectl(['apply', '-f', 'test/install/manifests/monitoring.yaml']);
      await server.kubectl(['wait', '--for=condition=Established', 'crd', '--all']);
      await withOverlay({ base: '.', chosen: components }, async (directory) => {
        for (const way of order) await applyAndCompare(way, directory);
      });
    },
    120_000,
  );
});

interface Definition {
  readonly spec: { readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: object } }[] };
}

test.each(['nodeproxies', 'proxyconfigs'])(
  'there is no CEL rule at the root of %s: it would refuse statuses of objects older than the rule',
  (plural) => {
    const { spec } = parse(readFileSync(`crds/${plural}.yaml`, 'utf8')) as Definition;
    expect(spec.versions.map(({ schema }) => Object.keys(schema.openAPIV3Schema))).toEqual([
      expect.not.arrayContaining(['x-kubernetes-validations']),
    ]);
  },
);
