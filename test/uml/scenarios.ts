/**
 * What each of those who serve Services is asked in the kernel under test, with what its packets must see: also SCTP,
 * which this kernel has.
 */
import type { Scenario } from '../scenarios/scenario.ts';
import { sctpScenarios } from '../scenarios/sctpTable.ts';
import { scenarios } from '../scenarios/serviceTable.ts';
import { ipvsDiffers, withDifferences } from './differences.ts';
import { kubeProxyDiffers } from './kubeProxyDiffers.ts';
import { roundsOf } from './rounds.ts';

const everything: readonly Scenario[] = [...scenarios, ...sctpScenarios];

/** Without configurations: each is tried on the machine's own kernel, which is quicker. */
export function iptablesScenarios(): readonly Scenario[] {
  return everything.filter(({ config }) => config === undefined);
}

export function ipvsScenarios(): readonly Scenario[] {
  return withDifferences(everything, ipvsDiffers);
}

/** An API server's selector keeps these from kube-proxy, and an ObjectServer has none. */
const notForKubeProxy = 'a Service of another proxy';

/**
 * Those in which it differs from this project, and a few that differ most between modes; with `all`, whatever can be
 * served in one go. kube-proxy takes seconds for each Service in this kernel.
 */
const fewForKubeProxy = new Set([
  'Redis behind a NodePort',
  'hairpin and masquerade',
  'internal traffic policy Local',
  'external traffic policy Local',
  'terminating endpoints from everywhere',
  'pods known by the cluster CIDR',
  'SCTP to one pod',
]);

export function kubeProxyScenarios(amount: 'few' | 'all'): readonly Scenario[] {
  const [first] = roundsOf(ipvsScenarios());
  const chosen = (first?.scenarios ?? []).filter(({ name }) =>
    amount === 'all' ? name !== notForKubeProxy : fewForKubeProxy.has(name),
  );
  return withDifferences(chosen, kubeProxyDiffers);
}
