/**
 * Which ProxyConfig governs a node: one winner, the whole object, no merging of fields.
 *
 * Pure, and shared by the operator and the command line, so that a change reviewed with `proxyconfig render` resolves
 * as it will on the cluster.
 */
import { isAgentless } from './agentlessNodes.ts';
import type { ProxyConfig } from './generated/proxyConfig.ts';
import { ownValue } from './ownValue.ts';

/** metav1.LabelSelector, matched against a Node's labels. */
export type NodeSelector = NonNullable<ProxyConfig['spec']['nodeSelector']>;
type Requirement = NonNullable<NodeSelector['matchExpressions']>[number];
type Labels = Readonly<Record<string, string>>;

/** What a decision about one node rests on; `Config` is a ProxyConfig or anything that extends it. */
export interface Governance<Config> {
  /** The one that governs the node; undefined when none matches. */
  readonly winner: Config | undefined;
  /** Losers of the winner's own priority, in order: a conflict that a person should resolve. */
  readonly tiedWith: readonly Config[];
  /** Losers of a lower priority, in order: ordinary layering, no conflict. */
  readonly overridden: readonly Config[];
}

/** The parts of a ProxyConfig that the decision reads. */
export interface Candidate {
  readonly metadata: { readonly name: string; readonly creationTimestamp?: string };
  readonly spec: { readonly priority: number; readonly nodeSelector?: NodeSelector };
}

/**
 * Decides for a node with these labels: higher priority, then older, then the name that sorts first. Order of `configs`
 * does not matter.
 */
export function governingConfig<Config extends Candidate>(
  nodeLabels: Labels,
  configs: Iterable<Config>,
): Governance<Config> {
  const [winner, ...losers] = [...configs]
    .filter(({ spec }) => governs(spec.nodeSelector, nodeLabels))
    .sort(byPrecedence);
  return {
    winner,
    tiedWith: losers.filter(({ spec }) => spec.priority === winner?.spec.priority),
    overridden: losers.filter(({ spec }) => spec.priority !== winner?.spec.priority),
  };
}

/**
 * A proxy needs Linux: a node of another system matches nothing, one that does not say (a hand-written manifest) counts
 * as Linux. Nor does one match on which no agent can run.
 */
function governs(selector: NodeSelector | undefined, nodeLabels: Labels): boolean {
  if (isAgentless(nodeLabels)) return false;
  return (nodeLabels['kubernetes.io/os'] ?? 'linux') === 'linux' && matches(selector, nodeLabels);
}

/** Kubernetes' LabelSelector: every term must hold; an empty or absent selector matches everything. */
export function matches(selector: NodeSelector | undefined, labels: Labels): boolean {
  const equal = Object.entries(selector?.matchLabels ?? {}).every(([key, value]) => ownValue(labels, key) === value);
  return equal && (selector?.matchExpressions ?? []).every((requirement) => holds(requirement, labels));
}

function holds({ key, operator, values = [] }: Requirement, labels: Labels): boolean {
  return ownValue(operators, operator)?.(ownValue(labels, key), values) ?? false;
}

/** An operator that is none of these holds for no node. `NotIn` also holds for a label that is absent, as in Kubernetes' own selectors. */
const operators: Record<Requirement['operator'], (value: string | undefined, values: readonly string[]) => boolean> = {
  In: (value, values) => value !== undefined && values.includes(value),
  NotIn: (value, values) => value === undefined || !values.includes(value),
  Exists: (value) => value !== undefined,
  DoesNotExist: (value) => value === undefined,
};

/**
 * RFC 3339 times of the API server are all UTC with whole seconds, so they compare as text; a manifest without one
 * counts as newest.
 */
function byPrecedence(one: Candidate, other: Candidate): number {
  return (
    other.spec.priority - one.spec.priority ||
    compare(one.metadata.creationTimestamp ?? '9999', other.metadata.creationTimestamp ?? '9999') ||
    compare(one.metadata.name, other.metadata.name)
  );
}

/** By code units, as the API server sorts names. */
export function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
