/**
 * A bare API server: etcd and kube-apiserver, without controllers and nodes. Up in a few seconds, for what only the
 * API decides: schemas, admission, authorisation, tokens, watches.
 * @module
 */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { rmSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clusterNetwork, hostInUrl } from './addresses.ts';
import { ensureBinaries } from './binaries.ts';
import { apiServerArguments, etcdArguments } from './controlPlane.ts';
import type { ControlPlaneKeys } from './controlPlane.ts';
import { startDaemon } from './daemon.ts';
import type { Daemon } from './daemon.ts';
import { createKeys } from './keys.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { kubectlFor } from './kubectl.ts';
import type { Kubectl } from './kubectl.ts';
import { waitFor } from '../support/waitFor.ts';

export type { KubectlResult } from './kubectl.ts';

export interface ApiServerOptions {
  readonly progress?: ((line: string) => void) | undefined;
  /** Name or path of a network namespace to run in; this process' own by default. kubectl() then runs there too. */
  readonly netns?: string | undefined;
  /** The address to listen on; loopback by default. */
  readonly address?: string | undefined;
  /** Further arguments of kube-apiserver. */
  readonly apiServerArguments?: readonly string[] | undefined;
}

export interface ApiServer {
  /** Path of an administrator's kubeconfig. */
  readonly kubeconfig: string;
  readonly url: string;
  /** Does not throw when kubectl fails: look at `exitCode`. */
  readonly kubectl: Kubectl;
  /** Path of a kubeconfig for a user of that name. */
  kubeconfigFor(user: string, groups?: readonly string[]): Promise<string>;
  /** Kills kube-apiserver, which loses its connections but not its data. */
  stopServer(): Promise<void>;
  startServer(): Promise<void>;
  /** A stopped kube-apiserver keeps its connections and answers nobody. */
  signalServer(signal: 'SIGSTOP' | 'SIGCONT'): void;
  /** Ends everything and removes its files. */
  stop(): Promise<void>;
}

const directoryPrefix = 'proxyconfig-apiserver-';
const readyTimeoutMs = 60_000;
/** Without nodes, these are the Services' alone. */
const { serviceRanges, apiServerService } = clusterNetwork(1);

export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const binaries = await ensureBinaries({ progress: options.progress, which: ['etcd', 'kube-apiserver', 'kubectl'] });
  await removeLeftOvers();
  const directory = await mkdtemp(join(tmpdir(), `${directoryPrefix}${process.pid}-`));
  const removeAtExit = (): void => rmSync(directory, { recursive: true, force: true });
  process.once('exit', removeAtExit);
  const server = new BareApiServer({ directory, binaries, ...options });
  const stop = async (): Promise<void> => {
    await server.kill();
    await rm(directory, { recursive: true, force: true });
    process.off('exit', removeAtExit);
  };
  try {
    await server.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    kubeconfig: server.kubeconfig,
    url: server.url,
    kubectl: server.kubectl,
    kubeconfigFor: (user, groups) => server.kubeconfigFor(user, groups),
    stopServer: () => server.stopServer(),
    startServer: () => server.startServer(),
    signalServer: (signal) => server.signalServer(signal),
    stop,
  };
}

interface BareApiServerSettings extends ApiServerOptions {
  readonly directory: string;
  readonly binaries: Readonly<Record<'etcd' | 'kube-apiserver' | 'kubectl', string>>;
}

class BareApiServer {
  readonly kubeconfig: string;
  readonly kubectl: Kubectl;
  url = '';
  readonly #settings: BareApiServerSettings;
  readonly #address: string;
  readonly #inNamespace: readonly string[];
  #keys: ControlPlaneKeys | undefined;
  #etcd: Daemon | undefined;
  #etcdUrl = '';
  #server: Daemon | undefined;
  #port = 0;
  #issued = 0;

