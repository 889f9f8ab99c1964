/**
 * @module What the test of an installation's life needs besides the cluster: kube-proxy as kubeadm installs it, a newer
 * image, and words for what an administrator does.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import { ensureBinaries } from '../cluster/binaries.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { buildImage } from '../cluster/images.ts';
import { waitFor } from '../support/waitFor.ts';

const repository = resolve(import.meta.dirname, '../..');
const component = (name: string): string => join(repository, 'config/components', name);

export const newerVersion = '99.0.0';
export const newerImage = 'proxyconfig-operator:newer';

/** The product as of another release: the image with another version in it. */
export async function buildNewerImage(archiveOfPresent: string): Promise<string> {
  const context = await mkdtemp(join(tmpdir(), 'proxyconfig-newer-'));
  const dockerfile = [
    'FROM docker.io/library/proxyconfig-operator:dev',
    `RUN sed -i 's/\\(proxyconfig-operator",version:"\\)[^"]*/\\1${newerVersion}/' /opt/proxyconfig/proxyconfig.js`,
    `LABEL made-from=${basename(archiveOfPresent)}`,
  ].join('\n');
  try {
    await writeFile(join(context, 'Dockerfile'), dockerfile);
    return await buildImage({
      tag: `docker.io/library/${newerImage}`,
      context,
      dockerfile: join(context, 'Dockerfile'),
    });
  } finally {
    await rm(context, { recursive: true, force: true });
  }
}

interface KubeProxyPod {
  readonly containers: readonly { readonly env: { name: string; value?: string }[] }[];
  readonly volumes: readonly { readonly name: string; readonly hostPath: { path: string } }[];
}
type Manifest = { kind: 'DaemonSet'; spec: { template: { spec: KubeProxyPod } } } | { kind: 'other' };

/** kube-proxy's objects, with the folder of the program and the API server's address of this machine in them. */
async function kubeProxyManifest({ apiServer: { host, port }, kubernetes }: Cluster): Promise<string> {
  const { 'kube-proxy': program } = await ensureBinaries({ which: ['kube-proxy'], kubernetes });
  const template = await readFile(join(repository, 'test/install/manifests/kube-proxy.yaml'), 'utf8');
  const objects = parseAllDocuments(template).map((document) => document.toJS() as Manifest);
  const values: Readonly<Record<string, string>> = {
    KUBERNETES_SERVICE_HOST: host,
    KUBERNETES_SERVICE_PORT: String(port),
  };
  for (const object of objects) {
    if (object.kind !== 'DaemonSet') continue;
    const { containers, volumes } = object.spec.template.spec;
    for (const variable of containers.flatMap(({ env }) => env))
      if (values[variable.name] !== undefined) variable.value = values[variable.name];
    for (const { name, hostPath } of volumes) if (name === 'programs') hostPath.path = dirname(program);
  }
  return objects.map((object) => stringify(object)).join('---\n');
}

/** An administrator's words for a cluster with one node. */
export class Administrator {
  readonly #cluster: Cluster;
  readonly node: Cluster['nodes'][number];

  constructor(cluster: Cluster) {
    const [node] = cluster.nodes;
    if (!node) throw new Error('the cluster has no node');
    this.#cluster = cluster;
    this.node = node;
  }

  /** Throws when kubectl fails. */
  async kubectl(...argv: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.#cluster.kubectl(argv);
    if (exitCode !== 0) throw new Error(`kubectl ${argv.join(' ')}: ${stderr}`);
    return stdout;
  }

  async apply(manifest: string): Promise<void> {
    await this.kubectl('apply', '-f', join(repository, manifest));
  }

  rolledOut(namespace: string, workload: string): Promise<string> {
    return this.kubectl('-n', namespace, 'rollout', 'status', workload, '--timeout=60s');
  }

  async installKubeProxy(): Promise<void> {
    const manifest = await kubeProxyManifest(this.#cluster);
    const { exitCode, stderr } = await this.#cluster.kubectl(['apply', '-f', '-'], { input: manifest });
    if (exitCode !== 0) throw new Error(stderr);
    await this.rolledOut('kube-system', 'daemonset/kube-proxy');
  }

  async patchKubeProxy(): Promise<void> {
    await this.kubectl(
      '-n',
      'kube-system',
      'patch',
      'daemonset',
      'kube-proxy',
      '--patch-file',
      join(component('replace-kube-proxy'), 'kube-proxy-patch.yaml'),
    );
    await this.rolledOut('kube-system', 'daemonset/kube-proxy');
  }

  /** Which Pods program the node, by the name of their DaemonSet. */
  async proxies(): Promise<string[]> {
    const pods = await this.kubectl(
      'get',
      'pods',
      '-A',
      '-o',
      'jsonpath={range .items[*]}{.metadata.ownerReferences[0].name}{"\\n"}{end}',
    );
    return pods.split('\n').filter((owner) => owner === 'kube-proxy' || owner === 'proxyconfig-agent');
  }

  /** Hands the node over to an agent, or back to kube-proxy, as the component's page says. */
  async handTo(proxy: 'proxyconfig-agent' | 'kube-proxy'): Promise<void> {
    const label = (text: string): Promise<string> =>
      this.kubectl('label', 'node', this.node.name, '--overwrite', `proxyconfig.dev/proxy${text}`);
    if (proxy === 'kube-proxy') {
      await label('=none');
      await this.#isProgrammedBy('');
      await this.onNode('proxyconfig', 'cleanup', '--handover');
      await label('-');
    } else await label('=agent');
    await this.#isProgrammedBy(proxy);
    await this.rolledOut(proxy === 'kube-proxy' ? 'kube-system' : 'proxyconfig-system', `daemonset/${proxy}`);
  }

  async #isProgrammedBy(proxy: string): Promise<void> {
    const all = async (): Promise<string> => (await this.proxies()).join();
    await waitFor(`${proxy || 'nobody'} alone programs the node`, async () => (await all()) === proxy, {
      timeoutMs: 60_000,
      explain: all,
    });
  }

