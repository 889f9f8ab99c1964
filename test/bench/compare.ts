/**
 * One contest: the same Services, the same API server and the same kind of node, served by ours and by kube-proxy by
 * turns.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createService, deleteService, type Ground, moveEndpoint, type SideName, writeNodeProxy } from './ground.ts';
import { BenchNode, neighbourAddresses, targetPort, type Variant } from './node.ts';
import { clusterIP, endpointAddress, servicePort } from './objects.ts';
import { cpuSeconds, residentMiB, watchPeak } from './processTree.ts';
import { type Contest, startProxy } from './proxies.ts';
import { median } from './statistics.ts';

export interface ProxyContest extends Contest {
  readonly name: string;
  readonly variant: Variant;
}

export interface CompareSettings {
  readonly services: number;
  readonly repetitions: number;
  /** Endpoint changes in one repetition, each there and back. */
  readonly changes: number;
  readonly parts: readonly Part[];
}

/** What is measured of a proxy's life besides its start and its memory, which cost time of their own. */
export const allParts = ['connect', 'change', 'restart'] as const;
export type Part = (typeof allParts)[number];

/** Milliseconds; MiB; microseconds. NaN where it was not measured. */
export interface Measures {
  readonly cold: number;
  readonly restart: number;
  readonly change: number;
  readonly cpuPerChange: number;
  readonly rss: number;
  readonly rssPeak: number;
  /**
   * connect(2) on a node without a rule, to all Services by turns, to one of them again and again, and past all
   * Services.
   */
  readonly direct: number;
  readonly hit: number;
  readonly one: number;
  readonly miss: number;
}

export type Comparison = { readonly [side in SideName]: Measures };

const longestSyncMs = 1_200_000;
const connections = 1000;
const connectRounds = 9;
/** More than kube-proxy's shortest time between two syncs. */
const betweenChangesMs = 1300;
const idleMs = 4000;
/** After the Services of the table; only there while a restart is measured. */
const newcomer = 20_500;

/** The medians of all repetitions; who begins changes from one to the next. */
export async function compare(contest: ProxyContest, ground: Ground, settings: CompareSettings): Promise<Comparison> {
  const measured: { readonly [side in SideName]: Measures[] } = { ours: [], 'kube-proxy': [] };
  await writeNodeProxy(ground, contest.config);
  for (let repetition = 0; repetition < settings.repetitions; repetition += 1) {
    const sides: SideName[] = repetition % 2 === 0 ? ['kube-proxy', 'ours'] : ['ours', 'kube-proxy'];
    for (const side of sides) {
      const measures = await measure(side, contest, ground, settings);
      measured[side].push(measures);
      ground.progress(
        `${contest.name}, ${settings.services} Services, ${repetition + 1}/${settings.repetitions}, ${side}: ${inWords(measures)}`,
      );
    }
  }
  return { ours: medians(measured.ours), 'kube-proxy': medians(measured['kube-proxy']) };
}

function medians(repetitions: readonly Measures[]): Measures {
  const names = Object.keys(repetitions[0] ?? {}) as (keyof Measures)[];
  return Object.fromEntries(
    names.map((name) => [name, median(repetitions.map((each) => each[name]))]),
  ) as unknown as Measures;
}

function inWords(measures: Measures): string {
  return Object.entries(measures)
    .map(([name, value]: [string, number]) => `${name} ${value.toFixed(value < 100 ? 1 : 0)}`)
    .join(', ');
}

async function measure(
  side: SideName,
  contest: ProxyContest,
  ground: Ground,
  settings: CompareSettings,
): Promise<Measures> {
  const node = await BenchNode.start(contest.variant, ground);
  try {
    return await new Trial({ side, contest, ground, node }, settings).run();
  } finally {
    await node.stop();
  }
}

interface Surroundings {
  readonly side: SideName;
  readonly contest: ProxyContest;
  readonly ground: Ground;
  readonly node: BenchNode;
}

/** One node's life. */
class Trial {
  readonly #around: Surroundings;
  readonly #settings: CompareSettings;