  constructor(settings: BareApiServerSettings) {
    this.#settings = settings;
    this.#address = settings.address ?? '127.0.0.1';
    this.#inNamespace = settings.netns === undefined ? [] : ['nsenter', `--net=${namespacePath(settings.netns)}`];
    this.kubeconfig = join(settings.directory, 'admin.kubeconfig');
    const command = [...this.#inNamespace, settings.binaries.kubectl];
    this.kubectl = kubectlFor(command, this.kubeconfig, join(settings.directory, 'kubectl-cache'));
  }

  async start(): Promise<void> {
    const { directory, progress } = this.#settings;
    const [etcdPort, peerPort, port] = await freePorts(3);
    this.#port = port ?? 0;
    this.url = `https://${hostInUrl(this.#address)}:${this.#port}`;
    progress?.(`starting etcd and kube-apiserver at ${this.url}`);
    this.#etcdUrl = `http://127.0.0.1:${etcdPort}`;
    const etcd = {
      dataDirectory: join(directory, 'etcd'),
      clientUrl: this.#etcdUrl,
      peerUrl: `http://127.0.0.1:${peerPort}`,
    };
    const [keys, etcdDaemon] = await Promise.all([
      createKeys(join(directory, 'pki'), [this.#address, '127.0.0.1', ...apiServerService]),
      this.#startDaemon('etcd', this.#settings.binaries.etcd, etcdArguments(etcd)),
    ]);
    this.#keys = keys;
    this.#etcd = etcdDaemon;
    await this.kubeconfigFor('admin', ['system:masters'], this.kubeconfig);
    await this.startServer();
    progress?.('kube-apiserver is ready');
  }

  async kubeconfigFor(user: string, groups: readonly string[] = [], path?: string): Promise<string> {
    const { authority } = this.#requireKeys();
    const file = `client-${++this.#issued}`;
    const client = await authority.issue(file, { commonName: user, organizations: groups });
    const target = path ?? join(this.#settings.directory, `${file}.kubeconfig`);
    return writeKubeconfig(target, { server: this.url, authority: authority.certificate, client });
  }

  async startServer(): Promise<void> {
    const { directory, binaries } = this.#settings;
    const settings = {
      etcdUrl: this.#etcdUrl,
      bindAddress: this.#address,
      advertiseAddress: this.#address,
      port: this.#port,
      serviceRanges,
      keys: this.#requireKeys(),
      certificateDirectory: join(directory, 'pki'),
      // Nobody starts the controllers that give a namespace its service account, and no pod is ever run.
      further: [
        '--endpoint-reconciler-type=none',
        '--disable-admission-plugins=ServiceAccount',
        ...(this.#settings.apiServerArguments ?? []),
      ],
    };
    const server = await this.#startDaemon('kube-apiserver', binaries['kube-apiserver'], apiServerArguments(settings));
    this.#server = server;
    const isReady = async (): Promise<boolean> => (await this.kubectl(['get', '--raw=/readyz'])).exitCode === 0;
    await waitFor('kube-apiserver gets ready', isReady, {
      timeoutMs: readyTimeoutMs,
      isHopeless: () => server.hasEnded() || (this.#etcd?.hasEnded() ?? false),
      explain: () => [server.logTail(), this.#etcd?.logTail()].join('\n'),
    });
  }

  async stopServer(): Promise<void> {
    await this.#server?.kill();
  }

  signalServer(signal: 'SIGSTOP' | 'SIGCONT'): void {
    if (this.#server?.hasEnded() === false) process.kill(this.#server.pid, signal);
  }

  async kill(): Promise<void> {
    await Promise.all([this.#server?.kill(), this.#etcd?.kill()]);
  }

  #requireKeys(): ControlPlaneKeys {
    if (this.#keys === undefined) throw new Error('the API server has not been started');
    return this.#keys;
  }

  #startDaemon(name: string, file: string, args: readonly string[]): Promise<Daemon> {
    const command = [...this.#inNamespace, file, ...args];
    return startDaemon({ name, command, log: join(this.#settings.directory, `${name}.log`), diesWithParent: true });
  }
}

/** Ports that nobody listened on a moment ago; all are held until the last is known, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Directories of processes that were killed before they could tidy up. */
async function removeLeftOvers(): Promise<void> {
  const entries = await readdir(tmpdir());
  const left = entries.filter((entry) => entry.startsWith(directoryPrefix) && !isRunning(pidInName(entry)));
  await Promise.all(left.map((entry) => rm(join(tmpdir(), entry), { recursive: true, force: true })));
}

function pidInName(entry: string): number {
  return Number(entry.slice(directoryPrefix.length).split('-')[0]);
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function namespacePath(netns: string): string {
  return netns.includes('/') ? netns : `/run/netns/${netns}`;
}
