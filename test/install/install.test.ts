/**
 * What `kubectl apply -k .` installs, on a real API server: that it is accepted, and that the accounts in it may do
 * their work and nothing else.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ServerClock } from '../../src/kube/serverClock.ts';
import { createOperatorMetrics } from '../../src/operator/operatorMetrics.ts';
import { ProxyConfigOperator } from '../../src/operator/operator.ts';
import { ClusterFixture } from '../operator/clusterFixture.ts';
import { describeWhere } from '../support/requirements.ts';
import { render } from './kustomizations.ts';
import { clientFor } from './account.ts';

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Record<string, string>;
  readonly spec?: { readonly template?: { readonly spec: PodSpec } };
}
interface Container {
  readonly name: string;
  readonly image: string;
  readonly envFrom: unknown;
  readonly securityContext: object;
  readonly resources: { readonly limits?: { readonly memory?: string } };
}
interface PodSpec {
  readonly [field: string]: unknown;
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
}

describeWhere(['cluster'], 'the installation', () => {
  let cluster: ClusterFixture;

  beforeAll(async () => {
    cluster = await ClusterFixture.start({ install: '.' });
  }, 120_000);
  afterAll(async () => {
    await cluster?.stop();
  });

  async function mayI(
    account: string,
    { verb, resource, subresource = '' }: { verb: string; resource: string; subresource?: string },
  ): Promise<string> {
    const { stdout } = await cluster.server.kubectl([
      'auth',
      'can-i',
      verb,
      resource,
      `--subresource=${subresource}`,
      `--as=system:serviceaccount:proxyconfig-system:${account}`,
    ]);
    return stdout;
  }

  test("renders without warnings, with one image and one place for the API server's address", async () => {
    const manifests = await render<Manifest>(cluster.server, '.');
    const pods = manifests.flatMap(({ spec }) => spec?.template?.spec ?? []);
    const addresses = manifests.filter(({ kind }) => kind === 'ConfigMap').map(({ metadata }) => metadata.name);
    expect(pods.map(({ containers }) => containers[0]?.image)).toEqual([
      'proxyconfig-operator:dev',
      'proxyconfig-operator:dev',
    ]);
    expect(pods.map(({ containers }) => containers[0]?.envFrom)).toEqual(
      addresses.flatMap((name) => [[{ configMapRef: { name } }], [{ configMapRef: { name } }]]),
    );
  });

  test("an overlay gives the API server's address to agents and operator", async () => {
    const address = (await render<Manifest>(cluster.server, 'config/samples/overlay')).find(
      ({ kind }) => kind === 'ConfigMap',
    );
    expect(address?.data).toEqual({ KUBERNETES_SERVICE_HOST: '10.0.0.10', KUBERNETES_SERVICE_PORT: '6443' });
  });

  test('is accepted, twice, and then differs in nothing', async () => {
    const again = await cluster.kubectl(['apply', '-k', '.']);
    expect((await cluster.server.kubectl(['diff', '-k', '.'])).stdout).toBe('');
    const changed = again.split('\n').filter((line) => line !== '' && !line.endsWith(' unchanged'));
    // kubectl always sends a budget's selector, which is to be replaced as a whole (patchStrategy), whatever it finds.
    expect(changed).toEqual(['poddisruptionbudget.policy/proxyconfig-operator configured']);
  });

  test('all samples are accepted', async () => {
    const accepted = await cluster.kubectl(['apply', '--dry-run=server', '-f', 'config/samples']);
    expect(accepted.trim().split('\n').length).toBeGreaterThanOrEqual(3);
  });

  test('agents run on every node, before anything else, with two capabilities', async () => {
    const agent = (await render<Manifest>(cluster.server, '.')).find(({ kind }) => kind === 'DaemonSet')?.spec?.template
      ?.spec;
    expect(agent).toMatchObject({
      hostNetwork: true,
      dnsPolicy: 'Default',
      priorityClassName: 'system-node-critical',
      tolerations: [{ operator: 'Exists' }],
    });
    expect(agent?.containers[0]?.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN', 'NET_RAW'] },
    });
  });

  test('drains take one operator at a time, and only its two ports can be reached', async () => {
    const manifests = await render<Manifest>(cluster.server, '.');
    const of = (kind: string): unknown => manifests.find((manifest) => manifest.kind === kind)?.spec;
    const [pods, budget, network] = ['Deployment', 'PodDisruptionBudget', 'NetworkPolicy'].map(of) as [
      { selector: { matchLabels: object }; template: { spec: { containers: [{ ports: { name: string }[] }] } } },
      object,
      object,
    ];
    expect(budget).toMatchObject({ maxUnavailable: 1, selector: pods.selector });
    expect(network).toMatchObject({
      podSelector: pods.selector,
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ ports: pods.template.spec.containers[0].ports.map(({ name }) => ({ port: name, protocol: 'TCP' })) }],
    });
  });

  test('every container but the agent has a memory limit', async () => {
    const pods = (await render<Manifest>(cluster.server, '.')).flatMap(({ spec }) => spec?.template?.spec ?? []);
    const containers = pods.flatMap(({ containers: main, initContainers = [] }) => main.concat(initContainers));
    const unlimited = containers.filter(({ resources }) => resources.limits?.memory === undefined);
    expect(unlimited.map(({ name }) => name)).toEqual(['agent']);
  });

  test('the operator does its work as its own account', async () => {
    const complaints: unknown[] = [];
    const complain = (message: string, fields?: object): void => void complaints.push({ message, ...fields });
    const logger = { error: complain, warn: complain, info: () => undefined, debug: () => undefined };
    const client = await clientFor(cluster, 'operator');
    const operator = new ProxyConfigOperator({
      client,
      logger,
      metrics: createOperatorMetrics(),
      instance: 'test',
      statusIntervalMs: 50,
      now: new ServerClock().start(),
    });
    await operator.start();
    try {
      await cluster.addNode('node-1');
      await cluster.addNode('node-2');
      await cluster.addConfig('a-first');
      await cluster.addConfig('b-second', { masquerade: { bit: 15, all: false } });
      for (const node of ['node-1', 'node-2']) {
        await cluster.governedBy(node, 'a-first');
        await cluster.agentApplies(node);
      }
      await cluster.changeConfig('a-first', { masquerade: { bit: 13 } });
      await cluster.masquerades('node-1', 13);
      await cluster.kubectl(['wait', '--for=condition=Conflicted', 'pxc/b-second', '--timeout=10s']);
      expect((await cluster.eventsAbout('b-second')).map(({ reason }) => reason)).toEqual(['Conflicted']);
    } finally {
      operator.stop();
      await operator.stopped();
      await client.close();
    }
    expect(complaints).toEqual([]);
  });

  test.each([
    { name: 'write a ProxyConfig', verb: 'patch', resource: 'proxyconfigs.proxyconfig.dev' },
    { name: 'delete a NodeProxy', verb: 'delete', resource: 'nodeproxies.proxyconfig.dev' },
    { name: 'speak for an agent', verb: 'patch', resource: 'nodeproxies.proxyconfig.dev', subresource: 'status' },
    { name: 'read secrets', verb: 'get', resource: 'secrets' },
    { name: 'change a node', verb: 'patch', resource: 'nodes' },
  ])('the operator may not $name', async (request) => {
    expect(await mayI('operator', request)).toBe('no');
  });

  test.each([
    { name: 'read secrets', verb: 'get', resource: 'secrets' },
    { name: "write a NodeProxy's spec", verb: 'patch', resource: 'nodeproxies.proxyconfig.dev' },
    { name: 'delete anything of ours', verb: 'delete', resource: 'nodeproxies.proxyconfig.dev' },
    { name: 'read ProxyConfigs', verb: 'get', resource: 'proxyconfigs.proxyconfig.dev' },
    { name: 'read pods', verb: 'list', resource: 'pods' },
  ])('an agent may not $name', async (request) => {
    expect(await mayI('agent', request)).toBe('no');
  });

  /** By kubectl, to what it says on standard error. */
  async function applyMode(
    mode: string,
    how: readonly string[] = [],
  ): Promise<{ exitCode: number; warnings: string[] }> {
    const manifest = {
      apiVersion: 'proxyconfig.dev/v1alpha1',
      kind: 'ProxyConfig',
      metadata: { name: 'old' },
      spec: { mode },
    };
    const input = JSON.stringify(manifest);
    const { exitCode, stderr } = await cluster.server.kubectl(['apply', ...how, '-f', '-'], { input });
    return { exitCode, warnings: stderr.split('\n').filter((line) => line.startsWith('Warning:')) };
  }

  describe('kubectl apply of a mode that leaves kube-proxy', () => {
    test.each([
      {
        mode: 'ipvs',
        says: /: mode ipvs goes on working, but the way back to kube-proxy .* from Kubernetes 1\.40 on, and removed in 1\.43 /,
      },
      { mode: 'userspace', says: /: mode userspace was removed from kube-proxy in Kubernetes 1\.26; / },
    ])('$mode is taken with a warning, client-side and server-side', async ({ mode, says }) => {
      for (const how of [['--dry-run=server'], ['--server-side', '--dry-run=server']])
        expect(await applyMode(mode, how)).toEqual({ exitCode: 0, warnings: [expect.stringMatching(says)] });
    });

    test.each(['iptables', 'nftables'])('%s without', async (mode) => {
      expect(await applyMode(mode, ['--dry-run=server'])).toEqual({ exitCode: 0, warnings: [] });
    });
  });
});
