/**
 * What GitOps tools make of a ProxyConfig's status, by the programs that they judge with: the kstatus library, as Flux
 * does, and the health check for Argo CD that docs/gitops.md gives.
 */
import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { parse } from 'yaml';
import type { ProxyConfig } from '../../src/api/generated/proxyConfig.ts';
import { ensureBinaries } from '../cluster/binaries.ts';
import { describeWhere } from '../support/requirements.ts';
import { proxyConfig } from './objects.ts';
import { statusRows, withStatus, type StatusRow } from './statusRows.ts';

interface Verdicts {
  readonly kstatus: string;
  readonly argo: string;
  readonly message: string;
}

/** Which condition decides, and what each tool calls it. */
const verdicts = {
  Ready: { kstatus: 'Current', argo: 'Healthy' },
  Stalled: { kstatus: 'Failed', argo: 'Degraded' },
  Reconciling: { kstatus: 'InProgress', argo: 'Progressing' },
  // A pause ends when a person ends it, which Argo CD has a word for.
  paused: { kstatus: 'InProgress', argo: 'Suspended' },
};

function verdictOn({ holds }: StatusRow): (typeof verdicts)[keyof typeof verdicts] {
  const deciding = (['Ready', 'Stalled', 'Reconciling'] as const).find((type) => holds.includes(type));
  return verdicts[deciding ?? 'paused'];
}

/** The script of the documentation, as it is. */
function argoHealthCheck(): string {
  const [, yaml = ''] =
    /```yaml\n(data:\n {2}resource\.customizations\.health\.[\s\S]*?)```/.exec(
      readFileSync('docs/gitops.md', 'utf8'),
    ) ?? [];
  const { data } = parse(yaml) as { data: Record<string, string> };
  return data['resource.customizations.health.proxyconfig.dev_ProxyConfig'] ?? '';
}

const changed = ({ metadata, ...config }: ProxyConfig): ProxyConfig => ({
  ...config,
  metadata: { ...metadata, generation: 5 },
});

describeWhere(['cluster'], "aggregateStatus in GitOps tools' verdicts", () => {
  const fresh: ProxyConfig = { ...proxyConfig('all'), status: { observedGeneration: -1 } };
  const examples = [
    { name: 'made just now', object: fresh, expected: verdicts.Reconciling },
    ...statusRows.map((row) => ({ name: row.name, object: withStatus(row), expected: verdictOn(row) })),
    ...statusRows.map((row) => ({
      name: `${row.name}, and the spec has changed since`,
      object: changed(withStatus(row)),
      expected: verdicts.Reconciling,
    })),
  ];
  const answers = new Map<string, Verdicts>();

  beforeAll(async () => {
    const { health } = await ensureBinaries({ which: ['health'] });
    const { stdout } = await execa(health, [argoHealthCheck()], {
      input: examples.map(({ object }) => JSON.stringify(object)).join('\n'),
    });
    stdout.split('\n').forEach((line, index) => answers.set(examples[index]?.name ?? '', JSON.parse(line) as Verdicts));
  }, 60_000);

  test.each(examples)('$name: $expected', ({ name, expected, object }) => {
    expect(answers.get(name)).toMatchObject(expected);
    if (expected === verdicts.Reconciling) expect(answers.get(name)?.message).not.toBe('');
    else
      expect(answers.get(name)?.message).toBe(object.status?.conditions?.find(({ type }) => type === 'Ready')?.message);
  });
});
