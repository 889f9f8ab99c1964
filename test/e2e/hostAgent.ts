/**
 * @module An agent on a node of the local cluster that no Pod holds, as docs/installing.md says: the files, the
 * kubeconfig, and the process, by hand or as systemd would start it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { ensureBinaries } from '../cluster/binaries.ts';
import type { Cluster, ClusterNode } from '../cluster/cluster.ts';
import { imageTags } from '../cluster/imageTags.ts';
import { runOnNode } from '../cluster/namespaces.ts';
import { agentUnit, directivesOf, kubeconfigScript } from '../install/agentUnit.ts';
import { prepareSandbox } from '../install/unitSandbox.ts';

/** On the node, a directory of its own disk: what the host has installed, and how it looks to the service. */
const stage = '/var/lib/host';
const kubeconfigPath = '/etc/proxyconfig/kubeconfig';

/** As `proxyconfig agent --help` has it, with the kubeconfig's path as in the page. */
export const byHand = `proxyconfig agent --kubeconfig ${kubeconfigPath} --node "$(hostname)"`;

export interface HostAgent {
  /** All that it logged so far. */
  log(): string;
  /** Asks it to end, as systemd would; gives the exit status. */
  stop(): Promise<number | null>;
}

/** A node's host with the product's files and the agent's kubeconfig where the page has them. */
export class Host {
  readonly node: ClusterNode;
  /** In front of a command: the service's view of the host. */
  readonly #sandbox: readonly string[];

  private constructor(node: ClusterNode, sandbox: readonly string[]) {
    this.node = node;
    this.#sandbox = sandbox;
  }

  /** The node must have the product's image. */
  static async prepare(cluster: Cluster, node: ClusterNode): Promise<Host> {
    // The machine sees the node's files through the root of its first process.
    const directory = `/proc/${node.pid}/root${stage}`;
    await mkdir(join(directory, 'image'), { recursive: true });
    const { ctr } = await ensureBinaries({ which: ['ctr'], kubernetes: cluster.kubernetes });
    const mount = ['--namespace', 'k8s.io', 'images', 'mount', imageTags.product, `${stage}/image`];
    const { exitCode, stderr } = await node.exec([ctr, ...mount]);
    if (exitCode !== 0) throw new Error(`the image's files are not to be had on ${node.name}: ${stderr}`);
    await writeFile(join(directory, 'kubeconfig'), await kubeconfigFor(cluster, node), { mode: 0o600 });
    await writeFile(join(directory, 'installed.sh'), installed);
    return new Host(node, await prepareSandbox(directivesOf(agentUnit, 'Service'), directory, stage));
  }

  /** Starts a line of shell by hand, as root. */
  start(line: string): HostAgent {
    return started(this.node, [...onHost, 'sh', '-c', `exec ${line}`]);
  }

  /** Starts what the unit says, with the unit's rights. */
  startUnit(): HostAgent {
    const [, line = ''] = directivesOf(agentUnit, 'Service').find(([name]) => name === 'ExecStart') ?? [];
    return started(this.node, [...onHost, ...this.#sandbox, ...line.replaceAll('%H', this.node.name).split(' ')]);
  }

  /** What a line of shell writes that has the unit's rights, its errors and exit status included. */
  async withRightsOfUnit(line: string): Promise<string> {
    const { stdout } = await this.node.exec([
      ...onHost,
      ...this.#sandbox,
      'sh',
      '-c',
      `exec 2>&1; ${line}; echo "exit status $?"`,
    ]);
    return stdout;
  }
}

/** The image's files and the kubeconfig are on the host in a mount namespace of their own: the machine's stay as is. */
const installed = `set -eu
mkdir -p ${stage}/etc ${stage}/work
mount -t overlay -o lowerdir=/etc,upperdir=${stage}/etc,workdir=${stage}/work overlay /etc
mkdir -p ${dirname(kubeconfigPath)}
cp -p ${stage}/kubeconfig ${kubeconfigPath}
for directory in /opt /usr/local/bin; do mount --bind "${stage}/image$directory" "$directory"; done
exec "$@"
`;
const onHost = ['unshare', '--mount', 'sh', `${stage}/installed.sh`];

/** The page's commands, run by an administrator. */
async function kubeconfigFor(cluster: Cluster, node: ClusterNode): Promise<string> {
  const { kubectl } = await ensureBinaries({ which: ['kubectl'], kubernetes: cluster.kubernetes });
  const directory = await mkdtemp(join(tmpdir(), 'proxyconfig-host-'));
  const script = kubeconfigScript
    .replaceAll('worker-1', node.name)
    .replaceAll('https://10.0.0.10:6443', cluster.apiServer.url);
  try {
    const env = { KUBECONFIG: cluster.kubeconfig, PATH: `${dirname(kubectl)}:${process.env['PATH']}` };
    await execa('bash', ['-euo', 'pipefail', '-c', script], { cwd: directory, env });
    return await readFile(join(directory, `${node.name}.kubeconfig`), 'utf8');
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const pidFile = '/run/proxyconfig-agent.pid';

function started(node: ClusterNode, command: readonly string[]): HostAgent {
  const noted = ['sh', '-c', `echo $$ >${pidFile}; exec "$@"`, 'sh'];
  const [file = '', ...args] = [...runOnNode(node.pid), ...noted, ...command];
  // As systemd gives it to a service, and nothing else of this process' environment.
  const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin' };
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (log += text));
  const exited = once(child, 'exit') as Promise<[number | null]>;
  return {
    log: () => log,
    stop: async () => {
      await node.exec(['sh', '-c', `kill -TERM "$(cat ${pidFile})"`]);
      const [status] = await exited;
      return status;
    },
  };
}
