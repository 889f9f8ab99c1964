/** Cold starts of the agent under a profiler, each on a node of its own. */
import { execa } from 'execa';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundle } from '../../../.ci/build.ts';
import { type Ground, productCommand, writeNodeProxy } from '../ground.ts';
import { BenchNode } from '../node.ts';
import { clusterIP, servicePort } from '../objects.ts';
import { childrenOf } from '../processTree.ts';
import { type Proxy, type ProxyContest, startProxy } from '../proxies.ts';
import { type CpuProfile, functionTimesOf, namesBySource } from './cpuProfile.ts';
import type { FunctionTimes } from './functionTimes.ts';
import { scriptFields, type ToolTimes, toolTimesOf } from './toolStacks.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const longestSyncMs = 1_200_000;
const samplesPerSecond = 999;
/** What else runs on the machine must not be in the times of the agent, which count what it waits for a CPU. */
const first = ['nice', '-n', '-20'];
/** Of each stack that is copied; those of iptables are deep, and hold whole messages. */
const stackBytes = 32_768;

export class ColdStarts {
  readonly #ground: Ground;
  readonly #services: number;

  private constructor(ground: Ground, services: number) {
    this.#ground = ground;
    this.#services = services;
  }

  /** Of the work tree's bundle, with source maps; all Services are there. */
  static async of(ground: Ground, services: number): Promise<ColdStarts> {
    const dist = join(ground.directory, 'with-source-maps');
    await bundle(dist, { sourcemap: true });
    return new ColdStarts({ ...ground, product: productCommand(root, dist) }, services);
  }

  /** The main thread's functions, by `node --cpu-prof`, from its start until it has ended. */
  async agent(contest: ProxyContest): Promise<FunctionTimes> {
    const directory = await mkdtemp(join(this.#ground.directory, 'cpu-prof-'));
    const command = this.#ground.product.toSpliced(-1, 0, '--cpu-prof', `--cpu-prof-dir=${directory}`);
    await this.#start(contest, command, () => {});
    const [file = ''] = await readdir(directory);
    const profile = JSON.parse(await readFile(join(directory, file), 'utf8')) as CpuProfile;
    return functionTimesOf(profile, namesBySource(root));
  }

  /** The functions of its tools, by `perf record`, which samples what is on a CPU. */
  async tools(contest: ProxyContest): Promise<ToolTimes> {
    const recording = join(await mkdtemp(join(this.#ground.directory, 'perf-')), 'data');
    const how = ['-q', '-e', 'cpu-clock', '-F', String(samplesPerSecond), '--call-graph', `dwarf,${stackBytes}`];
    const command = ['perf', 'record', ...how, '-o', recording, '--', ...this.#ground.product];
    let agent = 0;
    await this.#start(contest, command, ({ pid }) => {
      agent = childrenOf(pid)[0] ?? 0;
    });
    const { stdout } = await execa('perf', ['script', '-i', recording, ...scriptFields], { maxBuffer: 2 ** 29 });
    return toolTimesOf(stdout, agent);
  }

  /** Until all rules are there and the agent rests. */
  async #start(contest: ProxyContest, product: readonly string[], whenAtRest: (proxy: Proxy) => void): Promise<void> {
    await writeNodeProxy(this.#ground, contest.config);
    const node = await BenchNode.start(contest.variant, this.#ground);
    const proxy = startProxy('ours', contest, { ...this.#ground, product: [...first, ...product] }, node);
    try {
      const answered = node.until(clusterIP(this.#services - 1), servicePort, '*', longestSyncMs);
      await Promise.race([answered, proxy.ended]);
      await proxy.settled();
      whenAtRest(proxy);
    } finally {
      await proxy.end();
      await node.stop();
    }
  }
}
