/** One life of a proxy on a node of its own, from a cold start to its end, and what is measured of it. */
import { type Changing, type ChangesSettings, measureChanges } from './changes.ts';
import { createService, deleteService, type Ground, moveEndpoint, type SideName } from './ground.ts';
import { endpointsIn, listRules } from './kernelRules.ts';
import type { Measures, Part } from './measures.ts';
import { BenchNode, neighbourAddresses, NoAnswer, targetPort } from './node.ts';
import { clusterIP, endpointAddress, servicePort } from './objects.ts';
import { cpuOf, type Peak, residentMiB, watchPeak } from './processTree.ts';
import { type ProxyContest, startProxy } from './proxies.ts';
import { median } from './statistics.ts';

/** The changes are those of one life. */
export interface TrialSettings extends ChangesSettings {
  readonly parts: readonly Part[];
  /**
   * How long a start or a change may take. What takes longer is measured as Infinity, and after a cold start nothing
   * else. Without it the run fails after 20 minutes.
   */
  readonly limitMs?: number | undefined;
  /** Is given what stands in the kernel after the cold start, as its tool lists it. */
  readonly onRules?: ((rules: string) => Promise<void>) | undefined;
}

type Starting = Pick<Measures, 'restart' | 'restartCpu' | 'restartCpuTools'> & { readonly peak: Peak };
type Connecting = Pick<Measures, 'direct' | 'hit' | 'one' | 'miss'>;

const longestSyncMs = 1_200_000;
const connections = 1000;
const connectRounds = 9;

/** One side on a node of its own, once. */
export async function measure(
  side: SideName,
  contest: ProxyContest,
  ground: Ground,
  settings: TrialSettings,
): Promise<Measures> {
  const node = await BenchNode.start(contest.variant, ground);
  try {
    const trial = new Trial({ side, contest, ground, node }, settings);
    return await trial.orLate(() => trial.run(), notStarted);
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
const { peak: _, ...restartNotMeasured } = notRestarted;
/** Of a life whose cold start was not done in time. */
const notStarted: Measures = {
  cold: Infinity,
  coldCpu: notMeasured,
  coldCpuTools: notMeasured,
  ...restartNotMeasured,
  ...notChanged,
  rss: notMeasured,
  rssAlone: notMeasured,
  rssPeak: notMeasured,
  rssPeakAlone: notMeasured,
  ...notConnected,
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

  get #limitMs(): number {
    return this.#settings.limitMs ?? longestSyncMs;
  }

  /** `late`: what was measured when the work was not done within the limit. */
  async orLate<T>(work: () => Promise<T>, late: T): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof NoAnswer && this.#settings.limitMs !== undefined) return late;
      throw error;
    }
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
      const changing = await this.#changes(pid);
      const resident = residentMiB(pid);
      const peak = cold.peak();
      await cold.proxy.end();
      const { peak: peakOfRestart, ...restarting } = await this.#restarts();
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

  async #changes(pid: number): Promise<Changing> {
    if (!this.#wants('change')) return notChanged;
    return this.orLate(() => this.#change(pid), { ...notChanged, change: Infinity });
  }

  async #restarts(): Promise<Starting> {
    if (!this.#wants('restart')) return notRestarted;
    return this.orLate(() => this.#restart(), { ...notRestarted, restart: Infinity });
  }

  /** `last`: the Service that everything is there with; dispatch comes last on either side. */
  async #start(last: number) {
    const { side, contest, ground, node } = this.#around;
    const started = performance.now();
    const proxy = startProxy(side, contest, ground, node);
    const peak = watchPeak(proxy.pid);
    try {
      const answered = node.until(clusterIP(last), servicePort, '*', this.#limitMs);
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

  #change(pid: number): Promise<Changing> {
    const { ground, node } = this.#around;
    const endpoints = ground.endpoints();
    return measureChanges(pid, this.#settings, async (service, address) => {
      const written = performance.now();
      await moveEndpoint(ground, service, address);
      const expected = address ?? endpointAddress(service, endpoints - 1, endpoints);
      return (await node.until(clusterIP(service), servicePort, expected, this.#limitMs)) - written;
    });
  }

  /** That nobody wins by leaving something out. */
  async #expectAllRules(): Promise<void> {
    const { side, contest, node, ground } = this.#around;
    const rules = await listRules(contest, node);
    const found = endpointsIn(rules, contest);
    const wanted = ground.endpoints() * this.#settings.services;
    if (found < wanted) throw new Error(`${side} has ${found} endpoints in the kernel instead of ${wanted}`);
    await this.#settings.onRules?.(rules);
  }
}