  /** Installs the product with these components and a ProxyConfig for every node; waits for the operator alone. */
  async install(components: readonly string[]): Promise<void> {
    await this.withOverlay(components, (directory) => this.kubectl('apply', '-k', directory));
    await this.apply('test/demo/manifests/proxyconfig.yaml');
    await this.rolledOut('proxyconfig-system', 'deployment/proxyconfig-operator');
  }

  /** With the directory of an overlay that has this cluster's address and these components. */
  async withOverlay<T>(components: readonly string[], use: (directory: string) => Promise<T>): Promise<T> {
    const directory = await mkdtemp(join(tmpdir(), 'proxyconfig-overlay-'));
    const { host, port } = this.#cluster.apiServer;
    const literals = [`KUBERNETES_SERVICE_HOST=${host}`, `KUBERNETES_SERVICE_PORT=${port}`];
    const overlay = {
      apiVersion: 'kustomize.config.k8s.io/v1beta1',
      kind: 'Kustomization',
      resources: [relative(directory, repository)],
      components: components.map((name) => relative(directory, component(name))),
      configMapGenerator: [
        { name: 'proxyconfig-api-server', namespace: 'proxyconfig-system', behavior: 'merge', literals },
      ],
    };
    try {
      await writeFile(join(directory, 'kustomization.yaml'), stringify(overlay));
      return await use(directory);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  /** The version of the agent that reports for the node, once it is this one and the node is Ready. */
  async agentIs(version: string | undefined): Promise<void> {
    const says = async (): Promise<string> =>
      this.kubectl('get', 'nodeproxy', this.node.name, '-o', 'jsonpath={.status.agentVersion} {.status.state}');
    await waitFor(`an agent ${version} reports`, async () => (await says()) === `${version} Ready`, {
      timeoutMs: 30_000,
      explain: says,
    });
  }

  /** A program of the image on the node itself, as one who has no agent there any more would run it. */
  async onNode(...command: readonly string[]): Promise<string> {
    const made = await this.kubectl(
      'debug',
      `node/${this.node.name}`,
      '--profile=sysadmin',
      '--image=proxyconfig-operator:dev',
      '--',
      ...command,
    );
    const pod = /node-debugger-\S+/.exec(made)?.[0].replace(/\.$/, '') ?? '';
    await this.kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', `pod/${pod}`, '--timeout=60s');
    const output = await this.kubectl('logs', pod);
    await this.kubectl('delete', 'pod', pod, '--now');
    return output;
  }

  /** Adds rules, in save format, to those of the node. */
  async restore(family: IPFamily, rules: string): Promise<void> {
    const program = family === 'ipv6' ? 'ip6tables-restore' : 'iptables-restore';
    const { exitCode, stderr } = await this.node.exec([program, '--noflush'], { input: rules });
    if (exitCode !== 0) throw new Error(stderr);
  }

  /** Every rule and chain of the node, without what counts packets. */
  async rules(): Promise<string> {
    const [ipv4, ipv6] = await Promise.all(
      ['iptables-save', 'ip6tables-save'].map((program) => this.node.exec([program])),
    );
    // The real kube-proxy makes an empty KUBE-FIREWALL in IPv6, which the kubelet has in IPv4 only: the kubelet's name,
    // so not ours to remove.
    const lines = ipv6?.stdout.split('\n').filter((line) => !line.includes('KUBE-FIREWALL')) ?? [];
    return withoutEmptyTables(ipv4?.stdout ?? '') + withoutEmptyTables(lines.join('\n'));
  }
}

/** Tables that hold nothing stay once they were used. */
function withoutEmptyTables(saved: string): string {
  const lines = saved
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.replace(/ \[\d+:\d+\]$/, ''));
  const tables = lines.join('\n').split(/^COMMIT$/m);
  return tables.filter((table) => /^-A/m.test(table) || /^:\S+ -$/m.test(table)).join('COMMIT');
}
