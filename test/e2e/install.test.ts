/**
 * The life of an installation on a cluster that kube-proxy serves, under traffic all the time: over to agents by a
 * label, an upgrade and back, kube-proxy once more, uninstalled. Not one connection fails, and one is open throughout,
 * until the node is cleaned up.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { hostInUrl } from '../cluster/addresses.ts';
import { type Cluster, up } from '../cluster/cluster.ts';
import { productImage } from '../cluster/images.ts';
import { waitFor } from '../support/waitFor.ts';
import { describeWhere } from '../support/requirements.ts';
import { Administrator, buildNewerImage, newerImage, newerVersion } from './lifeOfAnInstallation.ts';
import { startTraffic, type Counts, type Traffic } from './traffic.ts';

const { version: presentVersion } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
const stepMs = 120_000;
/** A client whose first packet was dropped sends it again after a second. */
const secondSynMs = 1000;
const foreign = `*nat
:OTHERS - [0:0]
-A POSTROUTING -j OTHERS
-A OTHERS -s 198.51.100.0/24 -m comment --comment "of another" -j MASQUERADE
COMMIT
*filter
-A FORWARD -s 203.0.113.7/32 -m comment --comment "KUBE-SVC-LOOKS-LIKE-OURS" -j DROP
COMMIT
`;

