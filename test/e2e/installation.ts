/**
 * @module The life of an installation on a cluster that kube-proxy serves, under traffic all the time: over to agents
 * by a label, an upgrade and back, kube-proxy once more, uninstalled. Not one connection fails, and one is open
 * throughout, until the node is cleaned up. Then once more, where no kube-proxy is.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { hostInUrl, networkFamilies } from '../cluster/addresses.ts';
import { type Cluster, up } from '../cluster/cluster.ts';
import { productImage } from '../cluster/images.ts';
import { waitFor } from '../support/waitFor.ts';
import { describeUnless } from '../support/requirements.ts';
import { Administrator, buildNewerImage, newerImage, newerVersion } from './lifeOfAnInstallation.ts';
import { foreignRules } from './foreignRules.ts';
import type { Ground } from './ground.ts';
import { startTraffic, type Traffic } from './traffic.ts';
import { answers, familiesOf, places, podsBehind, ways } from './ways.ts';

const { version: presentVersion } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
const stepMs = 120_000;
/** Nodes move by label, and everything is measured. */
const components = ['replace-kube-proxy', 'prometheus'];
/** A client whose first packet was dropped sends it again after a second. */
const secondSynMs = 1000;

/** In such a cluster; `primary` is the family of the Services in it. */
export function describeInstallation({ family, kubernetes, reason }: Ground): void {
  const primary = networkFamilies[family][0];
  describeUnless(reason, `the life of an installation, family ${family}, Kubernetes ${kubernetes}`, () => {
    let cluster: Cluster;
    let admin: Administrator;
    let traffic: Traffic;
    let before = '';
    const url = (): string => `http://${hostInUrl(admin.node.address)}:30080/`;

    beforeAll(async () => {
      const present = await productImage();
      cluster = await up({
        nodes: 1,
        family,
        kubernetes,
        name: `install-${process.pid}`,
        images: [present, await buildNewerImage(present)],
      });
      admin = new Administrator(cluster);
      await admin.restore(primary, foreignRules[primary]);
      before = await admin.rules();
      await Promise.all([
        admin.installKubeProxy(),
        admin.apply('test/e2e/manifests/web.yaml'),
        admin.apply('test/demo/manifests/client.yaml'),
      ]);
      await admin.rolledOut('default', 'deployment/web');
      await waitFor('kube-proxy serves it', async () => (await podsBehind(cluster, url())).size === 1, {
        timeoutMs: 30_000,
      });
      traffic = startTraffic(cluster, url());
      await nothingIsLost();
    }, 300_000);
    afterAll(async () => {
      await traffic?.stop();
      await cluster?.down();
    }, stepMs);

    /** Since the beginning not one connection failed, had to knock twice, or was cut. */
    async function nothingIsLost(): Promise<void> {
      const counts = await traffic.furtherCounts(50);
      console.log(`${counts.answered} answers, the slowest handshake took ${counts.slowestHandshakeMs} ms`);
      expect(counts).toMatchObject({ failed: 0, lastFailure: '', keptConnections: 1 });
      expect(counts.slowestHandshakeMs).toBeLessThan(secondSynMs);
    }

    test(
      'installed beside kube-proxy, no agent runs yet',
      async () => {
        await admin.apply('test/install/manifests/monitoring.yaml');
        await admin.install(components);
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

    test.each(places)("%s has addresses of the cluster's families alone", async (place) => {
      expect(await familiesOf(cluster, place)).toEqual(networkFamilies[family]);
    });

    test.each(ways)('$from reaches $to', (way) => answers(cluster, way), stepMs);

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
        expect(seen.replaceAll('\t', ' ').split('\n')).toEqual([
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
        await admin.kubectl(
          'wait',
          '--for=jsonpath={.status.rollout.state}=RolledBack',
          'pxc/careful',
          '--timeout=60s',
        );
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
          ...podIPs.split(' ').map((address) => `http://${hostInUrl(address)}:8080/metrics`),
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
        await waitFor(`${replicas} Pods answer`, async () => (await podsBehind(cluster, url())).size === replicas, {
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
        await admin.withOverlay(components, (directory) => admin.kubectl('delete', '-k', directory, '--timeout=90s'));
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
        expect(said).toMatch(new RegExp(`^removed ${primary} .*chain KUBE-SVC-\\w+ of table nat$`, 'm'));
        expect(said).toMatch(/^\d+ objects removed$/m);
        expect(await admin.rules()).toBe(before);
        await waitFor('connections fail where nothing serves them', async () => (await traffic.counts()).failed > 0, {
          timeoutMs: 20_000,
        });
        expect(await admin.onNode('proxyconfig', 'cleanup')).toContain('nothing of ours was found');
      },
      stepMs,
    );

    test(
      'installed where no proxy is, the operator and the agent come up, and everything answers',
      async () => {
        await admin.kubectl('-n', 'kube-system', 'delete', 'daemonset', 'kube-proxy');
        await admin.install([]);
        await admin.rolledOut('proxyconfig-system', 'daemonset/proxyconfig-agent');
        await admin.kubectl('wait', '--for=condition=Ready', 'pxc/default', '--timeout=60s');
        await Promise.all(ways.map((way) => answers(cluster, way)));
      },
      stepMs,
    );
  });
}
