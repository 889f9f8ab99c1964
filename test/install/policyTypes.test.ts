/** The expressions of the admission policies are checked against the schemas of what they match, by the control plane. */
import { type ChildProcess, spawn } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type ApiServer, startApiServer } from '../cluster/apiServer.ts';
import { ensureBinaries } from '../cluster/binaries.ts';
import { describeWhere } from '../support/requirements.ts';
import { waitFor } from '../support/waitFor.ts';
import { render } from './kustomizations.ts';

interface Policy {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly generation?: number };
  readonly spec: {
    readonly matchConstraints: {
      readonly resourceRules: readonly { readonly apiVersions: readonly string[] }[];
    };
    readonly validations: readonly object[];
  };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly typeChecking?: { readonly expressionWarnings?: readonly { readonly warning: string }[] };
  };
}

describeWhere(['cluster'], 'the types in admission policies', () => {
  let server: ApiServer;
  let controller: ChildProcess;
  let policies: readonly Policy[];

  beforeAll(async () => {
    server = await startApiServer();
    const binaries = await ensureBinaries({ which: ['kube-controller-manager'] });
    await server.kubectl(['apply', '-k', 'crds']);
    await server.kubectl(['wait', '--for=condition=Established', 'crd', '--all']);
    policies = (await render<Policy>(server, 'config/policy')).filter(
      ({ kind }) => kind === 'ValidatingAdmissionPolicy',
    );
    controller = spawn(
      binaries['kube-controller-manager'],
      [
        `--kubeconfig=${server.kubeconfig}`,
        '--controllers=validatingadmissionpolicy-status-controller',
        '--leader-elect=false',
        '--secure-port=0',
      ],
      { stdio: 'ignore' },
    );
  }, 120_000);
  afterAll(async () => {
    controller.kill('SIGKILL');
    await server.stop();
  });

  /** What the control plane finds wrong in it. */
  async function warningsOf(policy: Policy): Promise<string[]> {
    await server.kubectl(['apply', '-f', '-'], { input: JSON.stringify(policy) });
    let found: Policy | undefined;
    await waitFor(
      'it is checked',
      async () => {
        const { stdout } = await server.kubectl([
          'get',
          'validatingadmissionpolicy',
          policy.metadata.name,
          '-o',
          'json',
        ]);
        found = JSON.parse(stdout) as Policy;
        return found.status?.observedGeneration === found.metadata.generation;
      },
      { timeoutMs: 60_000 },
    );
    return (found?.status?.typeChecking?.expressionWarnings ?? []).map(({ warning }) => warning);
  }

  test('each policy names a version, is checked, and nothing is found', async () => {
    expect(policies.length).toBeGreaterThanOrEqual(2);
    for (const policy of policies) {
      expect(policy.spec.matchConstraints.resourceRules.flatMap(({ apiVersions }) => apiVersions)).not.toContain('*');
      expect(await warningsOf(policy)).toEqual([]);
    }
  }, 150_000);

  test('each policy with a field that is not there is found out', async () => {
    for (const { metadata, spec, ...policy } of policies) {
      const validations = [{ expression: "object.spec.modus == 'iptables'" }];
      const broken = { ...policy, metadata: { name: `${metadata.name}-broken` }, spec: { ...spec, validations } };
      expect((await warningsOf(broken)).join()).toContain("undefined field 'modus'");
    }
  }, 150_000);
});
