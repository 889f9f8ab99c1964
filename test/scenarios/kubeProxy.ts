/**
 * The real kube-proxy in iptables mode on the table's node. Its objects come from a real API server, which stands in
 * the node's own network namespace and therefore on nobody else's way.
 *
 * A change costs kube-proxy about a second, so a round's objects come all at once; those of earlier rounds stay, for no
 * two rounds have anything in common but Services that the later one changes.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeConfig } from '../../src/api/nodeConfig.ts';
import { ipFamilies } from '../../src/model/ipFamily.ts';
import type { ApiServer } from '../cluster/apiServer.ts';
import { startApiServer } from '../cluster/apiServer.ts';
import { ensureBinaries } from '../cluster/binaries.ts';
import type { Daemon } from '../cluster/daemon.ts';
import { startDaemon } from '../cluster/daemon.ts';
import { waitFor } from '../support/waitFor.ts';
import type { Proxy } from '../uml/proxy.ts';
import type { Round } from '../uml/rounds.ts';
import type { Network } from '../support/network.ts';
import { nodeName, podNetwork } from '../support/network.ts';
import type { ServiceManifest } from '../support/serviceManifests.ts';
import { clusterIP, nodeObject, serviceObject, sliceObjects } from '../support/serviceManifests.ts';

type Json = Readonly<Record<string, unknown>>;

const syncTimeoutMs = 30_000;
const firstMarker = 400;

export class KubeProxy implements Proxy {
  readonly #network: Network;
  readonly #server: ApiServer;
  readonly #file: string;
  readonly #directory: string;
  readonly #known = new Set<string>();
  #process: Daemon | undefined;
  #flags = '';
  #markers = 0;

  private constructor(parts: { network: Network; server: ApiServer; file: string; directory: string }) {
    this.#network = parts.network;
    this.#server = parts.server;
    this.#file = parts.file;
    this.#directory = parts.directory;
  }

  static async start(network: Network): Promise<KubeProxy> {
    const [binaries, server, directory] = await Promise.all([
      ensureBinaries({ which: ['kube-proxy'] }),
      startApiServer({ netns: `/proc/${network.nodePid}/ns/net` }),
      mkdtemp(join(tmpdir(), 'kube-proxy-')),
    ]);
    const proxy = new KubeProxy({ network, server, file: binaries['kube-proxy'], directory });
    await waitFor(
      'the API server makes its own namespace',
      async () => (await server.kubectl(['get', 'namespace', 'default'])).exitCode === 0,
      { timeoutMs: syncTimeoutMs },
    );
    await proxy.#send(
      ['create', '--validate=false'],
      [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'work' } }, nodeObject],
    );
    await proxy.#send(['replace', '--subresource=status'], [nodeObject]);
    return proxy;
  }

  async serve({ objects, config }: Round): Promise<void> {
    this.#markers += 1;
    // Whoever serves the marker, which comes last in each watch, has heard of everything before it. It is made when this
    // round's kube-proxy runs: the one of the round before, with other flags, must not be the one that serves it.
    const marker: ServiceManifest = {
      name: `marker-${this.#markers}`,
      clusterIP: clusterIP(firstMarker + this.#markers),
      pods: ['podA'],
    };
    await this.#write(objects);
    await this.#run(flagsOf(config));
    await this.#write([marker]);
    await waitFor('kube-proxy serves the marker', () => this.#serves(marker), {
      timeoutMs: syncTimeoutMs,
      isHopeless: () => this.#process?.hasEnded() ?? true,
      explain: () => this.#process?.logTail() ?? '',
    });
  }

  async end(): Promise<void> {
    await this.#process?.kill();
    await this.#server.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #write(manifests: readonly ServiceManifest[]): Promise<void> {
    const objects = manifests.flatMap((manifest) => [...sliceObjects(manifest), asSent(manifest)]);
    await this.#send(
      ['replace'],
      objects.filter((object) => this.#known.has(keyOf(object))),
    );
    await this.#send(
      ['create', '--validate=false'],
      objects.filter((object) => !this.#known.has(keyOf(object))),
    );
    for (const object of objects) this.#known.add(keyOf(object));
    await this.#send(
      ['replace', '--subresource=status'],
      manifests.map(asSent).filter((object) => object['status'] !== undefined),
    );
  }

  async #send(command: readonly string[], items: readonly Json[]): Promise<void> {
    if (items.length === 0) return;
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
    const { exitCode, stderr } = await this.#server.kubectl([...command, '-f', '-'], { input });
    if (exitCode !== 0) throw new Error(`kubectl ${command.join(' ')}: ${stderr}`);
  }

  async #run(flags: readonly string[]): Promise<void> {
    if (this.#process !== undefined && this.#flags === flags.join(' ')) return;
    await this.#process?.kill();
    this.#flags = flags.join(' ');
    const command = [
      'nsenter',
      '-t',
      String(this.#network.nodePid),
      '-n',
      this.#file,
      `--kubeconfig=${this.#server.kubeconfig}`,
      ...commonFlags,
      ...flags,
    ];
    this.#process = await startDaemon({
      name: 'kube-proxy',
      command,
      log: join(this.#directory, 'kube-proxy.log'),
      diesWithParent: true,
    });
  }

  async #serves({ name }: ServiceManifest): Promise<boolean> {
    const read = (tool: string): Promise<string> =>
      this.#network.runOnNode({ file: `/usr/sbin/${tool}`, args: ['-t', 'nat'], timeoutMs: 10_000 });
    const tables = await Promise.all(['iptables-save', 'ip6tables-save'].map(read));
    return tables.every((table) => table.includes(`"default/${name}:udp cluster IP" -m udp`));
  }
}

function keyOf(object: Json): string {
  const { name, namespace } = object['metadata'] as { readonly name: string; readonly namespace: string };
  return `${String(object['kind'])} ${namespace}/${name}`;
}

/** With what the API server requires. */
function asSent(manifest: ServiceManifest): Json {
  const object = serviceObject(manifest);
  const spec = object['spec'] as Readonly<Record<string, unknown>>;
  const ports = spec['ports'] as readonly Json[];
  const families =
    spec['type'] === 'ExternalName' ? {} : { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv4', 'IPv6'] };
  const balanced =
    spec['type'] === 'LoadBalancer' ? { allocateLoadBalancerNodePorts: ports.some((port) => 'nodePort' in port) } : {};
  return { ...object, spec: { ...families, ...balanced, ...spec } };
}

const commonFlags = [
  '--proxy-mode=iptables',
  `--hostname-override=${nodeName}`,
  '--conntrack-max-per-core=0',
  '--iptables-min-sync-period=100ms',
  '--healthz-bind-address=127.0.0.1:10256',
  '--metrics-bind-address=127.0.0.1:10249',
];

const clusterCIDRs = ipFamilies.map((family) => podNetwork[family]);

function flagsOf({
  masquerade,
  nodePorts,
  localTraffic = { detect: 'ClusterCIDR', clusterCIDRs },
}: Partial<NodeConfig> = {}): readonly string[] {
  return [
    ...(masquerade === undefined
      ? []
      : [`--masquerade-all=${masquerade.all}`, `--iptables-masquerade-bit=${masquerade.bit}`]),
    ...(nodePorts?.addresses === undefined ? [] : [`--nodeport-addresses=${nodePorts.addresses.join(',')}`]),
    `--detect-local-mode=${localTraffic.detect}`,
    ...detectorFlags(localTraffic),
  ];
}

function detectorFlags({
  detect,
  clusterCIDRs: networks = [],
  interface: name,
}: NonNullable<NodeConfig['localTraffic']>): readonly string[] {
  if (detect === 'BridgeInterface') return [`--pod-bridge-interface=${name}`];
  if (detect === 'InterfaceNamePrefix') return [`--pod-interface-name-prefix=${name}`];
  return networks.length === 0 ? [] : [`--cluster-cidr=${networks.join(',')}`];
}
