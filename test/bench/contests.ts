/**
 * @module `npm run bench` without `--against` and `--profile`: the product beside the real kube-proxy, in one run and
 * by turns, on one machine; and what a change costs when it goes to thousands of nodes. Another comparison is a file
 * like iptables-nft.ts and an entry in `contests`.
 */
import type { Command } from 'commander';
import { type BaselineSection, type Cell, measureBaselines } from './baselines.ts';
import { nftablesPrograms, printBaselines } from './baselinesReport.ts';
import { compare, type CompareSettings } from './compare.ts';
import { measureFanOut } from './fanOut.ts';
import { printFanOut } from './fanOutReport.ts';
import { prepareGround } from './ground.ts';
import { iptablesLegacy } from './iptables-legacy.ts';
import { iptablesNft } from './iptables-nft.ts';
import { type IpvsResult, measureIpvs } from './ipvs.ts';
import { printIpvs, writeIpvs } from './ipvsReport.ts';
import { readMeasured, saveMeasured, writePage } from './measured.ts';
import { allParts, type Part } from './measures.ts';
import { usualEndpoints } from './objects.ts';
import {
  benchCommand,
  type BenchTask,
  count,
  counts,
  exitStatus,
  haveAddresses,
  type Inside,
  positive,
  requireAddresses,
  someOf,
} from './options.ts';
import type { ProxyContest } from './proxies.ts';
import { iptablesPrograms, printTable, runDetails } from './report.ts';
import { type Section, targetsFrom } from './results.ts';

const contests: readonly ProxyContest[] = [iptablesNft, iptablesLegacy];
const fanOut = 'fan-out';
/** Not a contest like the others: it runs in a kernel of its own. */
const ipvs = 'ipvs';
/** Alone in nftables mode, which ours has not yet. */
const kubeProxy = 'kube-proxy';
const known: readonly string[] = [...contests.map(({ name }) => name), kubeProxy, ipvs, fanOut];
const wideEndpoints = 5;

interface Settings {
  readonly names: readonly string[];
  readonly quick: boolean;
  readonly services: readonly number[];
  readonly ipvsServices: readonly number[];
  readonly kubeProxyServices: readonly number[];
  /** Of each Service, where kube-proxy is alone. */
  readonly endpoints: readonly number[];
  readonly limit: number;
  readonly parts: readonly Part[];
  readonly add: boolean;
  readonly page: boolean;
  readonly nodes: readonly number[];
  readonly repetitions: number | undefined;
  readonly changes: number;
}

/** As the command line gives them. */
type Flags = Partial<Omit<Settings, 'names' | 'ipvsServices' | 'kubeProxyServices' | 'parts'>> & {
  readonly only?: readonly Part[];
};

const usually = {
  quick: { services: [500], ipvsServices: [100], kubeProxyServices: [500], nodes: [100], changes: 3 },
  full: {
    services: [1, 1000, 10_000],
    ipvsServices: [1000, 10_000],
    kubeProxyServices: [1000, 10_000, 44_000],
    nodes: [100, 1000, 5000],
    changes: 5,
  },
};

const description = `Measures the product beside the real kube-proxy, and what a change of all nodes costs. The whole run takes hours, and most of them are kube-proxy's starts; ${fanOut} alone takes a few minutes. ${kubeProxy} measures it alone in mode nftables, and what it stands on. Each writes its own part of docs/performance.md and its picture beside it.`;

export function contestsCommand(): Command {
  return benchCommand('[NAMES…] [flags]', description)
    .argument('[names...]', `what to measure: ${known.join(', ')}; everything without any`, someOf(known))
    .option(
      '--quick',
      `500 Services (ipvs: 100), 3 repetitions (${kubeProxy}: 1), few changes, 100 nodes; writes nothing`,
    )
    .option(
      '--services <n>',
      `a size to measure at; may be given several times (1000 and 10000; 1 to compare; ${kubeProxy}: 44000, too)`,
      counts,
    )
    .option('--endpoints <n>', `of each Service, for ${kubeProxy}; several times (1 and 3)`, counts)
    .option('--limit <minutes>', `how long a start may take, for ${kubeProxy} (20)`, positive)
    .option('--only <parts>', `besides start and memory: ${allParts.join(',')} (all)`, someOf(allParts))
    .option(
      '--repetitions <n>',
      `of each side, or of each change that fans out (5 and 3; ${ipvs}: 3, 1 at 10000; ${kubeProxy}: 3, 2 at 10000, 1 above)`,
      count,
    )
    .option('--changes <n>', 'of one endpoint, there and back, in each repetition (5)', count)
    .option('--nodes <n>', 'a number of nodes that a change goes to; several times (100, 1000, 5000)', counts)
    .option('--add', 'keep on the page what other runs measured at other sizes')
    .option('--page', 'write the page again from docs/performance.json, where the last run left its figures');
}

const unlessAsked = {
  quick: false,
  add: false,
  page: false,
  repetitions: undefined,
  endpoints: [1, usualEndpoints],
  limit: 20,
};

