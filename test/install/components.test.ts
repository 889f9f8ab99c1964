/**
 * Everything that can be applied from this repository, as a real API server takes it: each overlay, and every choice of
 * components.
 */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { agentlessLabels } from '../../src/api/agentlessNodes.ts';
import { ClusterFixture } from '../operator/clusterFixture.ts';
import { describeWhere } from '../support/requirements.ts';
import { choicesOf, components, overlays, render, withOverlay } from './kustomizations.ts';

interface PodPlacement {
  readonly affinity?: {
    readonly nodeAffinity: {
      readonly requiredDuringSchedulingIgnoredDuringExecution: {
        readonly nodeSelectorTerms: readonly { readonly matchExpressions: readonly Requirement[] }[];
      };
    };
  };
}
interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values: readonly string[];
}

/** What a node's labels must be; of several terms one would be enough. */
function placementOf({ affinity }: PodPlacement): readonly Requirement[] {
  const terms = affinity?.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms ?? [];
  expect(terms.length).toBe(1);
  return terms[0]?.matchExpressions ?? [];
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly replicas?: number;
    readonly template: {
      readonly spec: {
        readonly containers: readonly { readonly args: readonly string[] }[];
      } & PodPlacement;
    };
  };
}

const here = 'test/install/manifests';
const component = (name: string): string => `config/components/${name}`;
const nameOf = (directory: string): string => directory.split('/').at(-1) ?? '';
const combinations = [
  ...choicesOf(components)
    .filter(({ length }) => length > 0)
    .map((chosen) => ({ base: '.', chosen })),
  { base: 'config/samples/overlay', chosen: components },
].map(({ base, chosen }) => ({ name: [base, ...chosen.map(nameOf)].join(' + '), base, chosen }));

describeWhere(['cluster'], 'what can be applied', () => {
  let cluster: ClusterFixture;

  beforeAll(async () => {
    cluster = await ClusterFixture.start({ install: '.' });
  }, 120_000);
  afterAll(async () => {
    await cluster?.stop();
  });

  async function dryRun(directory: string): Promise<void> {
    const { exitCode, stderr } = await cluster.server.kubectl(['apply', '--dry-run=server', '-k', directory]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  }

  async function rendered(chosen: readonly string[], kind: string): Promise<Manifest> {
    const manifests = await withOverlay({ base: '.', chosen }, (directory) =>
      render<Manifest>(cluster.server, directory),
    );
    const found = manifests.find((manifest) => manifest.kind === kind);
    if (!found) throw new Error(`no ${kind} is rendered`);
    return found;
  }

  test('without prometheus-operator in the cluster its component is refused', async () => {
    const chosen = [component('prometheus')];
    const { exitCode, stderr } = await withOverlay({ base: '.', chosen }, (directory) =>
      cluster.server.kubectl(['apply', '--dry-run=server', '-k', directory]),
    );
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: expect.stringContaining(
        'no matches for kind "PodMonitor" in version "monitoring.coreos.com/v1"',
      ) as unknown,
    });
  });

  describe('where its kinds are known', () => {
    beforeAll(async () => {
      await cluster.kubectl(['apply', '-f', `${here}/monitoring.yaml`]);
      await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all']);
    });

    test.each(overlays)('%s', dryRun);

    test.each(combinations)('$name', ({ base, chosen }) => withOverlay({ base, chosen }, dryRun));
  });

  test('single-replica: one operator', async () => {
    expect((await rendered([component('single-replica')], 'Deployment')).spec.replicas).toBe(1);
  });

  test("prometheus: an agent's metrics can be read from outside of its node; without it they cannot", async () => {
    const agents = await Promise.all([[component('prometheus')], []].map((chosen) => rendered(chosen, 'DaemonSet')));
    expect(agents.map(({ spec }) => spec.template.spec.containers[0]?.args)).toEqual([
      ['agent', '--metrics-address=:10249'],
      ['agent'],
    ]);
  });

  test.each([{ chosen: [] }, { chosen: [component('replace-kube-proxy')] }])(
    'agents keep off the nodes that the operator leaves alone, with the components $chosen',
    async ({ chosen }) => {
      const placement = placementOf((await rendered(chosen, 'DaemonSet')).spec.template.spec);
      const refused = placement.filter(({ operator }) => operator === 'NotIn');
      expect(Object.fromEntries(refused.map(({ key, values }) => [key, values]))).toEqual(
        Object.fromEntries(Object.entries(agentlessLabels).map(([key, value]) => [key, [value]])),
      );
    },
  );

  test("replace-kube-proxy: no node is for both, for neither only one that says so, and kube-proxy's DaemonSet ends as it was", async () => {
    await cluster.kubectl(['apply', '-f', `${here}/kube-proxy.yaml`]);
    const podSpec = async (): Promise<PodPlacement> =>
      JSON.parse(
        await cluster.kubectl([
          '-n',
          'kube-system',
          'get',
          'daemonset',
          'kube-proxy',
          '-o',
          'jsonpath={.spec.template.spec}',
        ]),
      ) as PodPlacement;
    const patch = (name: string): Promise<string> =>
      cluster.kubectl([
        '-n',
        'kube-system',
        'patch',
        'daemonset',
        'kube-proxy',
        '--patch-file',
        `${component('replace-kube-proxy')}/${name}.yaml`,
      ]);
    const before = await podSpec();

    await patch('kube-proxy-patch');
    const agents = placementOf((await rendered([component('replace-kube-proxy')], 'DaemonSet')).spec.template.spec);
    const label = 'proxyconfig.dev/proxy';
    expect(agents.filter(({ key }) => key === label)).toEqual([{ key: label, operator: 'In', values: ['agent'] }]);
    expect(placementOf(await podSpec())).toEqual([{ key: label, operator: 'NotIn', values: ['agent', 'none'] }]);

    await patch('kube-proxy-unpatch');
    expect(await podSpec()).toEqual(before);
  });

  test.each([...components])('%s is described where a user looks for it', async (directory) => {
    expect(await readFile('config/samples/overlay/kustomization.yaml', 'utf8')).toContain(
      `components/${nameOf(directory)}`,
    );
  });
});
