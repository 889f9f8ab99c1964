/**
 * A ProxyConfig whose status the real API server refuses, in part or whole, beside one whose nodes must be told all the
 * same.
 */
import { expect, test } from '@jest/globals';
import { createOperatorMetrics } from '../../src/operator/operatorMetrics.ts';
import { statusWrite } from '../../src/operator/writes/statusWrite.ts';
import { describeWhere } from '../support/requirements.ts';
import { waitFor } from '../support/waitFor.ts';
import { pool } from './clusterFixture.ts';
import { operatorForEachTest } from './startOperator.ts';

const policies = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';
const bindings = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings';

describeWhere(['cluster'], 'a status that the API server refuses', () => {
  const operator = operatorForEachTest();
  const { cluster } = operator;

  /** From now on the API server refuses writes of ProxyConfigs named `bad` for which the expression does not hold. */
  async function refuseUnless(expression: string): Promise<void> {
    const kind = { apiVersion: 'admissionregistration.k8s.io/v1', metadata: { name: 'refuse' } };
    const resourceRules = [
      {
        apiGroups: ['proxyconfig.dev'],
        apiVersions: ['v1alpha1'],
        resources: ['proxyconfigs/status'],
        operations: ['UPDATE'],
      },
    ];
    const validations = [{ expression: `object.metadata.name != 'bad' || (${expression})`, message: 'refused' }];
    await cluster.client.send('POST', policies, {
      body: {
        ...kind,
        kind: 'ValidatingAdmissionPolicy',
        spec: { failurePolicy: 'Fail', matchConstraints: { resourceRules }, validations },
      },
    });
    await cluster.client.send('POST', bindings, {
      body: {
        ...kind,
        kind: 'ValidatingAdmissionPolicyBinding',
        spec: { policyName: 'refuse', validationActions: ['Deny'] },
      },
    });
    await waitFor(
      'the policy is in force',
      async () => {
        const failures = [{ node: 'a', reason: 'Test' }];
        const { method, path, options } = statusWrite(await cluster.config('bad'), { failures });
        return cluster.client.send(method, path, { ...options, query: { ...options.query, dryRun: 'All' } }).then(
          () => undefined,
          () => true,
        );
      },
      { timeoutMs: 25_000 },
    );
  }

  async function admitAll(): Promise<void> {
    await cluster.client.send('DELETE', `${bindings}/refuse`);
    await cluster.client.send('DELETE', `${policies}/refuse`);
  }

  test.each([
    { name: 'as a whole', expression: 'false', isWritten: false },
    { name: 'for its failures', expression: '!has(object.status.failures)', isWritten: true },
  ])('$name concerns its own ProxyConfig alone, and is counted', async ({ expression, isWritten }) => {
    await operator.stop();
    await cluster.addNode('bad-1', { pool: 'bad' });
    await cluster.addNode('good-1', { pool: 'good' });
    await cluster.addConfig('bad', pool('bad'));
    await operator.start();
    await cluster.governedBy('bad-1', 'bad');
    await operator.stop();
    try {
      await refuseUnless(expression);
      const metrics = createOperatorMetrics();
      await operator.start(cluster.client, { metrics });
      await cluster.agentRefuses('bad-1', 'ModeNotSupported', 'no ip_vs in this kernel');
      await cluster.addConfig('good', pool('good'));
      await cluster.governedBy('good-1', 'good');
      await waitFor(
        'the refusal is counted',
        async () => {
          const { values } = await metrics.refusedWrites.get();
          return values.some(({ value }) => value > 0) || undefined;
        },
        { timeoutMs: 25_000 },
      );
      if (isWritten) {
        const { status } = await cluster.configThat(
          'bad',
          'is told',
          (config) => config.status?.rollout?.state === 'Failed',
        );
        expect(status?.failures).toBeUndefined();
        expect(status?.conditions?.length).toBe(6);
      }
      await cluster.changeConfig('good', { masquerade: { bit: 15 } });
      await cluster.agentApplies('good-1');
      await cluster.masquerades('good-1', 15);
    } finally {
      await admitAll();
    }
    // As soon as it is taken again, it is there as a whole.
    const { status } = await cluster.configThat(
      'bad',
      'has its failures',
      (config) => config.status?.failures !== undefined,
    );
    expect(status?.failures?.map(({ node }) => node)).toEqual(['bad-1']);
  });

  test('a revision that may not be kept concerns its own ProxyConfig alone', async () => {
    await cluster.addNode('bad-1', { pool: 'bad' });
    await cluster.addNode('good-1', { pool: 'good' });
    await operator.stop();
    const client = {
      ...cluster.client,
      send: ((method, path, options) =>
        JSON.stringify(options?.body ?? '').includes('"name":"bad-')
          ? cluster.client.send(method, `${path}-no-such-resource`, options)
          : cluster.client.send(method, path, options)) as typeof cluster.client.send,
    };
    await cluster.addConfig('bad', pool('bad'));
    await cluster.addConfig('good', pool('good'));
    await operator.start(client);
    await cluster.governedBy('good-1', 'good');
    expect(await cluster.nodeProxy('bad-1')).toBeUndefined();
  });

  test.each(['constructor', '__proto__', 'x'.repeat(16)])(
    'a node that reports mode %s keeps nobody from being told',
    async (mode) => {
      await cluster.addNode('bad-1', { pool: 'bad' });
      await cluster.addNode('good-1', { pool: 'good' });
      await cluster.addConfig('bad', pool('bad'));
      await cluster.governedBy('bad-1', 'bad');
      const message = '\u{1f600}'.repeat(256);
      const ready = {
        type: 'Ready',
        status: 'False',
        reason: 'R',
        message,
        lastTransitionTime: '2026-01-01T00:00:00Z',
      };
      await cluster.client.send('PATCH', '/apis/proxyconfig.dev/v1alpha1/nodeproxies/bad-1/status', {
        contentType: 'application/merge-patch+json',
        body: { status: { observedGeneration: 1, state: 'Degraded', mode, conditions: [ready] } },
      });
      const { status } = await cluster.configThat(
        'bad',
        'has heard',
        (config) => config.status?.failures !== undefined,
      );
      expect(JSON.stringify(status?.modes)).toBe(`{"${mode}":1}`);
      await cluster.addConfig('good', pool('good'));
      await cluster.governedBy('good-1', 'good');
    },
  );
});