describeWhere(['root', 'cluster'], 'the life of an installation', () => {
  let cluster: Cluster;
  let admin: Administrator;
  let traffic: Traffic;
  let before = '';
  let answeredSoFar = 0;

  beforeAll(async () => {
    const present = await productImage();
    cluster = await up({ nodes: 1, name: `install-${process.pid}`, images: [present, await buildNewerImage(present)] });
    admin = new Administrator(cluster);
    const { exitCode, stderr } = await admin.node.exec(['iptables-restore', '--noflush'], { input: foreign });
    if (exitCode !== 0) throw new Error(stderr);
    before = await admin.rules();
    await Promise.all([admin.installKubeProxy(), admin.apply('test/e2e/manifests/web.yaml')]);
    await admin.rolledOut('default', 'deployment/web');
    await waitFor('kube-proxy serves it', async () => (await whoAnswers()).size === 1, { timeoutMs: 30_000 });
    traffic = startTraffic(cluster, `http://${hostInUrl(admin.node.address)}:30080/`);
    await nothingIsLost();
  }, 300_000);
  afterAll(async () => {
    await traffic?.stop();
    await cluster?.down();
  }, stepMs);

  /**
   * Connections were made since it was last asked, and since the beginning not one failed, had to knock twice, or was
   * cut.
   */
  async function nothingIsLost(): Promise<void> {
    let counts: Counts;
    do {
      await pause(100);
      counts = await traffic.counts();
    } while (counts.answered < answeredSoFar + 50 && counts.failed === 0);
    console.log(`${counts.answered} answers, the slowest handshake took ${counts.slowestHandshakeMs} ms`);
    expect(counts).toMatchObject({ failed: 0, lastFailure: '', keptConnections: 1 });
    expect(counts.slowestHandshakeMs).toBeLessThan(secondSynMs);
    answeredSoFar = counts.answered;
  }

  /** The names of the Pods that forty connections reach. */
  async function whoAnswers(): Promise<Set<string>> {
    const { stdout } = await cluster.outside.exec([
      'curl',
      '--silent',
      '--header',
      'Connection: close',
      `http://${hostInUrl(admin.node.address)}:30080/?[1-40]`,
    ]);
    return new Set(stdout.split('\n').filter((line) => line !== ''));
  }

  test(
    'installed beside kube-proxy, no agent runs yet',
    async () => {
      await admin.apply('test/install/manifests/monitoring.yaml');
      await admin.withOverlay((directory) => admin.kubectl('apply', '-k', directory));
      await admin.apply('test/demo/manifests/proxyconfig.yaml');
      await admin.rolledOut('proxyconfig-system', 'deployment/proxyconfig-operator');
      await admin.patchKubeProxy();
      expect(await admin.proxies()).toEqual(['kube-proxy']);
      await nothingIsLost();
    },
    stepMs,
  );

  test(
    'labelled, the node goes over to an agent',
    async () => {
      await admin.handTo('proxyconfig-agent');
      await admin.agentIs(presentVersion);
      await nothingIsLost();
    },
    stepMs,
  );

  test.each([
    { workload: 'deployment/proxyconfig-operator', user: '65532', capabilities: '0000000000000000' },
    // NET_ADMIN is bit 12, NET_RAW bit 13.
    { workload: 'daemonset/proxyconfig-agent', user: '0', capabilities: '0000000000003000' },
  ])(
    '$workload runs with no more than it needs, and has no place to write',
    async ({ workload, user, capabilities }) => {
      const look = 'id -u; grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/1/status; touch /here 2>&1 || true';
      const seen = await admin.kubectl('-n', 'proxyconfig-system', 'exec', workload, '--', 'sh', '-c', look);
      const readOnly = expect.stringContaining('Read-only file system') as unknown;
      expect(seen.split('\n').map(trimmed)).toEqual([
        user,
        `CapEff: ${capabilities}`,
        'NoNewPrivs: 1',
        'Seccomp: 2',
        readOnly,
      ]);
    },
    stepMs,
  );

  test.each([
    { role: 'view', verb: 'list', resource: 'nodeproxies', answer: 'yes' },
    { role: 'view', verb: 'get', resource: 'proxyconfigs', answer: 'yes' },
    { role: 'view', verb: 'create', resource: 'proxyconfigs', answer: 'no' },
    { role: 'edit', verb: 'patch', resource: 'proxyconfigs', answer: 'yes' },
    { role: 'edit', verb: 'patch', resource: 'proxyconfigs/status', answer: 'no' },
    { role: 'edit', verb: 'patch', resource: 'nodeproxies', answer: 'no' },
    { role: 'admin', verb: 'delete', resource: 'proxyconfigs', answer: 'yes' },
  ])(
    'who has the cluster role $role may $verb $resource: $answer',
    async ({ role, verb, resource, answer }) => {
      const [kind = '', subresource = ''] = resource.split('/');
      const mayI = async (...request: readonly string[]): Promise<string> =>
        (await cluster.kubectl(['auth', 'can-i', ...request, `--as=${role}`])).stdout;
      await cluster.kubectl([
        'create',
        'clusterrolebinding',
        `everybody-who-is-${role}`,
        `--clusterrole=${role}`,
        `--user=${role}`,
      ]);
      await waitFor(`${role} is bound`, async () => (await mayI('list', 'pods')) === 'yes', { timeoutMs: 10_000 });
      expect(await mayI(verb, `${kind}.proxyconfig.dev`, `--subresource=${subresource}`)).toBe(answer);
    },
    stepMs,
  );

  test(
    'a change that the canary node cannot run goes back by itself, and the status says why',
    async () => {
      await admin.kubectl('label', 'node', admin.node.name, 'rollout=careful');
      await admin.apply('config/samples/proxyconfig-canary.yaml');
      // There is one node: nothing to pause for.
      await admin.kubectl(
        'patch',
        'pxc',
        'careful',
        '--type=merge',
        '--patch={"spec":{"rollout":{"steps":null,"minReadySeconds":0}}}',
      );
      await admin.kubectl('wait', '--for=condition=Ready', 'pxc/careful', '--timeout=60s');
      await admin.apply('config/samples/proxyconfig-canary-fails.yaml');
      await admin.kubectl('wait', '--for=jsonpath={.status.rollout.state}=RolledBack', 'pxc/careful', '--timeout=60s');
      expect(
        await admin.kubectl(
          'get',
          'pxc',
          'careful',
          '-o',
          'jsonpath={.status.conditions[?(@.type=="Stalled")].message}',
        ),
      ).toMatch(/nodes went back; .*node1: .*ip_vs/);
      expect(await admin.kubectl('get', 'pxc', 'careful')).toMatch(/ False +RolledBack +KernelModuleMissing /);
      await admin.agentIs(presentVersion);
      await admin.kubectl('delete', 'pxc', 'careful');
      await nothingIsLost();
    },
    stepMs,
  );

  test(
    'operator and agents can be measured from outside of their Pods',
    async () => {
      const podIPs = await admin.kubectl(
        '-n',
        'proxyconfig-system',
        'get',
        'pods',
        '-l',
        'app.kubernetes.io/component=operator',
        '-o',
        'jsonpath={.items[*].status.podIP}',
      );
      const agent = await cluster.outside.exec([
        'curl',
        '--silent',
        `http://${hostInUrl(admin.node.address)}:10249/metrics`,
      ]);
      const operators = await admin.node.exec([
        'curl',
        '--silent',
        '--show-error',
        ...podIPs.split(' ').map((address) => `http://${address}:8080/metrics`),
      ]);
      expect(agent.stdout).toMatch(/^proxyconfig_config_info\{mode="iptables",.*source="NodeProxy"\} 1$/m);
      expect(operators.stdout).toMatch(/^proxyconfig_condition\{proxyconfig="default",type="Ready"\} [01]$/m);
    },
    stepMs,
  );

  test.each([
    {
      name: 'an upgrade of the agents',
      change: ['set', 'image', 'daemonset/proxyconfig-agent', `agent=${newerImage}`],
      version: newerVersion,
      replicas: 2,
    },
    {
      name: 'the downgrade',
      change: ['rollout', 'undo', 'daemonset/proxyconfig-agent'],
      version: presentVersion,
      replicas: 3,
    },
  ])(
    '$name loses nothing, and an endpoint that comes meanwhile is served afterwards',
    async ({ change, version, replicas }) => {
      await admin.kubectl('-n', 'proxyconfig-system', ...change);
      await admin.kubectl('scale', 'deployment/web', `--replicas=${replicas}`);
      await admin.rolledOut('proxyconfig-system', 'daemonset/proxyconfig-agent');
      await admin.agentIs(version);
      await admin.rolledOut('default', 'deployment/web');
      await waitFor(`${replicas} Pods answer`, async () => (await whoAnswers()).size === replicas, {
        timeoutMs: 10_000,
      });
      await nothingIsLost();
    },
    stepMs,
  );

  test(
    'without the label the node goes back to kube-proxy, and with it over again',
    async () => {
      await admin.handTo('kube-proxy');
      await nothingIsLost();
      await admin.handTo('proxyconfig-agent');
      await nothingIsLost();
    },
    stepMs,
  );

  test(
    'kubectl delete -k ends, takes everything of ours from the API server, and leaves the node serving',
    async () => {
      await admin.withOverlay((directory) => admin.kubectl('delete', '-k', directory, '--timeout=90s'));
      const kinds =
        'namespaces,crds,clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings';
      expect(
        (await admin.kubectl('get', kinds, '-o', 'name')).split('\n').filter((name) => name.includes('proxyconfig')),
      ).toEqual([]);
      expect(await admin.proxies()).toEqual([]);
      await nothingIsLost();
    },
    stepMs,
  );

  test(
    'proxyconfig cleanup removes what is ours and nothing else, and says so',
    async () => {
      const said = await admin.onNode('proxyconfig', 'cleanup');
      expect(said).toMatch(/^removed ipv4 .*chain KUBE-SVC-\w+ of table nat$/m);
      expect(said).toMatch(/^\d+ objects removed$/m);
      expect(await admin.rules()).toBe(before);
      await waitFor('connections fail where nothing serves them', async () => (await traffic.counts()).failed > 0, {
        timeoutMs: 20_000,
      });
      expect(await admin.onNode('proxyconfig', 'cleanup')).toContain('nothing of ours was found');
    },
    stepMs,
  );
});

function trimmed(line: string): string {
  return line.replace(/\s+/g, ' ').trim();
}
