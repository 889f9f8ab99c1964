import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { withDefaults } from '../../src/api/defaults.ts';
import { ApiError } from '../../src/kube/apiError.ts';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { loadKubeConfig } from '../../src/kube/kubeConfig.ts';
import { startApiServer, type ApiServer } from '../cluster/apiServer.ts';
import { describeWhere } from '../support/requirements.ts';
import { examplesOf, kinds, type Example, type Kind } from './admissionTable.ts';

describeWhere(['cluster'], 'admission by the real API server', () => {
  let server: ApiServer;
  let client: KubeClient;

  beforeAll(async () => {
    server = await startApiServer();
    expect(await server.kubectl(['apply', '-k', 'crds'])).toMatchObject({ exitCode: 0 });
    expect(await server.kubectl(['wait', '--for=condition=Established', 'crd', '--all'])).toMatchObject({
      exitCode: 0,
    });
    client = createKubeClient(loadKubeConfig({ kubeconfig: server.kubeconfig }));
    for (const { base } of kinds) expect(await applied(base)).toMatchObject({ exitCode: 0 });
  }, 120_000);

  afterAll(async () => {
    await client.close();
    await server.stop();
  }, 30_000);

  describe.each(kinds)('the API server and $kind', (kind) => {
    const examples = examplesOf(kind);

    test.each(examples.filter(({ accepted }) => accepted))('takes $field $text', async (example) => {
      expect(await refusal(kind, example)).toBeUndefined();
    });

    test.each(examples.filter(({ accepted }) => !accepted))('refuses $field $text', async (example) => {
      expect(await refusal(kind, example)).toContain(example.names.replace(/^metadata.name$/, 'name'));
    });
  });

  /**
   * What the API server says to an object, without storing it; a status goes to its subresource of an object that
   * stands.
   */
  async function refusal({ plural }: Kind, { field, object }: Example): Promise<string | undefined> {
    const path = `/apis/proxyconfig.dev/v1alpha1/${plural}`;
    const query = { dryRun: 'All', fieldValidation: 'Strict' };
    const { metadata, status, ...rest } = object as { metadata: { name: string }; status?: unknown };
    const isStatus = field.startsWith('status');
    const body = isStatus
      ? { status }
      : { ...rest, metadata: { ...metadata, name: field.startsWith('metadata') ? metadata.name : 'another' } };
    try {
      if (isStatus)
        await client.send('PATCH', `${path}/${metadata.name}/status`, {
          body,
          query,
          contentType: 'application/merge-patch+json',
        });
      else await client.send('POST', path, { body, query });
      return undefined;
    } catch (error) {
      if (error instanceof ApiError && (error.status === 422 || error.status === 400)) return error.message;
      throw error;
    }
  }

  test('kubectl apply of mode ipvs with an iptables block is refused and says which field to remove', async () => {
    const { exitCode, stderr } = await applied({ ...kinds[0]?.base, spec: { mode: 'ipvs', iptables: {} } });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      'spec.iptables: Forbidden: spec.iptables may only be set when spec.mode is iptables; remove spec.iptables or change spec.mode',
    );
  });

  test('a fresh object is not taken for current: its status has observed no generation', async () => {
    for (const { plural } of kinds) {
      expect(await client.get(`/apis/proxyconfig.dev/v1alpha1/${plural}/example`)).toMatchObject({
        metadata: { generation: 1 },
        status: { observedGeneration: -1 },
      });
    }
  });

  test('the defaults are the documented ones', async () => {
    expect(await client.get('/apis/proxyconfig.dev/v1alpha1/proxyconfigs/example')).toMatchObject({
      spec: documentedDefaults,
    });
  });

  const documentedDefaults = {
    mode: 'iptables',
    priority: 0,
    paused: false,
    masquerade: { bit: 14, all: false },
    sessionAffinity: { timeoutPolicy: 'Service' },
    sync: { periodSeconds: 30, minPeriodSeconds: 0 },
    conntrack: {
      maxPerCore: 32_768,
      min: 131_072,
      tcpEstablishedTimeoutSeconds: 86_400,
      tcpCloseWaitTimeoutSeconds: 3600,
      tcpBeLiberal: false,
    },
    migration: { strategy: 'PreserveConnections', drainTimeoutSeconds: 600 },
    drift: { policy: 'Enforce', checkPeriodSeconds: 60 },
    rollout: {
      maxUnavailable: '10%',
      minReadySeconds: 30,
      progressDeadlineSeconds: 600,
      onFailure: 'Rollback',
      maxFailures: 1,
      probe: { enabled: true, periodSeconds: 10, failureThreshold: 3 },
    },
    revisionHistoryLimit: 10,
  };

  test('offline defaulting gives what the API server stores', async () => {
    for (const { base, plural, schema } of kinds) {
      const stored = await client.get<{ spec: unknown; status: unknown }>(
        `/apis/proxyconfig.dev/v1alpha1/${plural}/example`,
      );
      expect(withDefaults(base, schema)).toMatchObject({ spec: stored.spec, status: stored.status });
    }
  });

  test.each([
    'pxc',
    'pxc.spec.masquerade.bit',
    'proxyconfigs.spec.nodeSelector.matchExpressions.operator',
    'nodeproxies.status.dataplane.quarantined.reason',
  ])('kubectl explain %s teaches', async (path) => {
    const { stdout, exitCode } = await server.kubectl(['explain', path]);
    expect(exitCode).toBe(0);
    expect(stdout.split('DESCRIPTION:')[1]).toMatch(/\w+ \w+ \w+/);
    expect(stdout).not.toContain('<empty>');
  });

  test('a ProxyConfig can be applied again without a difference, client-side and server-side', async () => {
    for (const how of [[], ['--server-side']]) {
      expect(await applied(kinds[0]?.base ?? {}, how)).toMatchObject({ exitCode: 0 });
      expect(
        await server.kubectl(['diff', ...how, '-f', '-'], { input: JSON.stringify(kinds[0]?.base) }),
      ).toMatchObject({ exitCode: 0 });
    }
  });

  test('both kinds answer to the category and ProxyConfig to its short name', async () => {
    expect((await server.kubectl(['get', 'proxyconfig-all', '-o', 'name'])).stdout.split('\n').sort()).toEqual([
      'nodeproxy.proxyconfig.dev/example',
      'proxyconfig.proxyconfig.dev/example',
    ]);
    expect((await server.kubectl(['get', 'pxc', '--field-selector=spec.mode=ipvs', '-o', 'name'])).stdout).toBe('');
  });

  function applied(object: object, how: readonly string[] = []): ReturnType<ApiServer['kubectl']> {
    return server.kubectl(['apply', ...how, '-f', '-'], { input: JSON.stringify(object) });
  }
});
