/**
 * A node of the benchmarks: a network and mount namespace with one cable to the API server, in which every endpoint's
 * address is local, so that a connection through the rules costs the rules and nothing else. It goes with this process.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { serviceRanges } from '../cluster/addresses.ts';

export const variants = ['nft', 'legacy'] as const;
export type Variant = (typeof variants)[number];

interface Addresses {
  readonly ipv4: string;
  readonly ipv6: string;
}

export const targetPort = 8080;
/** Of all endpoints: wider than the cluster's, for 44,000 Services of several. */
export const podRange = '10.240.0.0/12';
const bridge = 'bench0';
export const serverAddress = '192.0.2.1';
export const nodeAddresses: Addresses = { ipv4: '192.0.2.10', ipv6: 'fd00:bec4::10' };
/** Of a node that stands beside the one that is measured. */
export const neighbourAddresses: Addresses = { ipv4: '192.0.2.11', ipv6: 'fd00:bec4::11' };

/** The API server's end, in this process' own network namespace; again, it does nothing. */
export async function prepareNetwork(): Promise<void> {
  await run('sh', [
    '-ec',
    `ip link set lo up; ip link show ${bridge} 2>/dev/null || ip link add ${bridge} type bridge; ip addr replace ${serverAddress}/24 dev ${bridge}; ip link set ${bridge} up`,
  ]);
}

const run = promisify(execFile);

export interface Tools {
  /** Where nodes keep their files. */
  readonly directory: string;
  /** The program that is made of probe.c. */
  readonly probe: string;
}

/** Nobody answered in time. */
export class NoAnswer extends Error {}

export class BenchNode {
  readonly #holder: ChildProcess;
  readonly directory: string;
  readonly #probe: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  private constructor(holder: ChildProcess, directory: string, probe: ChildProcess) {
    this.#holder = holder;
    this.directory = directory;
    this.#probe = probe;
    if (probe.stdout === null) throw new Error('a probe without standard output');
    this.#answers = createInterface({ input: probe.stdout })[Symbol.asyncIterator]();
  }

  /** `variant`: what the program `iptables` is there, for a kube-proxy that looks for that name. */
  static async start(variant: Variant, tools: Tools, addresses: Addresses = nodeAddresses): Promise<BenchNode> {
    const directory = await mkdtemp(join(tools.directory, 'node-'));
    // `cat` ends with its standard input, at the latest with this process, and the namespaces with it.
    const command = ['--net', '--mount', 'sh', '-ec', 'mount -t tmpfs none /run; echo up; exec cat'];
    const holder = spawn('unshare', command, { stdio: ['pipe', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    const enter = enterCommand(holder);
    await run('sh', ['-ec', wire(holder.pid ?? 0)]);
    await run('nsenter', [...enter, 'sh', '-ec', setUp(variant, addresses)]);
    const probe = spawn('nsenter', [...enter, tools.probe, String(targetPort)], { stdio: ['pipe', 'pipe', 'inherit'] });
    const node = new BenchNode(holder, directory, probe);
    await node.#answers.next();
    return node;
  }

  /** Arguments of a command that becomes a program on the node. */
  enter(program: readonly string[]): string[] {
    return ['nsenter', ...enterCommand(this.#holder), 'setpriv', '--pdeathsig', 'KILL', ...program];
  }

  async run(program: readonly string[]): Promise<string> {
    const { stdout } = await run('nsenter', [...enterCommand(this.#holder), ...program], { maxBuffer: 2 ** 28 });
    return stdout;
  }

  /** When somebody answered at the address: milliseconds as `performance.now()` counts. Throws NoAnswer after the timeout. */
  async until(address: string, port: number, expected: string, timeoutMs: number): Promise<number> {
    const answer = await this.#ask(`until ${address} ${port} ${expected} ${timeoutMs}`);
    if (answer === 'late')
      throw new NoAnswer(`no answer of ${expected} at ${address}:${port} within ${timeoutMs / 1000} s`);
    return timeOf(answer);
  }

  /** The median time that connect(2) takes to the addresses of a file, in microseconds. */
  async connect(count: number, port: number, file: string): Promise<number> {
    const answer = await this.#ask(`connect ${count} ${port} ${file}`);
    if (!/^\d+$/.test(answer)) throw new Error(`connecting to port ${port}: ${answer}`);
    return Number(answer) / 1000;
  }

  async #ask(line: string): Promise<string> {
    this.#probe.stdin?.write(`${line}\n`);
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error('the probe ended');
    return value;
  }

  async stop(): Promise<void> {
    // It may be asking somebody who never answers.
    this.#probe.kill();
    const ended = once(this.#holder, 'exit');
    this.#holder.stdin?.end();
    await ended;
    await run('ip', ['link', 'del', cableOf(this.#holder.pid ?? 0)]).catch(() => {
      // It went with the namespace that the other end was in.
    });
    await rm(this.directory, { recursive: true });
  }
}

/** A time of another program, nanoseconds of CLOCK_MONOTONIC, in milliseconds as `performance.now()` counts. */
export function timeOf(nanoseconds: string): number {
  // Both clocks are the same; performance.now() counts from the start of this process.
  return performance.now() - Number(process.hrtime.bigint() - BigInt(nanoseconds)) / 1e6;
}

function enterCommand({ pid }: ChildProcess): readonly string[] {
  return ['--target', String(pid), '--net', '--mount'];
}

function cableOf(pid: number): string {
  return `b${pid}`;
}

function wire(pid: number): string {
  return `ip link add ${cableOf(pid)} type veth peer name eth0 netns ${pid}; ip link set ${cableOf(pid)} master ${bridge} up`;
}

/**
 * A packet for a Service address without rules vanishes in a cable that leads nowhere, and does not wait for anybody's
 * refusal.
 */
function setUp(variant: Variant, { ipv4, ipv6 }: Addresses): string {
  return `
    ip link set lo up; ip addr add ${ipv4}/24 dev eth0; ip -6 addr add ${ipv6}/64 dev eth0 nodad; ip link set eth0 up
    ip link add nowhere type veth peer name nobody; ip link set nobody up; ip link set nowhere arp off up; ip route add ${serviceRanges.ipv4} dev nowhere
    ip route add local ${podRange} dev lo
    mkdir /run/tools
    for family in iptables ip6tables; do for tool in '' -save -restore; do ln -s /usr/sbin/xtables-${variant}-multi /run/tools/$family$tool; done; done`;
}