/** Throws CommanderError for wrong usage. */
export function contestsTask(args: readonly string[]): BenchTask {
  const command = contestsCommand().parse(args, { from: 'user' });
  const [names = known] = command.processedArgs as [(readonly string[])?];
  const flags = command.opts<Flags>();
  const most = Math.max(usualEndpoints, ...(flags.endpoints ?? []));
  for (const services of flags.services ?? []) requireAddresses(command, services, most);
  const usual = usually[flags.quick === true ? 'quick' : 'full'];
  const settings: Settings = {
    ...usual,
    ...unlessAsked,
    ...flags,
    names,
    ipvsServices: flags.services ?? usual.ipvsServices,
    kubeProxyServices: flags.services ?? usual.kubeProxyServices,
    parts: flags.only ?? allParts,
  };
  return { run: (inside) => measureAll(settings, inside) };
}

async function measureAll(how: Settings, { directory, progress }: Inside): Promise<number> {
  const { names, page } = how;
  if (page) await writePage(await readMeasured());
  else {
    const proxies = contests.filter(({ name }) => names.includes(name));
    if (proxies.length > 0) console.log(await measureProxies(proxies, how, { directory, progress }));
    if (names.includes(kubeProxy)) console.log(await measureAlone(how, { directory, progress }));
    if (names.includes(ipvs)) console.log(await measureInKernel(how, { directory, progress }));
    if (names.includes(fanOut)) console.log(await measureChanges(how, { directory, progress }));
  }
  return exitStatus.done;
}

/** The tables. Every part is written when it is there, so that an interrupted run is not for nothing. */
async function measureProxies(
  chosen: readonly ProxyContest[],
  how: Settings,
  { directory, progress }: Inside,
): Promise<string> {
  const { quick, services: sizes, changes, parts } = how;
  const repetitions = how.repetitions ?? (quick ? 3 : 5);
  const ground = await prepareGround(directory, progress);
  const sections: Section[] = how.add ? [...((await readMeasured()).sections ?? [])] : [];
  const measure = async (contest: ProxyContest, what: Omit<CompareSettings, 'changes'>): Promise<void> => {
    await ground.populate(what.services);
    const comparison = await compare(contest, ground, { ...what, changes });
    const section: Section = {
      contest,
      services: what.services,
      endpoints: ground.endpoints(),
      repetitions: what.repetitions,
      comparison,
      run: runDetails(changes, iptablesPrograms(ground.kubeProxy)),
    };
    putInPlace(sections, section, (each) => each.contest.name === contest.name && isSameCell(each, section));
    if (!quick) await saveMeasured({ sections });
  };
  try {
    for (const services of sizes) {
      // One Service alone is only there for the comparison of connections.
      const depth = services === 1 ? { repetitions: 1, parts: ['connect'] as const } : { repetitions, parts };
      for (const contest of chosen) await measure(contest, { services, ...depth });
    }
    const big = sizes.at(-1) ?? 0;
    if (big >= targetsFrom && haveAddresses(big, wideEndpoints) && chosen.includes(iptablesLegacy)) {
      await ground.giveEndpoints(wideEndpoints);
      await measure(iptablesLegacy, { services: big, repetitions: Math.min(3, repetitions), parts: [] });
    }
  } finally {
    await ground.stop();
  }
  return printTable(sections);
}

function isSameCell(one: Cell, other: Cell): boolean {
  return one.services === other.services && one.endpoints === other.endpoints;
}

/** Of the one that was measured before, or at the end. */
function putInPlace<Item>(items: Item[], item: Item, isBefore: (each: Item) => boolean): void {
  const place = items.findIndex(isBefore);
  if (place === -1) items.push(item);
  else items[place] = item;
}

/** The tables. */
async function measureAlone(how: Settings, { directory, progress }: Inside): Promise<string> {
  const { changes, quick } = how;
  const ground = await prepareGround(directory, progress);
  const baselines: BaselineSection[] = how.add ? [...((await readMeasured()).baselines ?? [])] : [];
  const onSection = async (measured: Omit<BaselineSection, 'run'>): Promise<void> => {
    const section = { ...measured, run: runDetails(changes, nftablesPrograms(ground.kubeProxy)) };
    putInPlace(baselines, section, (each) => isSameCell(each, section));
    if (!quick) await saveMeasured({ baselines });
  };
  try {
    await measureBaselines(ground, {
      services: how.kubeProxyServices,
      endpoints: how.endpoints,
      repetitions: how.repetitions ?? (quick ? 1 : undefined),
      changes,
      limitMinutes: how.limit,
      onSection,
    });
  } finally {
    await ground.stop();
  }
  return printBaselines(baselines);
}

/** The tables. */
async function measureInKernel(
  { quick, ipvsServices, repetitions, changes }: Settings,
  { directory, progress }: Inside,
): Promise<string> {
  const onResult = async (result: IpvsResult): Promise<void> => (quick ? undefined : writeIpvs(result));
  return printIpvs(
    await measureIpvs({
      sizes: ipvsServices,
      repetitions: repetitions ?? (quick ? 3 : undefined),
      changes,
      directory,
      progress,
      onResult,
    }),
  );
}

/** The table. */
async function measureChanges(
  { quick, nodes, repetitions }: Settings,
  { directory, progress }: Inside,
): Promise<string> {
  const result = await measureFanOut({ sizes: nodes, changes: repetitions ?? (quick ? 1 : 3), directory, progress });
  if (!quick) await saveMeasured({ fanOut: result });
  return printFanOut(result);
}