  constructor(around: Surroundings, settings: CompareSettings) {
    this.#around = around;
    this.#settings = settings;
  }

  async run(): Promise<Measures> {
    const { services } = this.#settings;
    const cold = await this.#start(services - 1);
    try {
      await cold.proxy.settled();
      await this.#expectAllRules();
      const connecting = this.#wants('connect')
        ? await this.#connect()
        : { direct: Number.NaN, hit: Number.NaN, one: Number.NaN, miss: Number.NaN };
      const changes = this.#wants('change')
        ? await this.#change(cold.proxy.pid)
        : { change: Number.NaN, cpuPerChange: Number.NaN };
      const rss = residentMiB(cold.proxy.pid);
      await cold.proxy.end();
      const restart = this.#wants('restart') ? await this.#restart() : { ms: Number.NaN, rssPeak: 0 };
      const rssPeak = Math.max(cold.rssPeak(), restart.rssPeak);
      return { cold: cold.ms, restart: restart.ms, ...changes, ...connecting, rss, rssPeak };
    } finally {
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
    const rssPeak = watchPeak(proxy.pid);
    try {
      return { proxy, rssPeak, ms: (await node.until(clusterIP(last), servicePort, '*', longestSyncMs)) - started };
    } catch (error) {
      rssPeak();
      await proxy.end();
      throw error;
    }
  }

  /** On a table that stands, from a Service that came while nobody ran one sees when all was written again. */
  async #restart(): Promise<{ ms: number; rssPeak: number }> {
    const { client } = this.#around.ground;
    await createService(client, newcomer);
    try {
      const { proxy, ms, rssPeak } = await this.#start(newcomer);
      await proxy.settled();
      await proxy.end();
      return { ms, rssPeak: rssPeak() };
    } finally {
      await deleteService(client, newcomer);
    }
  }

  /** Beside a node without a rule, and by turns, because the machine's own pace changes from second to second. */
  async #connect(): Promise<Pick<Measures, 'direct' | 'hit' | 'one' | 'miss'>> {
    const { contest, ground, node } = this.#around;
    const services = await ground.addressesFile(0, this.#settings.services);
    const middle = await ground.addressesFile(Math.floor(this.#settings.services / 2), 1);
    const endpoint = await ground.endpointsFile();
    const bare = await BenchNode.start(contest.variant, ground, neighbourAddresses);
    const rounds: Pick<Measures, 'direct' | 'hit' | 'one' | 'miss'>[] = [];
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
    const medianOf = (of: (round: (typeof rounds)[number]) => number): number => median(rounds.map(of));
    return {
      direct: medianOf(({ direct }) => direct),
      hit: medianOf(({ hit }) => hit),
      one: medianOf(({ one }) => one),
      miss: medianOf(({ miss }) => miss),
    };
  }

  /** There and back; what the process uses while nothing changes is not counted to the changes. */
  async #change(pid: number): Promise<Pick<Measures, 'change' | 'cpuPerChange'>> {
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
    const ofChanges = busy.cpuMs - (idle.cpuMs * busy.ms) / idle.ms;
    return { change: median(times), cpuPerChange: Math.max(0, ofChanges) / times.length };
  }

  /** Milliseconds from the request until a connection reaches the address, or the one that it had first. */
  async #move(service: number, address?: string): Promise<number> {
    const { ground, node } = this.#around;
    await sleep(betweenChangesMs);
    const written = performance.now();
    await moveEndpoint(ground.client, service, address);
    return (
      (await node.until(clusterIP(service), servicePort, address ?? endpointAddress(service, 2), longestSyncMs)) -
      written
    );
  }

  async #cpuIn(pid: number, work: () => Promise<unknown>): Promise<{ readonly cpuMs: number; readonly ms: number }> {
    const started = performance.now();
    const before = cpuSeconds(pid);
    await work();
    return { cpuMs: (cpuSeconds(pid) - before) * 1000, ms: performance.now() - started };
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
