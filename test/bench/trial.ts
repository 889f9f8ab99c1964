/** One life of a proxy on a node of its own, from a cold start to its end, and what is measured of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createService, deleteService, type Ground, moveEndpoint, type SideName } from './ground.ts';
import type { Measures, Part } from './measures.ts';
import { BenchNode, neighbourAddresses, targetPort } from './node.ts';
import { clusterIP, endpointAddress, servicePort } from './objects.ts';
import { cpuOf, type Peak, residentMiB, type Share, watchPeak } from './processTree.ts';
import { type ProxyContest, startProxy } from './proxies.ts';
import { median } from './statistics.ts';

export interface TrialSettings {
  readonly services: number;
  /** Endpoint changes in one life, each there and back. */
  readonly changes: number;
  readonly parts: readonly Part[];
}

type Starting = Pick<Measures, 'restart' | 'restartCpu' | 'restartCpuTools'> & { readonly peak: Peak };
type Connecting = Pick<Measures, 'direct' | 'hit' | 'one' | 'miss'>;
type Changing = Pick<Measures, 'change' | 'cpuPerChange' | 'changeCpu' | 'changeCpuTools'>;

const longestSyncMs = 1_200_000;
const connections = 1000;
const connectRounds = 9;
/** More than kube-proxy's shortest time between two syncs. */
const betweenChangesMs = 1300;
const idleMs = 4000;

/** One side on a node of its own, once. */
export async function measure(
  side: SideName,
  contest: ProxyContest,
  ground: Ground,
  settings: TrialSettings,
): Promise<Measures> {
  const node = await BenchNode.start(contest.variant, ground);
  try {
    return await new Trial({ side, contest, ground, node }, settings).run();
  } finally {
    await node.stop();
  }
}

const notMeasured = Number.NaN;
const notConnected: Connecting = { direct: notMeasured, hit: notMeasured, one: notMeasured, miss: notMeasured };
const notChanged: Changing = {
  change: notMeasured,
  cpuPerChange: notMeasured,
  changeCpu: notMeasured,
  changeCpuTools: notMeasured,
};
const notRestarted: Starting = {
  restart: notMeasured,
  restartCpu: notMeasured,
  restartCpuTools: notMeasured,
  peak: { own: 0, tree: 0 },
};

interface Surroundings {
  readonly side: SideName;
  readonly contest: ProxyContest;
  readonly ground: Ground;
  readonly node: BenchNode;
}

/** One node's life. */
class Trial {
  readonly #around: Surroundings;
  readonly #settings: TrialSettings;

  constructor(around: Surroundings, settings: TrialSettings) {
    this.#around = around;
    this.#settings = settings;
  }

  async run(): Promise<Measures> {
    const { services } = this.#settings;
    const cold = await this.#start(services - 1);
    const { pid } = cold.proxy;
    try {
      await cold.proxy.settled();
      const cpu = cpuOf(pid);
      await this.#expectAllRules();
      const connecting = this.#wants('connect') ? await this.#connect() : notConnected;
      const changing = this.#wants('change') ? await this.#change(pid) : notChanged;
      const resident = residentMiB(pid);
      const peak = cold.peak();
      await cold.proxy.end();
      const { peak: peakOfRestart, ...restarting } = this.#wants('restart') ? await this.#restart() : notRestarted;
      return {
        cold: cold.ms,
        coldCpu: cpu.own * 1000,
        coldCpuTools: cpu.children * 1000,
        ...restarting,
        ...changing,
        rss: resident.own + resident.children,
        rssAlone: resident.own,
        rssPeak: Math.max(peak.tree, peakOfRestart.tree),
        rssPeakAlone: Math.max(peak.own, peakOfRestart.own),
        ...connecting,
      };
    } finally {
      cold.peak();
      await cold.proxy.end();
    }
  }

