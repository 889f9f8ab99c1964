/**
 * Runs inside the kernel under test: the packet scenarios. Prints what was seen of each row.
 *   node packets.ts iptables|ipvs nft|legacy
 *   node packets.ts kube-proxy FILE few|all
 */
import { inspect } from 'node:util';
import type { ProxyMode } from '../../src/api/nodeConfig.ts';
import { ipFamilies } from '../../src/model/ipFamily.ts';
import type { Network } from '../support/network.ts';
import { createNetwork } from '../support/network.ts';
import { observe } from '../scenarios/observe.ts';
import type { Scenario } from '../scenarios/scenario.ts';
import { expectationIn } from '../scenarios/scenario.ts';
import { KubeProxy } from './kubeProxy.ts';
import { leaveKubeletMark } from './kubeletMark.ts';
import type { Proxy } from './proxy.ts';
import { createOurs } from './proxy.ts';
import { print } from './report.ts';
import type { Round } from './rounds.ts';
import { roundsOf } from './rounds.ts';
import { iptablesScenarios, ipvsScenarios, kubeProxyScenarios } from './scenarios.ts';

/** A system call costs about ten times what it costs outside, and a machine that runs tests has other work. */
const slowness = 4;

/** Packets of which an answer is awaited go first: beside them, what is answered late would look dropped. */
async function run(network: Network, proxy: Proxy, round: Round): Promise<void> {
  await proxy.serve(round);
  const cases = ipFamilies.flatMap((family) =>
    round.scenarios.flatMap(({ name, rows }) => rows.map((row) => ({ family, name, row }))),
  );
  const send = async ({ family, name, row }: (typeof cases)[number]): Promise<void> =>
    print({ row: [family, name, row.name], seen: await observe(network, family, row, slowness) });
  const isAnswered = ({ family, row }: (typeof cases)[number]): boolean => expectationIn(row, family) !== 'DROPPED';
  await eachOf(cases.filter(isAnswered), send);
  await eachOf(
    cases.filter((each) => !isAnswered(each)),
    send,
  );
}

/**
 * Every question from a port of its own: ip_vs tells answers apart by client and endpoint alone, so that of two
 * connections at once from one port, through two Services to one endpoint, the first never hears anything.
 */
function withOwnPorts(network: Network): Network {
  let count = 0;
  const nextPort = (): number => firstPort + (count++ % (lastPort - firstPort));
  return { ...network, ask: (from, question) => network.ask(from, { sourcePort: nextPort(), ...question }) };
}

const firstPort = 32_768;
const lastPort = 60_999;

/** All rows at once fill the pods' queues of new connections here, and what does not fit in them looks dropped. */
const atOnce = 24;

async function eachOf<Item>(items: readonly Item[], act: (item: Item) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) await act(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

interface Subject {
  readonly scenarios: readonly Scenario[];
  readonly start: (network: Network) => Proxy | Promise<Proxy>;
}

function subjectOf([name = '', argument = '', amount]: readonly string[]): Subject {
  const ours = (mode: ProxyMode, scenarios: readonly Scenario[]): Subject => ({
    scenarios,
    start: async (network) => {
      await leaveKubeletMark(network.runOnNode, argument);
      return createOurs(mode, network);
    },
  });
  const subjects: Readonly<Record<string, () => Subject>> = {
    iptables: () => ours('iptables', iptablesScenarios()),
    ipvs: () => ours('ipvs', ipvsScenarios()),
    'kube-proxy': () => ({
      scenarios: kubeProxyScenarios(amount === 'all' ? 'all' : 'few'),
      start: (network) => KubeProxy.start(argument, network),
    }),
  };
  const subject = subjects[name];
  if (subject === undefined) throw new Error(`one of ${Object.keys(subjects).join(', ')}`);
  return subject();
}

const { scenarios, start } = subjectOf(process.argv.slice(2));
const network = withOwnPorts(await createNetwork({ sctp: true }));
const proxy = await start(network);
for (const round of roundsOf(scenarios)) {
  await run(network, proxy, round).catch((error: unknown) =>
    print({ scenarios: round.scenarios.map(({ name }) => name), failure: inspect(error) }),
  );
}
await proxy.end();
await network.close();
