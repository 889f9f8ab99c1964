/**
 * The manifests as linters of other people read them: kube-score, kubeconform and promtool on everything that can be
 * applied from this repository, checkov in the full tests. What they may find stands in allowedFindings.ts.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { parse, stringify } from 'yaml';
import { createOperatorMetrics } from '../../src/operator/operatorMetrics.ts';
import { createAgentMetrics } from '../../src/observability/metrics.ts';
import { ensureBinaries } from '../cluster/binaries.ts';
import { ClusterFixture } from '../operator/clusterFixture.ts';
import { describeWhere } from '../support/requirements.ts';
import { type Finding, type Findings, allowed, checkovFindings, kubeScoreFindings } from './allowedFindings.ts';
import { checkov } from './checkov.ts';
import { promtoolPath } from './debianProgram.ts';
import { kindSchemas } from './kindSchemas.ts';
import { choicesOf, components, overlays, withOverlay } from './kustomizations.ts';

const rulesFile = 'config/components/prometheus/rules.yaml';
const installations = [
  ...overlays.map((base) => ({ base, chosen: [] as readonly string[] })),
  ...choicesOf(components)
    .filter(({ length }) => length > 0)
    .map((chosen) => ({ base: '.', chosen })),
].map(({ base, chosen }) => ({ base, chosen, name: [base, ...chosen].join(' + ') }));

interface Scored {
  readonly object_name: string;
  readonly checks: readonly {
    readonly check: { readonly id: string };
    readonly grade: number;
    readonly skipped: boolean;
  }[];
}

describeWhere(['cluster'], 'linters of manifests', () => {
  let cluster: ClusterFixture;
  let programs: Awaited<ReturnType<typeof ensureBinaries>>;
  let schemas: Awaited<ReturnType<typeof kindSchemas>>;

  beforeAll(async () => {
    cluster = await ClusterFixture.start();
    await cluster.kubectl(['apply', '-f', 'test/install/manifests/monitoring.yaml']);
    programs = await ensureBinaries({ which: ['kube-score', 'kubeconform'] });
    schemas = await kindSchemas(cluster.server);
  }, 120_000);
  afterAll(async () => {
    await schemas?.remove();
    await cluster?.stop();
  });

  const rendered = ({ base, chosen }: { base: string; chosen: readonly string[] }): Promise<string> =>
    chosen.length === 0
      ? cluster.kubectl(['kustomize', base])
      : withOverlay({ base, chosen }, (directory) => cluster.kubectl(['kustomize', directory]));

  /** Which check finds a fault in which workload. A grade of 10 is a check that is content. */
  async function score(input: string, ...flags: readonly string[]): Promise<readonly Finding[]> {
    const { stdout } = await execa(programs['kube-score'], ['score', '-o', 'json', ...flags, '-'], {
      input,
      reject: false,
    });
    const scored = JSON.parse(stdout) as readonly Scored[] | null;
    return (scored ?? []).flatMap(({ object_name: object, checks }) =>
      checks.filter(({ grade, skipped }) => grade < 10 && !skipped).map(({ check }) => ({ object, check: check.id })),
    );
  }

  async function faultsOfSchemas(input: string): Promise<string> {
    const { exitCode, stdout } = await execa(
      programs.kubeconform,
      ['-strict', '-output', 'text', '-schema-location', schemas.location, '-'],
      { input, reject: false },
    );
    expect(exitCode).toBe(stdout === '' ? 0 : 1);
    return stdout;
  }

  describe.each(installations)('$name', ({ base, chosen }) => {
    let manifests = '';
    beforeAll(async () => {
      manifests = await rendered({ base, chosen });
    });

    test('kube-score finds nothing', async () => {
      expect(await score(manifests)).toEqual([]);
    });

    test('kubeconform finds each field in the schema of its kind', async () => {
      expect(await faultsOfSchemas(manifests)).toBe('');
    });
  });

  /** Of all installations together, so that an entry of allowedFindings.ts that is found nowhere is seen. */
  async function foundIn(linter: (manifests: string) => Promise<readonly Finding[]>): Promise<Findings> {
    const found: Finding[] = [];
    for (const each of installations) found.push(...(await linter(await rendered(each))));
    return findingsOf(found);
  }

  test('without its annotations kube-score finds what is allowed', async () => {
    const found = await foundIn((manifests) => score(manifests, '--disable-ignore-checks-annotations'));
    expect(found).toEqual(allowed(kubeScoreFindings));
  });

  if (process.env['FULL'] === '1')
    test('checkov finds what is allowed', async () => {
      expect(await foundIn(checkov)).toEqual(allowed(checkovFindings));
    }, 600_000);

  test.each([
    {
      broken: 'a container that may write to its root',
      from: 'readOnlyRootFilesystem: true',
      to: 'readOnlyRootFilesystem: false',
    },
    { broken: 'a budget that no Pod is under', from: 'kind: PodDisruptionBudget', to: 'kind: ConfigMap' },
  ])('kube-score sees $broken', async ({ from, to }) => {
    const manifests = await rendered({ base: '.', chosen: [] });
    expect(manifests).toContain(from);
    expect(await score(manifests.replaceAll(from, to))).not.toEqual([]);
  });

  test.each([
    { broken: 'a field that a Deployment does not have', from: 'replicas: 2', to: 'replica: 2' },
    { broken: 'text where a number is due', from: 'replicas: 2', to: 'replicas: two' },
    { broken: 'a field that a ProxyConfig does not have', from: 'mode: iptables', to: 'mode: iptables\n  modus: ipvs' },
    { broken: 'a kind that is not there', from: 'kind: NetworkPolicy', to: 'kind: NetPolicy' },
  ])('kubeconform sees $broken', async ({ from, to }) => {
    const sample = await readFile('config/samples/proxyconfig-iptables.yaml', 'utf8');
    const manifests = `${await rendered({ base: '.', chosen: [] })}\n---\n${sample}`;
    expect(manifests).toContain(from);
    expect(await faultsOfSchemas(manifests.replace(from, to))).not.toBe('');
  });
});

