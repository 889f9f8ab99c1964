/** What the program says of each step, and of all. */
import { alignColumns } from '../bench/table.ts';

export interface Figures {
  readonly connections: number;
  /** Connections that failed, SYNs that were sent again, questions of open flows that got no answer, and flows that broke. */
  readonly lost: number;
  /** The slowest connection, or the longest silence of a flow. */
  readonly longestGapMs: number;
}

/** A line of JSON for each, from the node. */
export interface StepReport {
  readonly step: string;
  /** None when all is as it must be. */
  readonly problems: readonly string[];
  readonly seconds: number;
  readonly traffic?: Figures;
  /** Lines that the node's tools tell of kernel objects of ours. */
  readonly rules?: { readonly before: number; readonly after: number };
  readonly note?: string;
}

/** The reports of one node. */
export interface NodeReport {
  /** e.g. `iptables, nft`. */
  readonly name: string;
  readonly steps: readonly StepReport[];
  /** Why there are no more of them. */
  readonly fault?: string;
}

export function isPassed({ steps, fault }: NodeReport): boolean {
  return fault === undefined && steps.length > 0 && steps.every(({ problems }) => problems.length === 0);
}

const head = ['', 'result', 's', 'connections', 'lost', 'longest gap', 'rules before', 'after'];

/** A table, with the problems and notes of its steps below it. */
export function asText({ name, steps, fault }: NodeReport): string {
  const rows = steps.map(({ step, problems, seconds, traffic, rules }) => [
    step,
    problems.length === 0 ? 'PASS' : 'FAIL',
    seconds.toFixed(1),
    String(traffic?.connections ?? '-'),
    String(traffic?.lost ?? '-'),
    traffic === undefined ? '-' : `${traffic.longestGapMs} ms`,
    String(rules?.before ?? '-'),
    String(rules?.after ?? '-'),
  ]);
  const remarks = steps.flatMap(({ step, problems, note }) => [
    ...(note === undefined ? [] : [`${step}: ${note}`]),
    ...problems.map((problem) => `FAIL ${step}: ${problem}`),
  ]);
  const ending = fault === undefined ? [] : [`FAIL the steps end here: ${fault}`];
  return [...alignColumns([[name, ...head.slice(1)], ...rows]), ...remarks, ...ending].join('\n');
}

/** The last line. */
export function sumOf(nodes: readonly NodeReport[]): string {
  const steps = nodes.flatMap((node) => node.steps);
  const passed = steps.filter(({ problems }) => problems.length === 0).length;
  const sum = (of: (figures: Figures) => number): number =>
    steps.reduce((total, { traffic }) => total + (traffic === undefined ? 0 : of(traffic)), 0);
  const verdict = nodes.length > 0 && nodes.every(isPassed) ? 'PASS' : 'FAIL';
  return `${verdict}: ${passed} of ${steps.length} steps; ${sum(({ connections }) => connections)} connections, ${sum(({ lost }) => lost)} lost`;
}