  #wants(part: Part): boolean {
    return this.#settings.parts.includes(part);
  }

  /** `last`: the Service that everything is there with; dispatch comes last on either side. */
  async #start(last: number) {
    const { side, contest, ground, node } = this.#around;
    const started = performance.now();
    const proxy = startProxy(side, contest, ground, node);
    const peak = watchPeak(proxy.pid);
    try {
      const answered = node.until(clusterIP(last), servicePort, '*', longestSyncMs);
      return { proxy, peak, ms: (await Promise.race([answered, proxy.ended])) - started };
    } catch (error) {
      peak();
      await proxy.end();
      throw error;
    }
  }

  /** On a table that stands, from a Service that came while nobody ran one sees when all was written again. */
  async #restart(): Promise<Starting> {
    const { ground } = this.#around;
    const newcomer = this.#settings.services;
    await createService(ground.client, newcomer, ground.endpoints());
    try {
      const { proxy, ms, peak } = await this.#start(newcomer);
      await proxy.settled();
      const cpu = cpuOf(proxy.pid);
      const highest = peak();
      await proxy.end();
      return { restart: ms, restartCpu: cpu.own * 1000, restartCpuTools: cpu.children * 1000, peak: highest };
    } finally {
      await deleteService(ground.client, newcomer);
    }
  }

  /** Beside a node without a rule, and by turns, because the machine's own pace changes from second to second. */
  async #connect(): Promise<Connecting> {
    const { contest, ground, node } = this.#around;
    const services = await ground.addressesFile(0, this.#settings.services);
    const middle = await ground.addressesFile(Math.floor(this.#settings.services / 2), 1);
    const endpoint = await ground.endpointsFile();
    const bare = await BenchNode.start(contest.variant, ground, neighbourAddresses);
    const rounds: Connecting[] = [];
    try {
      for (let round = 0; round < connectRounds; round += 1) {
        const direct = await bare.connect(connections, targetPort, endpoint);
        const hit = await node.connect(connections, servicePort, services);
        const one = await node.connect(connections, servicePort, middle);
        rounds.push({ direct, hit, one, miss: await node.connect(connections, targetPort, endpoint) });
      }
    } finally {
      await bare.stop();
    }
    const medianOf = (of: (round: Connecting) => number): number => median(rounds.map(of));
    return {
      direct: medianOf(({ direct }) => direct),
      hit: medianOf(({ hit }) => hit),
      one: medianOf(({ one }) => one),
      miss: medianOf(({ miss }) => miss),
    };
  }

  /** There and back. */
  async #change(pid: number): Promise<Changing> {
    const { services, changes } = this.#settings;
    const times: number[] = [];
    const busy = await this.#cpuIn(pid, async () => {
      for (let index = 0; index < changes; index += 1) {
        const service = Math.floor((index * services) / changes);
        times.push(await this.#move(service, `10.244.250.${1 + (index % 200)}`), await this.#move(service));
      }
      await sleep(betweenChangesMs);
    });
    const idle = await this.#cpuIn(pid, () => sleep(idleMs));
    const ofChanges = whole(busy.cpu) - (whole(idle.cpu) * busy.ms) / idle.ms;
    return {
      change: median(times),
      cpuPerChange: (1000 * Math.max(0, ofChanges)) / times.length,
      changeCpu: (1000 * busy.cpu.own) / times.length,
      changeCpuTools: (1000 * busy.cpu.children) / times.length,
    };
  }

  /** Milliseconds from the request until a connection reaches the address, or the one that it had first. */
  async #move(service: number, address?: string): Promise<number> {
    const { ground, node } = this.#around;
    await sleep(betweenChangesMs);
    const written = performance.now();
    await moveEndpoint(ground, service, address);
    const endpoints = ground.endpoints();
    const expected = address ?? endpointAddress(service, endpoints - 1, endpoints);
    return (await node.until(clusterIP(service), servicePort, expected, longestSyncMs)) - written;
  }

  async #cpuIn(pid: number, work: () => Promise<unknown>): Promise<{ readonly cpu: Share; readonly ms: number }> {
    const started = performance.now();
    const before = cpuOf(pid);
    await work();
    const after = cpuOf(pid);
    const cpu = { own: after.own - before.own, children: after.children - before.children };
    return { cpu, ms: performance.now() - started };
  }

  /** That nobody wins by leaving something out. */
  async #expectAllRules(): Promise<void> {
    const { side, contest, node, ground } = this.#around;
    const saved = await node.run([`/usr/sbin/iptables-${contest.variant}-save`, '-t', 'nat']);
    const found = saved.split('-j DNAT').length - 1;
    const wanted = ground.endpoints() * this.#settings.services;
    if (found < wanted) throw new Error(`${side} has ${found} endpoints in the kernel instead of ${wanted}`);
  }
}

function whole({ own, children }: Share): number {
  return own + children;
}
