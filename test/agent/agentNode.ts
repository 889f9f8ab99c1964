/**
 * @module A bare node for agent tests: a network namespace of its own with a real API server in it, the agent as a
 * child process, and the kernel's real iptables. Everything in it ends with this process, whatever happens.
 */
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { type ApiServer, startApiServer } from '../cluster/apiServer.ts';
import { until } from '../support/until.ts';

export interface AgentProcess {
  readonly pid: number;
  /** All that it logged so far. */
  log(): string;
  /** Sends the signal and waits for the end; gives the exit status. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null>;
}

export class AgentNode {
  readonly server: ApiServer;
  readonly name = 'node-1';
  readonly stateDirectory: string;
  readonly #holder: ChildProcess;
  readonly #netns: string;
  readonly #agents = new Set<AgentProcess>();

  private constructor(parts: { server: ApiServer; holder: ChildProcess; netns: string; stateDirectory: string }) {
    this.server = parts.server;
    this.stateDirectory = parts.stateDirectory;
    this.#holder = parts.holder;
    this.#netns = parts.netns;
  }

  /** `pid`: of a process in a network namespace that is to be the node's; without it there is a new one. */
  static async start({ pid }: { pid?: number } = {}): Promise<AgentNode> {
    // `cat` ends when its standard input does, at the latest with this process; the namespace goes with it.
    const where = pid === undefined ? ['--net'] : [`--net=/proc/${pid}/ns/net`];
    const holder = spawn(
      pid === undefined ? 'unshare' : 'nsenter',
      [...where, 'sh', '-c', 'ip link set lo up && echo up && exec cat'],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    await once(holder.stdout, 'data');
    const netns = `/proc/${holder.pid}/ns/net`;
    const stateDirectory = await mkdtemp(path.join(tmpdir(), 'proxyconfig-agent-'));
    const server = await startApiServer({ netns });
    return new AgentNode({ server, holder, netns, stateDirectory });
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#agents].map((agent) => agent.end('SIGKILL')));
    await this.server.stop();
    this.#holder.kill();
    await rm(this.stateDirectory, { recursive: true });
  }

  /** Runs a program in the node's network namespace. */
  async run(command: readonly string[], input = ''): Promise<string> {
    const { stdout } = await execa('nsenter', [`--net=${this.#netns}`, ...command], { input });
    return stdout;
  }

  /** Starts a program in the node's network namespace; the caller ends it. */
  spawn(command: readonly string[]): ChildProcessWithoutNullStreams {
    return spawn('nsenter', [`--net=${this.#netns}`, ...command], { stdio: 'pipe' });
  }

  async kubectl(args: readonly string[], objects?: readonly object[]): Promise<string> {
    const input = objects?.map((object) => JSON.stringify(object)).join('\n---\n');
    const { exitCode, stdout, stderr } = await this.server.kubectl(args, { input });
    if (exitCode !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  apply(...objects: readonly object[]): Promise<string> {
    return this.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], objects);
  }

  /** All rules, without the counters that move by themselves. */
  async rules(): Promise<string> {
    const saved = await this.run(['iptables-save']);
    return saved.replaceAll(/ \[\d+:\d+\]$/gm, '').replaceAll(/^#.*$/gm, '');
  }

  async get(port: number, url: string): Promise<{ status: number; body: string }> {
    const script = `const r = await fetch('http://127.0.0.1:${port}${url}'); console.log(JSON.stringify({ status: r.status, body: await r.text() }))`;
    return JSON.parse(await this.run([process.execPath, '--input-type=module', '--eval', script])) as {
      status: number;
      body: string;
    };
  }

  /** `wrapper`: a command line that ends by running what follows it. */
  startAgent({ wrapper = [] }: { wrapper?: readonly string[] } = {}): AgentProcess {
    const agentArguments = [
      '--kubeconfig',
      this.server.kubeconfig,
      '--node',
      this.name,
      '--state-dir',
      this.stateDirectory,
      '--log-level',
      'debug',
    ];
    const command = [`--net=${this.#netns}`, ...wrapper, process.execPath, 'src/main.ts', 'agent', ...agentArguments];
    const child = spawn('nsenter', command, { stdio: ['ignore', 'pipe', 'pipe'] });
    let log = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (log += text));
    const exited = once(child, 'exit') as Promise<[number | null]>;
    const agent: AgentProcess = {
      pid: child.pid ?? 0,
      log: () => log,
      end: async (signal) => {
        child.kill(signal);
        const [status] = await exited;
        this.#agents.delete(agent);
        return status;
      },
    };
    this.#agents.add(agent);
    return agent;
  }

  /**
   * Waits for a condition of the kernel's rules, and returns after how many ms it held; on failure throws the end of
   * the agents' logs.
   */
  async untilRules(what: string, condition: (rules: string) => boolean, timeoutMs = 30_000): Promise<number> {
    const started = performance.now();
    const check = async (): Promise<boolean> => condition(await this.rules());
    await until(what, check, timeoutMs).catch((error: unknown) => {
      throw new Error([...this.#agents].map((agent) => agent.log().slice(-3000)).join('\n'), { cause: error });
    });
    return Math.round(performance.now() - started);
  }
}
