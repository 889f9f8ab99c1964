/**
 * Every row in which this project and the real kube-proxy differ, and the decision that is the reason.
 */
import { chosenKubernetes, type KubernetesVersion } from '../cluster/kubernetesVersion.ts';
import { gateways } from '../support/network.ts';
import type { Expectation, ExpectationByFamily, PacketRow, Scenario, Source } from './scenario.ts';
import { kept, sources } from './scenario.ts';

export interface Difference {
  readonly scenario: string;
  readonly row: string | RegExp;
  /** What kube-proxy does. */
  readonly kubeProxy: Expectation | ExpectationByFamily;
  /** A file in docs/adr. */
  readonly decision: string;
}

const shapes = '0001-kube-proxys-names-and-shapes.md';
const ranges = '0015-settings-of-one-ip-family.md';

const unused = '0021-unused-cluster-ips.md';

const served: Expectation = { by: 'podA', seenFrom: gateways.podA };

/** Its iptables mode has no rule about cluster IPs that nothing translates (1.37.2): they leave the node. */
const leavesTheNode: readonly Difference[] = (
  ['pod here', 'pod elsewhere', 'this node', 'outside client'] satisfies readonly Source[]
).map((source) => ({
  scenario: 'a range of cluster IPs',
  row: `an address of no Service, from ${source}`,
  kubeProxy: kept('otherNode')(sources[source]),
  decision: unused,
}));

export const differences: readonly Difference[] = [
  ...leavesTheNode,
  {
    scenario: 'a range of cluster IPs',
    row: /^a port that it does not have|^one of a Service without endpoints/,
    kubeProxy: 'DROPPED',
    decision: unused,
  },
  { scenario: 'external IPs from everywhere', row: /^not allowed/, kubeProxy: served, decision: shapes },
  { scenario: 'source ranges of one family', row: /admit nobody/, kubeProxy: served, decision: ranges },
  // It sets route_localnet, which IPv6 has nothing like.
  {
    scenario: 'NodePorts of the loopback address',
    row: 'refused',
    kubeProxy: { ipv4: served, ipv6: 'REFUSED' },
    decision: shapes,
  },
  {
    scenario: 'NodePorts of the loopback address',
    row: 'also at another one',
    kubeProxy: { ipv4: served, ipv6: 'REFUSED' },
    decision: shapes,
  },
];

/** Scenarios that kube-proxy is not asked, and why. */
export const notAsked: Readonly<Record<string, string>> = {
  'an address that two Services claim': 'kube-proxy serves the one or the other, by the order of a map',
  'addresses in an old spelling': 'the API server refuses new objects with such addresses, and keeps those that it has',
};

/** Scenarios that kube-proxy is asked from a minor version on, and what that version brought. */
export const askedFrom: Readonly<Record<string, { readonly minor: number; readonly brought: string }>> = {
  'hints of nodes': {
    minor: 34,
    brought: 'an API server that keeps hints of nodes, and a kube-proxy that reads them (KEP-3015)',
  },
};

/** The table as the kube-proxy of a version must answer it. */
export function scenariosForKubeProxy(
  scenarios: readonly Scenario[],
  version: KubernetesVersion = chosenKubernetes(),
): readonly Scenario[] {
  const minor = Number(version.split('.')[1]);
  return scenarios
    .filter(({ name }) => notAsked[name] === undefined && minor >= (askedFrom[name]?.minor ?? 0))
    .map((scenario) =>
      Object.assign({}, scenario, { rows: scenario.rows.map((row) => asKubeProxyAnswers(scenario, row)) }),
    );
}

function asKubeProxyAnswers(scenario: Scenario, row: PacketRow): PacketRow {
  return { ...row, expect: differenceOf(scenario, row)?.kubeProxy ?? row.expect };
}

export function differenceOf(scenario: Scenario, row: PacketRow): Difference | undefined {
  return differences.find(
    (difference) =>
      difference.scenario === scenario.name &&
      (typeof difference.row === 'string' ? difference.row === row.name : difference.row.test(row.name)),
  );
}