describeWhere(['debian'], 'promtool', () => {
  let promtool = '';
  beforeAll(async () => {
    promtool = await promtoolPath();
  }, 120_000);

  const check = (
    args: readonly string[],
    input?: string,
  ): Promise<{ exitCode?: number; stdout: string; stderr: string }> =>
    execa(promtool, ['check', ...args], { reject: false, ...(input === undefined ? {} : { input }) });

  /** Debian 12's reads rules from files alone. */
  async function checkRules(rules: string): Promise<number | undefined> {
    const directory = await mkdtemp(join(tmpdir(), 'rules-'));
    const file = join(directory, 'rules.yaml');
    try {
      await writeFile(file, rules);
      return (await check(['rules', '--lint=all', '--lint-fatal', file])).exitCode;
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  test('takes the alerts', async () => {
    const { spec } = parse(await readFile(rulesFile, 'utf8')) as { readonly spec: unknown };
    expect(await checkRules(stringify(spec))).toBe(0);
  });

  test('refuses an alert that is no PromQL', async () => {
    const rules = stringify({ groups: [{ name: 'a', rules: [{ alert: 'A', expr: 'sum(up' }] }] });
    expect(await checkRules(rules)).toBe(1);
  });

  test.each([
    { of: 'agent', registry: createAgentMetrics().registry },
    { of: 'operator', registry: createOperatorMetrics().registry },
  ])('has nothing to say to the names and texts of metrics of the $of but of Node.js itself', async ({ registry }) => {
    const { stderr } = await check(['metrics'], await registry.metrics());
    expect(stderr.split('\n').filter((line) => line !== '' && !line.startsWith('nodejs_'))).toEqual([]);
  });
});

function findingsOf(found: readonly Finding[]): Findings {
  const objects = Object.groupBy(found, ({ object }) => object);
  return Object.fromEntries(
    Object.entries(objects).map(([object, checks = []]) => [
      object,
      [...new Set(checks.map(({ check }) => check))].sort(),
    ]),
  );
}
