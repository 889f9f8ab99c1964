/** The kernel's and the tool's part alone: the rules that kube-proxy wrote, loaded by nft without kube-proxy. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type ChangesSettings, timeChanges } from './changes.ts';
import type { Ground } from './ground.ts';
import type { Measures } from './measures.ts';
import { BenchNode, NoAnswer } from './node.ts';
import { clusterIP, endpointAddress, serviceName, servicePort } from './objects.ts';
import { endPrograms } from './processGroup.ts';
import { treeOf } from './processTree.ts';
import { median } from './statistics.ts';

/**
 * `cold`: all rules into an empty node, until a connection to the last Service succeeds. `change`: the rules of one
 * Service replaced, until a connection reaches the new endpoint. The CPU is that of nft.
 */
export type ToolMeasures = Pick<Measures, 'cold' | 'coldCpuTools' | 'change' | 'cpuPerChange'>;

export interface ToolSettings extends ChangesSettings {
  /** How long a load may take; what takes longer is measured as Infinity, and nothing else of that node. */
  readonly limitMs: number;
}

interface Load {
  readonly rules: string;
  /** Which Service tells that the rules are in force, and by whose answer; `*` is anybody's. */
  readonly service: number;
  readonly expected: string;
}

interface Loaded {
  readonly ms: number;
  readonly cpuMs: number;
}

/** On a node of its own, once. `rules`: as nft lists them. */
export async function measureTool(ground: Ground, rules: string, settings: ToolSettings): Promise<ToolMeasures> {
  const node = await BenchNode.start('nft', ground);
  try {
    const cold = await load(node, { rules, service: settings.services - 1, expected: '*' }, settings);
    const cpu: number[] = [];
    const times = await timeChanges(settings, async (service, address) => {
      const { ms, cpuMs } = await load(node, changeOf(rules, service, ground.endpoints(), address), settings);
      cpu.push(cpuMs);
      return ms;
    });
    const cpuPerChange = cpu.reduce((sum, each) => sum + each, 0) / cpu.length;
    return { cold: cold.ms, coldCpuTools: cold.cpuMs, change: median(times), cpuPerChange };
  } catch (error) {
    if (error instanceof NoAnswer) return notLoaded;
    throw error;
  } finally {
    await node.stop();
  }
}

const notLoaded: ToolMeasures = {
  cold: Infinity,
  coldCpuTools: Number.NaN,
  change: Number.NaN,
  cpuPerChange: Number.NaN,
};

/** Waits for a line, so that its own start is not counted. */
const script = 'TIMEFORMAT="%U %S"; echo ready; read -r _; time nft -f "$1"';

/** Throws when nft does; its time is from its start until the rules are in force, its CPU until it ends. */
async function load(node: BenchNode, { rules, service, expected }: Load, { limitMs }: ToolSettings): Promise<Loaded> {
  const file = join(node.directory, 'rules.nft');
  await writeFile(file, rules);
  const [program = '', ...args] = node.enter(['bash', '-c', script, 'bash', file]);
  const shell = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = endOf(shell);
  await createInterface({ input: shell.stdout })[Symbol.asyncIterator]().next();
  const started = performance.now();
  shell.stdin.end('\n');
  const inForce = node.until(clusterIP(service), servicePort, expected, limitMs);
  try {
    // It may end before the rules are seen to be in force, but must not fail.
    const at = await Promise.race([inForce, ended.then(() => inForce)]);
    const [user = Number.NaN, system = Number.NaN] = (await ended).trim().split(' ').map(Number);
    return { ms: at - started, cpuMs: 1000 * (user + system) };
  } catch (error) {
    // Killed, it fails once more.
    ended.catch(() => {});
    if (shell.pid !== undefined) await endPrograms(treeOf(shell.pid));
    throw error;
  }
}

/** What it printed to stderr. Throws that when it failed. */
async function endOf(shell: ChildProcessByStdio<Writable, Readable, Readable>): Promise<string> {
  const [printed, [status]] = await Promise.all([text(shell.stderr), once(shell, 'close')]);
  if (status !== 0) throw new Error(`nft -f: ${printed.slice(0, 2000)}`);
  return printed;
}

/** What moves the last endpoint of a Service to the address, or back to its own. */
function changeOf(rules: string, service: number, endpoints: number, address?: string): Load {
  const last = endpointAddress(service, endpoints - 1, endpoints);
  const expected = address ?? last;
  const chain = chainOf(rules, service);
  const isLast = new RegExp(`\\b${last.replaceAll('.', '\\.')}\\b`);
  return {
    rules: rewrite({ ...chain, rules: chain.rules.map((rule) => rule.replace(isLast, expected)) }),
    service,
    expected,
  };
}

interface Chain {
  readonly name: string;
  readonly rules: readonly string[];
}

/** kube-proxy's chain of a Service, which has the name of the Service in its own. */
function chainOf(rules: string, service: number): Chain {
  const name = `service-[^\\s/]+/${serviceName(service)}/tcp/http`;
  const [, chain, body = ''] = new RegExp(`^\\tchain (${name}) \\{\\n([\\s\\S]*?)^\\t\\}`, 'm').exec(rules) ?? [];
  if (chain === undefined) throw new Error(`no chain of ${serviceName(service)} among the rules`);
  const lines = body.split('\n').map((line) => line.trim());
  return { name: chain, rules: lines.filter(Boolean) };
}

/** As kube-proxy replaces a rule. */
function rewrite({ name, rules }: Chain): string {
  const chain = `ip kube-proxy ${name}`;
  return [`flush chain ${chain}`, ...rules.map((rule) => `add rule ${chain} ${rule}`)]
    .map((line) => `${line}\n`)
    .join('');
}
