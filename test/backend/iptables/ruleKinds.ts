/**
 * One rule of every kind that this project writes, in both modes: those of all scenarios, those without the comments
 * that many endpoints leave out, those of a tree of dispatch, and those of configurations that no scenario has.
 */
import type { NodeConfig } from '../../../src/api/nodeConfig.ts';
import { ServiceChains } from '../../../src/backend/engine/serviceRules/serviceChains.ts';
import { sourceOf } from '../../../src/backend/engine/serviceRules/transaction.ts';
import { FixedChains } from '../../../src/netfilter/xtables/fixedChains.ts';
import { planState } from '../../../src/backend/iptables/plan/plan.ts';
import { rulesContext } from '../../../src/backend/engine/serviceRules/context.ts';
import { planServicePort } from '../../../src/backend/engine/serviceRules/servicePortRules.ts';
import { formatChain } from '../../../src/netfilter/xtables/formattedChain.ts';
import { fullTransaction, writeChain } from '../../../src/netfilter/xtables/transaction.ts';
import { planBridge } from '../../../src/backend/ipvs/plan/rules.ts';
import { renderIpvs } from '../../../src/backend/ipvs/plan/render.ts';
import { definitionOf, setIds, setName } from '../../../src/backend/ipvs/plan/sets.ts';
import type { IPFamily } from '../../../src/model/ipFamily.ts';
import type { ServiceState } from '../../../src/model/serviceState.ts';
import type { ServiceManifest } from '../../support/serviceManifests.ts';
import { stateOf } from '../../support/serviceManifests.ts';
import { sctpScenarios } from '../../scenarios/sctpTable.ts';
import { scenarios } from '../../scenarios/serviceTable.ts';
import { manyServices, serviceCIDRs } from './services.ts';
import type { TablesInput } from '../../netfilter/xtables/realTables.ts';
import { kindOf } from './saveWords.ts';

export interface TableRule {
  readonly table: string;
  readonly rule: string;
}

/** Sorted. */
export function ruleOfEachKind(family: IPFamily): readonly TableRule[] {
  const kinds = new Map<string, TableRule>();
  for (const input of inputs(family))
    for (const each of rulesOf(input)) if (!kinds.has(kindOf(each.rule).kind)) kinds.set(kindOf(each.rule).kind, each);
  return [...kinds.values()].sort((one, other) => (one.rule < other.rule ? -1 : 1));
}

function* inputs(family: IPFamily): Generator<string> {
  const states = [
    ...[...scenarios, ...sctpScenarios].map(({ objects, config, serviceCIDRs: ranges }) =>
      stateOf(family, objects, config, ranges),
    ),
    ...localTraffics.map((config) => stateOf(family, objectsOfEveryPolicy, config)),
  ];
  for (const state of states) {
    yield iptablesInput(state, false);
    yield iptablesInput(state, true);
    yield* renderIpvs(state)
      .filter(({ tool }) => tool.endsWith('tables-restore'))
      .map(({ input }) => input);
  }
  yield iptablesInput(stateOf(family, manyServices(200), {}, serviceCIDRs), false);
  yield compactInput(stateOf(family, objectsOfEveryPolicy));
  const bridge = planBridge({ family });
  yield [...fullTransaction(new FixedChains(bridge), { ...emptyNode, missingJumps: bridge.jumps })].join('');
}

const emptyNode = { variant: 'nft', staleJumps: [], stale: (): readonly [] => [] } as const;

function iptablesInput(state: ServiceState, commentsOmitted: boolean): string {
  const plan = planState(state, commentsOmitted);
  const differences = { ...emptyNode, missingJumps: plan.fixed.jumps };
  const source = sourceOf(plan, new ServiceChains(plan.fixed), differences);
  return [...fullTransaction(source, differences)].join('');
}

/** The chains of all Services as if each had very many endpoints. */
function compactInput(state: ServiceState): string {
  const context = rulesContext(state, []);
  const ports = [...state.keys()].flatMap((key) => state.ports(key));
  const rules = ports.map((port) => planServicePort(port, context, { isCompact: true }));
  return `*nat\n${rules.flatMap(({ chains }) => chains.map((chain) => writeChain(formatChain(chain)))).join('')}COMMIT\n`;
}

/** Beside those of scenarios: each way to recognize pods meets each policy. */
const localTraffics: readonly Partial<NodeConfig>[] = [
  {},
  { localTraffic: { detect: 'NodeCIDR' } },
  { localTraffic: { detect: 'BridgeInterface', interface: 'cni0' } },
  { masquerade: { bit: 14, all: true } },
];

const objectsOfEveryPolicy: readonly ServiceManifest[] = (['TCP', 'UDP', 'SCTP'] as const)
  .flatMap((protocol) =>
    (['Cluster', 'Local'] as const).flatMap((policy) =>
      (['None', 'ClientIP'] as const).flatMap((affinity) =>
        // Endpoints here, on another node alone, and none.
        ([['podA', 'podB'], ['remotePod'], []] as const).map((pods) => ({ protocol, policy, affinity, pods })),
      ),
    ),
  )
  .map(({ protocol, policy, affinity, pods }, index) => ({
    name: `policy-${index}`,
    clusterIP: { ipv4: `10.96.4.${index}`, ipv6: `fd00:10:96::4:${index}` },
    loadBalancerIP: { ipv4: `203.0.113.${index}`, ipv6: `2001:db8:2::${index}` },
    ports: [{ port: 80, protocol, nodePort: 30_100 + index }],
    spec: {
      type: 'LoadBalancer',
      internalTrafficPolicy: policy,
      externalTrafficPolicy: policy,
      sessionAffinity: affinity,
      loadBalancerSourceRanges: ['192.0.2.0/24', '2001:db8:1::/64'],
      healthCheckNodePort: 31_100 + index,
    },
    pods,
  }));

/** Those that lines of iptables-restore add or insert. */
export function* rulesOf(input: string): Generator<TableRule> {
  let table = '';
  for (const line of input.split('\n')) {
    if (line.startsWith('*')) table = line.slice(1);
    const [, rule] = /^-[AI] [A-Z]\S+ (?:\d+ )?(.*)$/.exec(line) ?? [];
    if (rule !== undefined) yield { table, rule };
  }
}

/** Each rule in a chain of its own, `RULE-0` and so on, beside the chains that they lead to. */
export function inputOf(rules: readonly TableRule[], family: IPFamily, variant: TablesInput['variant']): TablesInput {
  const tables = [...new Set(rules.map(({ table }) => table))].map((table) => {
    const inTable = [...rules.entries()].filter(([, each]) => each.table === table);
    const targets = new Set(inTable.flatMap(([, { rule }]) => / -j (KUBE-\S+)/.exec(` ${rule}`)?.[1] ?? []));
    const chains = [...targets, ...inTable.map(([index]) => `RULE-${index}`)].map((name) => `:${name} - [0:0]\n`);
    return `*${table}\n${chains.join('')}${inTable.map(([index, { rule }]) => `-A RULE-${index} ${rule}\n`).join('')}COMMIT\n`;
  });
  return { family, variant, sets: setsOf(family), input: tables.join('') };
}

/** Lines of `ipset restore` that make the sets of ipvs mode. */
function setsOf(family: IPFamily): readonly string[] {
  return setIds.map((id) => `create ${setName(id, family)} ${definitionOf(id, family, 1024)}\n`);
}
