/**
 * The real kube-proxy on the scenarios' node, with objects from an ObjectServer that only the node's namespace can
 * reach.
 */
import type { ChildProcess } from 'node:child_process';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ipFamilies } from '../../src/model/ipFamily.ts';
import { waitFor } from '../support/waitFor.ts';
import type { Network } from '../support/network.ts';
import { nodeName, podNetwork } from '../support/network.ts';
import type { ServiceManifest } from '../support/serviceManifests.ts';
import { clusterIP, nodeObject, serviceObject, sliceObjects } from '../support/serviceManifests.ts';
import type { KubeObject } from './objectServer.ts';
import { ObjectServer } from './objectServer.ts';
import type { Proxy } from './proxy.ts';
import type { Round } from './rounds.ts';

const serverAddress = '169.254.77.1';
const nodeAddress = '169.254.77.2';
const serverPort = 8001;
const syncTimeoutMs = 120_000;
const firstMarker = 220;

export class KubeProxy implements Proxy {
  readonly #file: string;
  readonly #network: Network;
  readonly #server = new ObjectServer();
  #process: ChildProcess | undefined;
  #rounds = 0;

  private constructor(file: string, network: Network) {
    this.#file = file;
    this.#network = network;
  }

  static async start(file: string, network: Network): Promise<KubeProxy> {
    const cable = `ip link add api type veth peer name api netns ${network.nodePid}
      ip addr add ${serverAddress}/30 dev api; ip link set api up
      nsenter -t ${network.nodePid} -n sh -ec 'ip addr add ${nodeAddress}/30 dev api; ip link set api up'`;
    await promisify(execFile)('sh', ['-ec', cable]);
    const proxy = new KubeProxy(file, network);
    await proxy.#server.start(serverAddress, serverPort);
    await writeFile(kubeconfigFile(), kubeconfig);
    return proxy;
  }

  async serve({ objects }: Round): Promise<void> {
    const [before, marker] = [markerOf(this.#rounds), markerOf(this.#rounds + 1)];
    this.#rounds += 1;
    const offer = (manifests: readonly ServiceManifest[]): void =>
      this.#server.replace([
        nodeObject,
        ...manifests.flatMap(sliceObjects),
        ...manifests.map(serviceObject).map(withDefaults),
      ] as KubeObject[]);
    // Whoever serves the marker, which comes last in each watch, has heard of everything. A run of kube-proxy ends with
    // taking away what is no Service any more: the run in which the marker of before goes began after that, and has
    // done all the rest.
    offer([...objects, before, marker]);
    this.#run();
    await this.#until((servers) => endpointLines(marker).every((line) => servers.includes(line)));
    offer([...objects, marker]);
    await this.#until((servers) => endpointLines(before).every((line) => !servers.includes(line)));
  }

  async end(): Promise<void> {
    this.#server.stop();
    if (this.#process === undefined || this.#process.exitCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await ended;
  }

  #run(): void {
    if (this.#process !== undefined) return;
    // Its output goes to the console, whose end is shown when something fails.
    const command = [this.#file, '--proxy-mode=ipvs', `--kubeconfig=${kubeconfigFile()}`, ...flags];
    this.#process = spawn('nsenter', ['-t', String(this.#network.nodePid), '-n', ...command], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  }

  async #until(isReached: (servers: string) => boolean): Promise<void> {
    const look = async (): Promise<boolean> =>
      isReached(await this.#network.runOnNode({ file: '/usr/sbin/ipvsadm', args: ['-S', '-n'], timeoutMs: 120_000 }));
    await waitFor('kube-proxy syncs', look, {
      timeoutMs: syncTimeoutMs,
      everyMs: 500,
      isHopeless: () => this.#process?.exitCode !== null,
    });
  }
}

function markerOf(round: number): ServiceManifest {
  return { name: `marker-${round}`, clusterIP: clusterIP(firstMarker + round), pods: ['podA'] };
}

/** As in `ipvsadm -S -n`. */
function endpointLines({ clusterIP: ip }: ServiceManifest): readonly string[] {
  return [`-a -u ${ip.ipv4}:80 -r `, `-a -u [${ip.ipv6}]:80 -r `];
}

const flags = [
  `--hostname-override=${nodeName}`,
  `--cluster-cidr=${ipFamilies.map((family) => podNetwork[family]).join(',')}`,
  '--conntrack-max-per-core=0',
];

/** What the API server would have added, and kube-proxy relies on. */
function withDefaults(object: ReturnType<typeof serviceObject>): object {
  const spec = object['spec'] as { readonly ports: readonly object[] };
  const policies = {
    internalTrafficPolicy: 'Cluster',
    externalTrafficPolicy: 'Cluster',
    sessionAffinityConfig: { clientIP: { timeoutSeconds: 10_800 } },
  };
  const ports = spec.ports.map((port) => Object.assign({ protocol: 'TCP' }, port));
  return { ...object, spec: { ...policies, ipFamilies: ['IPv4', 'IPv6'], ...spec, ports } };
}

function kubeconfigFile(): string {
  return join(tmpdir(), 'kubeconfig');
}

const kubeconfig = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'node', cluster: { server: `http://${serverAddress}:${serverPort}` } }],
  contexts: [{ name: 'node', context: { cluster: 'node', user: '' } }],
  'current-context': 'node',
});
